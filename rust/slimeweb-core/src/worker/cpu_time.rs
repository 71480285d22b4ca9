//! Which threads compute and which wait, by the CPU time that each has used.

use std::collections::HashMap;
use std::time::{Duration, Instant};

/// Between two samples: long enough for a thread that shares its core to have been scheduled.
const WINDOW: Duration = Duration::from_millis(4);
/// A thread computes that has had at least this share of a core between two samples, as a divisor: with several threads
/// to a core it is little. A thread that waits uses none.
const MIN_SHARE: u32 = 20;

/// The CPU clocks of a set of threads.
#[derive(Default)]
pub(super) struct ThreadCpuTimes {
    threads: HashMap<u64, ThreadClock>,
    next: u64,
    sampled_at: Option<Instant>,
    computing: usize,
}

/// A thread's key among the clocks.
pub(super) struct ThreadKey(u64);

impl ThreadCpuTimes {
    /// Adds the calling thread.
    pub(super) fn add_this_thread(&mut self) -> ThreadKey {
        let key = self.next;
        self.next += 1;
        if let Some(clock) = ThreadClock::of_this_thread() {
            self.threads.insert(key, clock);
        }
        ThreadKey(key)
    }

    /// Removes a thread, which is to do that before it ends.
    pub(super) fn remove(&mut self, key: &ThreadKey) {
        self.threads.remove(&key.0);
    }

    /// How many of the threads have been computing since the last sample.
    pub(super) fn computing_threads(&mut self) -> usize {
        let now = Instant::now();
        let elapsed = self.sampled_at.map_or(Duration::MAX, |sampled_at| now - sampled_at);
        if elapsed >= WINDOW {
            let used = self.threads.values_mut().filter_map(ThreadClock::advance);
            self.computing = used.filter(|used| *used >= elapsed / MIN_SHARE).count();
            self.sampled_at = Some(now);
        }
        self.computing
    }
}

#[cfg(target_os = "linux")]
struct ThreadClock {
    id: nix::libc::clockid_t,
    read: Duration,
}

#[cfg(target_os = "linux")]
impl ThreadClock {
    fn of_this_thread() -> Option<Self> {
        let mut id = 0;
        // SAFETY: this thread lives, and `id` is there to be written to.
        let failed = unsafe { nix::libc::pthread_getcpuclockid(nix::libc::pthread_self(), &raw mut id) };
        (failed == 0).then_some(Self { id, read: Duration::ZERO })
    }

    /// CPU time used since the last call. None where the system does not provide it.
    fn advance(&mut self) -> Option<Duration> {
        let now = nix::time::clock_gettime(nix::time::ClockId::from_raw(self.id)).ok()?.into();
        let before = std::mem::replace(&mut self.read, now);
        now.checked_sub(before)
    }
}

/// Elsewhere the time of one thread is not for others to see.
#[cfg(not(target_os = "linux"))]
struct ThreadClock;

#[cfg(not(target_os = "linux"))]
impl ThreadClock {
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
        let cpu_times = Arc::new(Mutex::new(ThreadCpuTimes::default()));
        let done = Arc::new(AtomicBool::new(false));
        let (entered, enter) = mpsc::channel();
        let mut threads = Vec::new();
        for computes in [true, false, false] {
            let (cpu_times, done, entered) = (Arc::clone(&cpu_times), Arc::clone(&done), entered.clone());
            threads.push(thread::spawn(move || {
                let key = cpu_times.lock().unwrap().add_this_thread();
                entered.send(()).unwrap();
                while !done.load(Ordering::Relaxed) {
                    if !computes {
                        thread::park();
                    }
                }
                cpu_times.lock().unwrap().remove(&key);
            }));
        }
        (0..3).for_each(|_| enter.recv().unwrap());
        cpu_times.lock().unwrap().computing_threads();
        // Until the one that computes has had its share, however busy the machine is.
        let sample = || {
            thread::sleep(Duration::from_millis(50));
            cpu_times.lock().unwrap().computing_threads()
        };
        let seen = std::iter::repeat_with(sample).take(200).find(|computing| *computing > 0);
        assert_eq!(seen, Some(1));
        done.store(true, Ordering::Relaxed);
        for thread in threads {
            thread.thread().unpark();
            thread.join().unwrap();
        }
        assert_eq!(sample(), 0);
    }
}
