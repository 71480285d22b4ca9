//! How an executor's thread waits while there is nothing to do.
//!
//! Under load the next request is often a moment away, held up by whoever else needs this core: the client on the same
//! machine, a proxy, another worker. A thread that goes to sleep then is woken for a single request, has the core back
//! before its clients have written what they are about to, and sleeps again. So it offers the core first, and looks
//! once more: mostly it finds a whole batch.
//!
//! Who computes on the core does not give it back for milliseconds, and meanwhile this thread is not woken for what
//! arrives. Where little came of a long absence the core is not offered for a while.

use std::thread;
use std::time::{Duration, Instant};

/// A wait that was over so soon was hardly worth going to sleep for: the core is offered only after such a one.
const BRIEF: Duration = Duration::from_micros(50);
/// An absence from the core that has to be worth it.
const LONG: Duration = Duration::from_micros(500);
/// Tasks that make it worth it.
const BATCH: usize = 8;
/// How long the core is not offered after an absence that was not.
const PAUSE: Duration = Duration::from_millis(250);

/// The waits of one executor.
#[derive(Debug, Default)]
pub(crate) struct Wait {
    /// When this one began, while there is one.
    since: Option<Instant>,
    /// The last one was over soon.
    was_brief: bool,
    /// For how long others have had the core in this one.
    absent: Option<Duration>,
    /// The core is not offered before that.
    not_before: Option<Instant>,
}

impl Wait {
    /// There is nothing to do. True when others have had the core just now: to look once more before going to sleep.
    pub(crate) fn goes_on(&mut self) -> bool {
        let now = Instant::now();
        let offers = self.offers(now);
        if offers {
            thread::yield_now();
            self.absent = Some(now.elapsed());
        }
        offers
    }

    /// Whether to offer the core, once in a wait.
    fn offers(&mut self, now: Instant) -> bool {
        self.since.get_or_insert(now);
        self.was_brief && self.absent.is_none() && self.not_before.is_none_or(|time| time <= now)
    }

    /// There is something to do: so many tasks.
    pub(crate) fn ends(&mut self, tasks: usize) {
        if self.since.is_some() {
            self.ended(Instant::now(), tasks);
        }
    }

    fn ended(&mut self, now: Instant, tasks: usize) {
        let Some(since) = self.since.take() else { return };
        let absent = self.absent.take().unwrap_or_default();
        self.was_brief = now - since < BRIEF + absent;
        if absent >= LONG && tasks < BATCH {
            self.not_before = Some(now + PAUSE);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A wait of that length that ends with so many tasks, others having had the core for `absent` where it is offered:
    /// whether it is.
    fn wait(waits: &mut Wait, now: &mut Instant, length: Duration, absent: Duration, tasks: usize) -> bool {
        let offers = waits.offers(*now);
        if offers {
            waits.absent = Some(absent);
            assert!(!waits.offers(*now), "once in a wait");
        }
        *now += if offers { length + absent } else { length };
        waits.ended(*now, tasks);
        offers
    }

    #[test]
    fn the_core_is_offered_while_waits_are_brief() {
        let (mut waits, mut now) = (Wait::default(), Instant::now());
        let mut after = |length| wait(&mut waits, &mut now, length, Duration::ZERO, 1);
        assert!(!after(BRIEF * 2));
        assert!(!after(BRIEF / 2));
        assert!(after(BRIEF / 2));
        assert!(after(BRIEF * 2));
        assert!(!after(BRIEF / 2));
    }

    #[test]
    fn who_keeps_the_core_and_brings_nothing_is_not_offered_it_for_a_while() {
        let (mut waits, mut now) = (Wait::default(), Instant::now());
        let mut wait = |absent, tasks| wait(&mut waits, &mut now, BRIEF / 2, absent, tasks);
        wait(Duration::ZERO, 1);
        assert!(wait(LONG * 4, BATCH));
        assert!(wait(LONG / 2, 1));
        assert!(wait(LONG, BATCH - 1));
        let refused = (0..).take_while(|_| !wait(Duration::ZERO, 1)).count();
        assert_eq!(refused as u128, PAUSE.as_nanos().div_ceil((BRIEF / 2).as_nanos()));
    }

    #[test]
    fn an_end_without_a_wait_says_nothing() {
        let mut waits = Wait { was_brief: true, ..Wait::default() };
        waits.ends(0);
        assert!(waits.offers(Instant::now()));
    }
}
