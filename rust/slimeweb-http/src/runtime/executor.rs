//! Where a worker's tasks run: a single-threaded tokio runtime for sockets and timers, and an executor of our own on
//! top.
//!
//! tokio's own scheduler writes to an eventfd whenever a task is woken from outside of its `block_on`. A worker whose
//! thread leaves the runtime for each batch of handlers would pay that system call for every answer. Here a wake-up is
//! a push to a queue; the thread that drives the executor is woken only when it is parked.
//!
//! One thread drives an executor at a time, but it need not always be the same one: tasks are `Send`, so that another
//! thread can take over from one that is blocked.

use std::collections::VecDeque;
use std::fmt;
use std::future::poll_fn;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

use async_task::Runnable;
use tokio::runtime::{Builder, EnterGuard, Runtime};
use tokio::task::coop;

use super::park::ParkPolicy;
use super::spawner::{Spawner, lock};

/// Tasks run between two polls of the driver's condition. Few enough that the first answers of a large batch go out
/// while the last requests are still to be read, so that client and server work at the same time.
const TASKS_PER_POLL: usize = 16;
/// After so many rounds of the queue the sockets are polled, however full the queue is (tokio's `event_interval`).
const EVENT_INTERVAL: u8 = 16;

/// A worker's runtime and tasks. Dropping it drops the tasks.
pub struct Executor {
    /// None only in `drop`.
    runtime: Option<Runtime>,
    spawner: Spawner,
    /// Locked by the thread that drives.
    driver: Mutex<Driver>,
}

#[derive(Default)]
struct Driver {
    /// Tasks taken from the shared queue and not run yet.
    run_queue: VecDeque<Runnable>,
    tick: u8,
    park: ParkPolicy,
}

/// Whether the thread that drives may park.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Parking {
    Allowed,
    Denied,
}

impl Executor {
    /// An executor that no thread drives yet.
    ///
    /// # Errors
    /// What the system says when it has no file descriptors left.
    pub fn new() -> io::Result<Self> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        Ok(Self { runtime: Some(runtime), spawner: Spawner(Arc::default()), driver: Mutex::default() })
    }

    /// Starts tasks on it.
    #[must_use]
    pub fn spawner(&self) -> &Spawner {
        &self.spawner
    }

    /// Lets this thread make sockets and timers that belong to the executor's runtime.
    pub fn enter(&self) -> EnterGuard<'_> {
        self.runtime().enter()
    }

    fn runtime(&self) -> &Runtime {
        match &self.runtime {
            Some(runtime) => runtime,
            None => unreachable!("an executor is not used once it has been dropped"),
        }
    }

    /// Runs tasks on this thread until `until` is ready. It is polled after every few tasks, and after
    /// [`Spawner::wake`]. While another thread drives the executor, this blocks.
    ///
    /// # Panics
    /// On a thread that drives a runtime already.
    pub fn run_until<T>(&self, until: impl FnMut(&mut Context<'_>) -> Poll<T>) -> T {
        self.run_tasks_until(Parking::Allowed, until)
    }

    /// As [`run_until`](Self::run_until), but never parks: polls the sockets without waiting, then `until` again.
    ///
    /// # Panics
    /// On a thread that drives a runtime already.
    pub fn spin_until<T>(&self, until: impl FnMut(&mut Context<'_>) -> Poll<T>) -> T {
        self.run_tasks_until(Parking::Denied, until)
    }

    fn run_tasks_until<T>(&self, parking: Parking, mut until: impl FnMut(&mut Context<'_>) -> Poll<T>) -> T {
        let mut driver = lock(&self.driver);
        let _awake = NotParked(&self.spawner);
        let mut is_first = true;
        self.runtime().block_on(poll_fn(|cx| {
            if is_first {
                is_first = false;
                self.run_woken(&mut driver);
            }
            self.round(&mut driver, cx, parking, &mut until)
        }))
    }

    /// Runs what was woken while no thread drove: mostly answers that can go out, ahead of requests that are still to
    /// be read.
    fn run_woken(&self, driver: &mut Driver) {
        let mut woken = std::mem::take(&mut lock(&self.spawner.0.queue).ready);
        while coop::has_budget_remaining()
            && let Some(task) = woken.pop_front()
        {
            self.run(task);
        }
        woken.append(&mut driver.run_queue);
        driver.run_queue = woken;
    }

    /// Runs a task, or drops it where all have been cancelled: [`Spawner::cancel`] does not reach those in the driver's
    /// own queue.
    fn run(&self, task: Runnable) {
        if self.spawner.is_cancelled() {
            return;
        }
        // A task that panics ends; the panic hook has reported it.
        let _ = catch_unwind(AssertUnwindSafe(|| task.run()));
    }

    fn round<T>(
        &self,
        driver: &mut Driver,
        cx: &mut Context<'_>,
        parking: Parking,
        until: &mut impl FnMut(&mut Context<'_>) -> Poll<T>,
    ) -> Poll<T> {
        let tasks = &self.spawner.0;
        loop {
            driver.run_queue.append(&mut lock(&tasks.queue).ready);
            if !driver.run_queue.is_empty() {
                driver.park.unparked(driver.run_queue.len());
            }
            for _ in 0..TASKS_PER_POLL {
                let Some(task) = driver.run_queue.pop_front() else { break };
                self.run(task);
                if !coop::has_budget_remaining() {
                    break;
                }
            }
            driver.tick = driver.tick.wrapping_add(1);
            if !coop::has_budget_remaining() || driver.tick.is_multiple_of(EVENT_INTERVAL) {
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            let mut queue = lock(&tasks.queue);
            let idle = driver.run_queue.is_empty() && queue.ready.is_empty();
            if idle {
                // Before `until` is polled, so that what comes after that poll wakes this thread.
                match &mut queue.parked {
                    Some(parked) => parked.clone_from(cx.waker()),
                    none => *none = Some(cx.waker().clone()),
                }
            }
            drop(queue);
            let outcome = until(cx);
            if outcome.is_ready() {
                driver.park.unparked(1);
                return outcome;
            }
            if idle {
                if parking == Parking::Denied || driver.park.yield_before_park() {
                    cx.waker().wake_by_ref();
                }
                return outcome;
            }
        }
    }
}

/// A thread that has ceased to drive needs no wake-up.
struct NotParked<'a>(&'a Spawner);

impl Drop for NotParked<'_> {
    fn drop(&mut self) {
        lock(&self.0.0.queue).parked = None;
    }
}

impl Drop for Executor {
    fn drop(&mut self) {
        self.spawner.cancel();
        lock(&self.spawner.0.queue).ready.clear();
        lock(&self.driver).run_queue.clear();
        if let Some(runtime) = self.runtime.take() {
            // A blocking read of a slow disk is not waited for.
            runtime.shutdown_background();
        }
    }
}

impl fmt::Debug for Executor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Executor").field("spawner", &self.spawner).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::sync::mpsc;
    use std::thread;
    use std::time::Duration;

    use super::*;

    fn run_until_done(executor: &Executor, done: impl Fn() -> bool) {
        executor.run_until(|_| if done() { Poll::Ready(()) } else { Poll::Pending });
    }

    #[test]
    fn tasks_run_on_the_thread_that_drives_and_wake_it_from_others() {
        let executor = Executor::new().unwrap();
        let (sender, receiver) = tokio::sync::oneshot::channel();
        let (told, heard) = mpsc::channel();
        executor.spawner().spawn(async move {
            let value: u32 = receiver.await.unwrap();
            told.send((value, thread::current().id())).unwrap();
        });
        let waking = thread::spawn(move || sender.send(7).unwrap());
        let seen = std::cell::OnceCell::new();
        run_until_done(&executor, || heard.try_recv().is_ok_and(|value| seen.set(value).is_ok()));
        waking.join().unwrap();
        assert_eq!(*seen.get().unwrap(), (7, thread::current().id()));
    }

    #[test]
    fn a_thread_that_spins_needs_no_wake_up() {
        let executor = Executor::new().unwrap();
        let mut tick = 0;
        let seen = executor.spin_until(|_| {
            tick += 1;
            if tick < 3 { Poll::Pending } else { Poll::Ready(tick) }
        });
        assert_eq!(seen, 3);
    }

    #[test]
    fn a_task_that_panics_or_never_waits_leaves_the_others_alone() {
        let executor = Executor::new().unwrap();
        let ticks = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&ticks);
        executor.spawner().spawn(async { panic!("on purpose") });
        executor.spawner().spawn(async {
            loop {
                tokio::task::yield_now().await;
            }
        });
        executor.spawner().spawn(async move {
            for _ in 0..3 {
                tokio::time::sleep(Duration::from_millis(1)).await;
                counted.fetch_add(1, Ordering::Relaxed);
            }
        });
        run_until_done(&executor, || ticks.load(Ordering::Relaxed) == 3);
    }

    #[test]
    fn another_thread_takes_over_and_gives_back() {
        let executor = Arc::new(Executor::new().unwrap());
        let turns = Arc::new(AtomicUsize::new(0));
        for _ in 0..100 {
            let (theirs, others) = (Arc::clone(&executor), Arc::clone(&turns));
            let other = thread::spawn(move || run_until_done(&theirs, || others.load(Ordering::Acquire) % 2 == 1));
            turns.fetch_add(1, Ordering::Release);
            executor.spawner().wake();
            run_until_done(&executor, || true);
            other.join().unwrap();
            turns.fetch_add(1, Ordering::Release);
        }
    }

    #[test]
    fn cancelled_tasks_are_dropped_at_once() {
        struct Told(Arc<AtomicUsize>);
        impl Drop for Told {
            fn drop(&mut self) {
                self.0.fetch_add(1, Ordering::Relaxed);
            }
        }
        let dropped = Arc::new(AtomicUsize::new(0));
        let executor = Executor::new().unwrap();
        for _ in 0..10 {
            let told = Told(Arc::clone(&dropped));
            executor.spawner().spawn(async move {
                let _told = told;
                std::future::pending::<()>().await;
            });
        }
        run_until_done(&executor, || true);
        assert_eq!(dropped.load(Ordering::Relaxed), 0);
        executor.spawner().cancel();
        assert_eq!(dropped.load(Ordering::Relaxed), 10);
        let told = Told(Arc::clone(&dropped));
        executor.spawner().spawn(async move { drop(told) });
        assert_eq!(dropped.load(Ordering::Relaxed), 11);
    }

    #[test]
    fn a_task_that_waits_for_its_turn_is_cancelled_too() {
        let executor = Executor::new().unwrap();
        let ran = Arc::new(AtomicUsize::new(0));
        let (spawner, counted) = (executor.spawner().clone(), Arc::clone(&ran));
        executor.spawner().spawn(async move { spawner.cancel() });
        executor.spawner().spawn(async move {
            counted.fetch_add(1, Ordering::Relaxed);
        });
        run_until_done(&executor, || true);
        assert_eq!((ran.load(Ordering::Relaxed), Arc::strong_count(&ran)), (0, 1));
    }

    #[test]
    fn what_is_spawned_and_never_driven_goes_with_the_station() {
        let held = Arc::new(());
        let executor = Executor::new().unwrap();
        let theirs = Arc::clone(&held);
        executor.spawner().spawn(async move {
            let _theirs = theirs;
            std::future::pending::<()>().await;
        });
        drop(executor);
        assert_eq!(Arc::strong_count(&held), 1);
    }
}
