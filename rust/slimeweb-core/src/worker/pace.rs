//! Whether a route's handler is fast enough to run on the thread that reads requests.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// A call that took no more of a core's time, and never waited for anything, counts for its route.
const FAST: Duration = Duration::from_millis(1);
/// Fast calls in a row after which a route is trusted; doubled each time that this trust was soon disappointed.
const PROOF: u32 = 32;
const MOST_STRIKES: u32 = 10;
/// Trust that has lasted as long was no mistake: a call may be slow because the system has kept the thread from its core.
const SOON: Duration = Duration::from_secs(1);

/// What is known of a route's speed.
pub(crate) struct Pace {
    /// Nothing to find out: the route says it.
    settled: bool,
    inline: AtomicBool,
    /// Fast calls in a row, in the pool.
    streak: AtomicU32,
    strikes: AtomicU32,
    began: Instant,
    /// When the route was trusted last, in milliseconds since `began`.
    trusted: AtomicU64,
}

impl Pace {
    /// `blocking` is what the route says of itself.
    pub(crate) fn new(blocking: Option<bool>) -> Self {
        Self {
            settled: blocking.is_some(),
            inline: AtomicBool::new(blocking == Some(false)),
            streak: AtomicU32::new(0),
            strikes: AtomicU32::new(0),
            began: Instant::now(),
            trusted: AtomicU64::new(0),
        }
    }

    fn now(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    pub(crate) fn is_inline(&self) -> bool {
        self.inline.load(Ordering::Relaxed)
    }

    /// Whether a call that has not been tried may run on a worker's thread: it is trusted until it disappoints.
    pub(crate) fn trust(&self) -> bool {
        if !self.settled && self.strikes.load(Ordering::Relaxed) == 0 && !self.inline.swap(true, Ordering::Relaxed) {
            self.trusted.store(self.now(), Ordering::Relaxed);
        }
        self.is_inline()
    }

    /// A call on a worker's thread has blocked, or taken too long.
    pub(crate) fn disappoint(&self) {
        if !self.settled && self.inline.swap(false, Ordering::Relaxed) {
            let lasted = self.now().saturating_sub(self.trusted.load(Ordering::Relaxed));
            if u128::from(lasted) < SOON.as_millis() {
                self.strikes.fetch_add(1, Ordering::Relaxed);
            } else {
                self.strikes.store(0, Ordering::Relaxed);
            }
            self.streak.store(0, Ordering::Relaxed);
        }
    }

    fn note(&self, fast: bool) {
        if !fast {
            self.streak.store(0, Ordering::Relaxed);
            return;
        }
        let strikes = self.strikes.load(Ordering::Relaxed).min(MOST_STRIKES);
        if self.streak.fetch_add(1, Ordering::Relaxed) + 1 >= PROOF << strikes {
            self.trusted.store(self.now(), Ordering::Relaxed);
            self.inline.store(true, Ordering::Relaxed);
        }
    }
}

/// One call in the pool, watched where there is something to find out.
pub(crate) struct Trial(Option<Watched>);

struct Watched {
    pace: Arc<Pace>,
    before: Usage,
}

impl Trial {
    pub(crate) fn begin(pace: &Arc<Pace>) -> Self {
        if pace.settled || pace.is_inline() {
            return Self(None);
        }
        Self(Some(Watched { pace: Arc::clone(pace), before: Usage::now() }))
    }

    pub(crate) fn end(self) {
        if let Some(Watched { pace, before }) = self.0 {
            let now = Usage::now();
            pace.note(now.computed.saturating_sub(before.computed) <= FAST && now.waits == before.waits);
        }
    }
}

/// What this thread has used so far.
struct Usage {
    /// Time on a core. While others were on it the thread was not slow.
    computed: Duration,
    /// How often it has given up its core to wait: for a lock, a socket, a disk. However short: a handler that waits for another
    /// thread must not do so on the thread that the other may need.
    waits: i64,
}

#[cfg(target_os = "linux")]
impl Usage {
    fn now() -> Self {
        use nix::sys::resource::{UsageWho, getrusage};
        use nix::time::{ClockId, clock_gettime};
        Self {
            computed: clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID).map_or(Duration::ZERO, Duration::from),
            waits: getrusage(UsageWho::RUSAGE_THREAD).map_or(-1, |usage| usage.voluntary_context_switches()),
        }
    }
}

/// Waiting is not known for a thread alone: the time that has passed has to do.
#[cfg(not(target_os = "linux"))]
impl Usage {
    fn now() -> Self {
        use nix::time::{ClockId, clock_gettime};
        Self { computed: clock_gettime(ClockId::CLOCK_MONOTONIC).map_or(Duration::ZERO, Duration::from), waits: 0 }
    }
}
