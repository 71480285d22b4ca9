//! When a thread that has nothing to do yields its core once more before it parks.
//!
//! Under load the next request is often microseconds away, delayed by whatever else needs this core: the client on the
//! same machine, a proxy, another worker. A thread that parks then is woken for a single request, has the core back
//! before its clients have written what they are about to, and parks again. So it yields the core first
//! (`sched_yield`), and polls once more: mostly it finds a whole batch.
//!
//! A thread that computes keeps the core for milliseconds, and meanwhile this one is not woken for what arrives. After
//! a long yield that brought few tasks the core is not yielded for a while.

use std::thread;
use std::time::{Duration, Instant};

/// The core is yielded only after a wait that was shorter than this.
const BRIEF_WAIT: Duration = Duration::from_micros(50);
/// A yield of at least this has to bring [`BATCH`] tasks.
const LONG_YIELD: Duration = Duration::from_micros(500);
/// Tasks that make a long yield worth it.
const BATCH: usize = 8;
/// How long the core is not yielded after a long yield that was not.
const YIELD_PAUSE: Duration = Duration::from_millis(250);

/// What is known of one driver's waits.
#[derive(Debug, Default)]
pub(crate) struct ParkPolicy {
    /// When the present wait began, while there is one.
    since: Option<Instant>,
    /// The last wait was brief.
    was_brief: bool,
    /// How long the yield in this wait has taken.
    yielded_for: Option<Duration>,
    /// The core is not yielded before that.
    not_before: Option<Instant>,
}

impl ParkPolicy {
    /// There is nothing to do. True when the core has been yielded just now: poll once more before parking.
    pub(crate) fn yield_before_park(&mut self) -> bool {
        let now = Instant::now();
        let may_yield = self.may_yield(now);
        if may_yield {
            thread::yield_now();
            self.yielded_for = Some(now.elapsed());
        }
        may_yield
    }

    /// Whether to yield the core, once in a wait.
    fn may_yield(&mut self, now: Instant) -> bool {
        self.since.get_or_insert(now);
        self.was_brief && self.yielded_for.is_none() && self.not_before.is_none_or(|time| time <= now)
    }

    /// There is something to do: that many tasks.
    pub(crate) fn unparked(&mut self, tasks: usize) {
        if self.since.is_some() {
            self.unparked_at(Instant::now(), tasks);
        }
    }

    fn unparked_at(&mut self, now: Instant, tasks: usize) {
        let Some(since) = self.since.take() else { return };
        let yielded_for = self.yielded_for.take().unwrap_or_default();
        self.was_brief = now - since < BRIEF_WAIT + yielded_for;
        if yielded_for >= LONG_YIELD && tasks < BATCH {
            self.not_before = Some(now + YIELD_PAUSE);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A wait of that length that ends with so many tasks, the yield taking `yielded_for` where there is one: whether
    /// there is.
    fn wait(policy: &mut ParkPolicy, now: &mut Instant, length: Duration, yielded_for: Duration, tasks: usize) -> bool {
        let may_yield = policy.may_yield(*now);
        if may_yield {
            policy.yielded_for = Some(yielded_for);
            assert!(!policy.may_yield(*now), "once in a wait");
        }
        *now += if may_yield { length + yielded_for } else { length };
        policy.unparked_at(*now, tasks);
        may_yield
    }

    #[test]
    fn the_core_is_yielded_while_waits_are_brief() {
        let (mut policy, mut now) = (ParkPolicy::default(), Instant::now());
        let mut after = |length| wait(&mut policy, &mut now, length, Duration::ZERO, 1);
        assert!(!after(BRIEF_WAIT * 2));
        assert!(!after(BRIEF_WAIT / 2));
        assert!(after(BRIEF_WAIT / 2));
        assert!(after(BRIEF_WAIT * 2));
        assert!(!after(BRIEF_WAIT / 2));
    }

    #[test]
    fn after_a_long_yield_that_brought_little_the_core_is_kept_for_a_while() {
        let (mut policy, mut now) = (ParkPolicy::default(), Instant::now());
        let mut wait = |yielded_for, tasks| wait(&mut policy, &mut now, BRIEF_WAIT / 2, yielded_for, tasks);
        wait(Duration::ZERO, 1);
        assert!(wait(LONG_YIELD * 4, BATCH));
        assert!(wait(LONG_YIELD / 2, 1));
        assert!(wait(LONG_YIELD, BATCH - 1));
        let refused = (0..).take_while(|_| !wait(Duration::ZERO, 1)).count();
        assert_eq!(refused as u128, YIELD_PAUSE.as_nanos().div_ceil((BRIEF_WAIT / 2).as_nanos()));
    }

    #[test]
    fn an_end_without_a_wait_says_nothing() {
        let mut policy = ParkPolicy { was_brief: true, ..ParkPolicy::default() };
        policy.unparked(0);
        assert!(policy.may_yield(Instant::now()));
    }
}
