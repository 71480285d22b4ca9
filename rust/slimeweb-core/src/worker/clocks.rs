//! Which threads compute, and which wait: seen from outside, by the CPU time that each has used.

use std::collections::HashMap;
use std::time::{Duration, Instant};

/// Between two looks: long enough for a thread that has to share its core to have had a turn.
const WINDOW: Duration = Duration::from_millis(4);
/// Of the time between two looks, the share that a computing thread has had of a core at least, as a divisor: with several to a
/// core it is little. A thread that waits uses none.
const SHARE: u32 = 20;

/// The CPU clocks of some threads.
#[derive(Default)]
pub(super) struct Clocks {
    threads: HashMap<u64, Clock>,
    next: u64,
    looked: Option<Instant>,
    computing: usize,
}

/// A thread's place among the clocks.
pub(super) struct Place(u64);

impl Clocks {
    /// Adds the calling thread.
    pub(super) fn enter(&mut self) -> Place {
        let place = self.next;
        self.next += 1;
        if let Some(clock) = Clock::of_this_thread() {
            self.threads.insert(place, clock);
        }
        Place(place)
    }

    /// Removes a thread, which is to do that before it ends.
    pub(super) fn leave(&mut self, place: &Place) {
        self.threads.remove(&place.0);
    }

    /// How many of the threads have been computing of late.
    pub(super) fn look(&mut self) -> usize {
        let now = Instant::now();
        let elapsed = self.looked.map_or(Duration::MAX, |looked| now - looked);
        if elapsed >= WINDOW {
            let used = self.threads.values_mut().filter_map(Clock::advance);
            self.computing = used.filter(|used| *used >= elapsed / SHARE).count();
            self.looked = Some(now);
        }
        self.computing
    }
}

#[cfg(target_os = "linux")]
struct Clock {
    id: nix::libc::clockid_t,
    read: Duration,
}

#[cfg(target_os = "linux")]
impl Clock {
    fn of_this_thread() -> Option<Self> {
        let mut id = 0;
        // SAFETY: this thread lives, and `id` is there to be written to.
        let failed = unsafe { nix::libc::pthread_getcpuclockid(nix::libc::pthread_self(), &raw mut id) };
        (failed == 0).then_some(Self { id, read: Duration::ZERO })
    }

    /// CPU time used since this was last asked. None when the system does not say.
    fn advance(&mut self) -> Option<Duration> {
        let now = nix::time::clock_gettime(nix::time::ClockId::from_raw(self.id)).ok()?.into();
        let before = std::mem::replace(&mut self.read, now);
        now.checked_sub(before)
    }
}

/// Elsewhere the time of one thread is not for others to see.
#[cfg(not(target_os = "linux"))]
struct Clock;

#[cfg(not(target_os = "linux"))]
impl Clock {
    fn of_this_thread() -> Option<Self> {
        None
    }

    fn advance(&mut self) -> Option<Duration> {
        None
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::sync::{Arc, Mutex, mpsc};
    use std::thread;

    use super::*;

    #[test]
    fn threads_that_compute_are_told_from_those_that_wait() {
        let clocks = Arc::new(Mutex::new(Clocks::default()));
        let done = Arc::new(AtomicBool::new(false));
        let (entered, enter) = mpsc::channel();
        let mut threads = Vec::new();
        for computes in [true, false, false] {
            let (clocks, done, entered) = (Arc::clone(&clocks), Arc::clone(&done), entered.clone());
            threads.push(thread::spawn(move || {
                let place = clocks.lock().unwrap().enter();
                entered.send(()).unwrap();
                while !done.load(Ordering::Relaxed) {
                    if !computes {
                        thread::park();
                    }
                }
                clocks.lock().unwrap().leave(&place);
            }));
        }
        (0..3).for_each(|_| enter.recv().unwrap());
        clocks.lock().unwrap().look();
        // Long enough for the one that computes to get its share, however busy the machine is.
        thread::sleep(Duration::from_millis(200));
        assert_eq!(clocks.lock().unwrap().look(), 1);
        done.store(true, Ordering::Relaxed);
        for thread in threads {
            thread.thread().unpark();
            thread.join().unwrap();
        }
        assert_eq!(clocks.lock().unwrap().look(), 0);
    }
}
