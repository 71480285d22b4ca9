//! `InlinePolicy`: whether a route's sync handler is fast enough to run on its worker's thread.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// A call that took at most this much CPU time, and never waited, counts towards its route's promotion.
const FAST_CALL: Duration = Duration::from_millis(1);
/// Fast calls in a row after which a route is promoted; doubled for each early demotion.
const CALLS_TO_PROMOTE: u32 = 32;
const MAX_DEMOTIONS: u32 = 10;
/// A demotion after at least this long is not early: a call may be slow because the system has kept the thread from its
/// core.
const MIN_PROMOTED_TIME: Duration = Duration::from_secs(1);

/// Decides, from its measured speed, whether a route's handler runs on its worker's thread.
pub(crate) struct InlinePolicy {
    /// The route says it (`blocking=`): nothing is measured.
    is_fixed: bool,
    inline: AtomicBool,
    /// Fast calls in a row, in the pool.
    streak: AtomicU32,
    demotions: AtomicU32,
    began: Instant,
    /// When the route was last promoted, in milliseconds since `began`.
    promoted_at: AtomicU64,
}

impl InlinePolicy {
    /// `blocking` is what the route says of itself.
    pub(crate) fn new(blocking: Option<bool>) -> Self {
        Self {
            is_fixed: blocking.is_some(),
            inline: AtomicBool::new(blocking == Some(false)),
            streak: AtomicU32::new(0),
            demotions: AtomicU32::new(0),
            began: Instant::now(),
            promoted_at: AtomicU64::new(0),
        }
    }

    fn now(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    pub(crate) fn is_inline(&self) -> bool {
        self.inline.load(Ordering::Relaxed)
    }

    /// Whether a call that has not been measured may run on a worker's thread: promotes it until it is demoted.
    pub(crate) fn promote(&self) -> bool {
        if !self.is_fixed && self.demotions.load(Ordering::Relaxed) == 0 && !self.inline.swap(true, Ordering::Relaxed) {
            self.promoted_at.store(self.now(), Ordering::Relaxed);
        }
        self.is_inline()
    }

    /// Sends the route back to the pool: a call on a worker's thread has blocked, or taken too long.
    pub(crate) fn demote(&self) {
        if !self.is_fixed && self.inline.swap(false, Ordering::Relaxed) {
            let promoted_for = self.now().saturating_sub(self.promoted_at.load(Ordering::Relaxed));
            if u128::from(promoted_for) < MIN_PROMOTED_TIME.as_millis() {
                self.demotions.fetch_add(1, Ordering::Relaxed);
            } else {
                self.demotions.store(0, Ordering::Relaxed);
            }
            self.streak.store(0, Ordering::Relaxed);
        }
    }

    fn record(&self, fast: bool) {
        if !fast {
            self.streak.store(0, Ordering::Relaxed);
            return;
        }
        let demotions = self.demotions.load(Ordering::Relaxed).min(MAX_DEMOTIONS);
        if self.streak.fetch_add(1, Ordering::Relaxed) + 1 >= CALLS_TO_PROMOTE << demotions {
            self.promoted_at.store(self.now(), Ordering::Relaxed);
            self.inline.store(true, Ordering::Relaxed);
        }
    }
}

/// The measurement of one call in the pool; empty where nothing is measured.
pub(crate) struct Sample(Option<Started>);

struct Started {
    inline_policy: Arc<InlinePolicy>,
    before: Usage,
}

impl Sample {
    pub(crate) fn begin(inline_policy: &Arc<InlinePolicy>) -> Self {
        if inline_policy.is_fixed || inline_policy.is_inline() {
            return Self(None);
        }
        Self(Some(Started { inline_policy: Arc::clone(inline_policy), before: Usage::now() }))
    }

    pub(crate) fn end(self) {
        if let Some(Started { inline_policy, before }) = self.0 {
            let now = Usage::now();
            inline_policy
                .record(now.cpu_time.saturating_sub(before.cpu_time) <= FAST_CALL && now.waits == before.waits);
        }
    }
}

/// What this thread has used so far.
struct Usage {
    /// Time on a core. While others were on it the thread was not slow.
    cpu_time: Duration,
    /// How often it has given up its core to wait: for a lock, a socket or a disk. However short: a handler that waits
    /// for another thread must not do so on the thread that the other may need.
    waits: i64,
}

#[cfg(target_os = "linux")]
impl Usage {
    fn now() -> Self {
        use nix::sys::resource::{UsageWho, getrusage};
        use nix::time::{ClockId, clock_gettime};
        Self {
            cpu_time: clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID).map_or(Duration::ZERO, Duration::from),
            waits: getrusage(UsageWho::RUSAGE_THREAD).map_or(-1, |usage| usage.voluntary_context_switches()),
        }
    }
}

/// Waiting is not known for a thread alone: the time that has passed has to do.
#[cfg(not(target_os = "linux"))]
impl Usage {
    fn now() -> Self {
        use nix::time::{ClockId, clock_gettime};
        Self { cpu_time: clock_gettime(ClockId::CLOCK_MONOTONIC).map_or(Duration::ZERO, Duration::from), waits: 0 }
    }
}
