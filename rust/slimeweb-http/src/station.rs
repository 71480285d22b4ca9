//! Where a worker's tasks run: a single-threaded tokio runtime for sockets and timers, and an executor of our own on top.
//!
//! tokio's own scheduler writes to an eventfd whenever a task is woken from outside of its `block_on`. A worker whose thread
//! leaves the runtime for each batch of handlers would pay that system call for every answer. Here a wake-up is a push to a
//! queue; whoever drives the station is woken only when it sleeps.
//!
//! One thread drives a station at a time, but it need not always be the same one: tasks are `Send`, so that another thread can
//! take over from one that is kept elsewhere.

use std::collections::VecDeque;
use std::fmt;
use std::future::{Future, poll_fn};
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use async_task::Runnable;
use slab::Slab;
use tokio::runtime::{Builder, EnterGuard, Runtime};
use tokio::task::coop;

use crate::wait::Wait;

/// Tasks run between two looks at what the driver waits for. Few enough that the first answers of a crowd go out while the last
/// requests are still to be read: client and server work at the same time then, instead of in turns.
const CHUNK: usize = 16;
/// After so many looks at the queue, the sockets are looked at too, however full the queue is.
const LOOKS: u8 = 16;

/// A worker's runtime and tasks. Dropping it drops the tasks.
pub struct Station {
    /// None only in `drop`.
    runtime: Option<Runtime>,
    spawner: Spawner,
    /// Held by the thread that drives.
    seat: Mutex<Seat>,
}

#[derive(Default)]
struct Seat {
    /// Tasks taken from the queue that have not had their turn.
    rest: VecDeque<Runnable>,
    looks: u8,
    wait: Wait,
}

/// Whether the thread that drives may wait.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Rest {
    Allowed,
    Denied,
}

/// Starts tasks on a [`Station`], from any thread.
#[derive(Clone)]
pub struct Spawner(Arc<Tasks>);

#[derive(Default)]
struct Tasks {
    queue: Mutex<Queue>,
    /// The tasks that have not ended, so that they can be ended.
    alive: Mutex<Slab<Waker>>,
    /// Set under the lock of `alive`.
    cancelled: AtomicBool,
}

#[derive(Default)]
struct Queue {
    ready: VecDeque<Runnable>,
    /// Who drives, if that thread sleeps or is about to.
    sleeper: Option<Waker>,
}

impl Station {
    /// A station that nobody drives yet.
    ///
    /// # Errors
    /// What the system says when it has no file descriptors left.
    pub fn new() -> io::Result<Self> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        Ok(Self { runtime: Some(runtime), spawner: Spawner(Arc::default()), seat: Mutex::default() })
    }

    /// The way to give it tasks.
    #[must_use]
    pub fn spawner(&self) -> &Spawner {
        &self.spawner
    }

    /// Lets this thread make sockets and timers that the station then looks after.
    pub fn enter(&self) -> EnterGuard<'_> {
        self.runtime().enter()
    }

    fn runtime(&self) -> &Runtime {
        match &self.runtime {
            Some(runtime) => runtime,
            None => unreachable!("a station is not used once it has been dropped"),
        }
    }

    /// Runs tasks on this thread until `until` is ready. It is polled after every few tasks, and after [`Spawner::nudge`].
    /// While another thread drives the station, this waits for its turn.
    ///
    /// # Panics
    /// On a thread that drives a runtime already.
    pub fn drive<T>(&self, until: impl FnMut(&mut Context<'_>) -> Poll<T>) -> T {
        self.drive_and(Rest::Allowed, until)
    }

    /// As [`drive`](Self::drive), for a thread that has something else to do: it never waits, but looks at the sockets and polls
    /// `until` again.
    ///
    /// # Panics
    /// On a thread that drives a runtime already.
    pub fn drive_restless<T>(&self, until: impl FnMut(&mut Context<'_>) -> Poll<T>) -> T {
        self.drive_and(Rest::Denied, until)
    }

    fn drive_and<T>(&self, rest: Rest, mut until: impl FnMut(&mut Context<'_>) -> Poll<T>) -> T {
        let mut seat = lock(&self.seat);
        let _awake = Awake(&self.spawner);
        let mut begun = false;
        self.runtime().block_on(poll_fn(|cx| {
            if !begun {
                begun = true;
                self.run_woken(&mut seat);
            }
            self.round(&mut seat, cx, rest, &mut until)
        }))
    }

    /// Runs what was woken while nobody drove: mostly answers that can go out, ahead of requests that are still to be read.
    fn run_woken(&self, seat: &mut Seat) {
        let mut woken = std::mem::take(&mut lock(&self.spawner.0.queue).ready);
        while coop::has_budget_remaining()
            && let Some(task) = woken.pop_front()
        {
            self.run(task);
        }
        woken.append(&mut seat.rest);
        seat.rest = woken;
    }

    /// Runs a task, or drops it where all have been cancelled: [`Spawner::cancel`] does not reach those that the seat holds.
    fn run(&self, task: Runnable) {
        if self.spawner.is_cancelled() {
            return;
        }
        // A task that panics ends; the panic hook has reported it.
        let _ = catch_unwind(AssertUnwindSafe(|| task.run()));
    }

    fn round<T>(
        &self,
        seat: &mut Seat,
        cx: &mut Context<'_>,
        rest: Rest,
        until: &mut impl FnMut(&mut Context<'_>) -> Poll<T>,
    ) -> Poll<T> {
        let tasks = &self.spawner.0;
        loop {
            seat.rest.append(&mut lock(&tasks.queue).ready);
            if !seat.rest.is_empty() {
                seat.wait.ends(seat.rest.len());
            }
            for _ in 0..CHUNK {
                let Some(task) = seat.rest.pop_front() else { break };
                self.run(task);
                if !coop::has_budget_remaining() {
                    break;
                }
            }
            seat.looks = seat.looks.wrapping_add(1);
            if !coop::has_budget_remaining() || seat.looks.is_multiple_of(LOOKS) {
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            let mut queue = lock(&tasks.queue);
            let idle = seat.rest.is_empty() && queue.ready.is_empty();
            if idle {
                // Before `until` looks, so that what comes after that look wakes this thread.
                match &mut queue.sleeper {
                    Some(sleeper) => sleeper.clone_from(cx.waker()),
                    none => *none = Some(cx.waker().clone()),
                }
            }
            drop(queue);
            let outcome = until(cx);
            if outcome.is_ready() {
                seat.wait.ends(1);
                return outcome;
            }
            if idle {
                if rest == Rest::Denied || seat.wait.goes_on() {
                    cx.waker().wake_by_ref();
                }
                return outcome;
            }
        }
    }
}

/// While a thread is between two drives nobody needs to wake it.
struct Awake<'a>(&'a Spawner);

impl Drop for Awake<'_> {
    fn drop(&mut self) {
        lock(&self.0.0.queue).sleeper = None;
    }
}

impl Drop for Station {
    fn drop(&mut self) {
        self.spawner.cancel();
        lock(&self.spawner.0.queue).ready.clear();
        lock(&self.seat).rest.clear();
        if let Some(runtime) = self.runtime.take() {
            // A blocking read of a slow disk is not waited for.
            runtime.shutdown_background();
        }
    }
}

impl fmt::Debug for Station {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Station").field("spawner", &self.spawner).finish_non_exhaustive()
    }
}

impl Spawner {
    /// Starts a task. It is dropped unfinished by [`cancel`](Self::cancel), or when its station is.
    pub fn spawn(&self, future: impl Future<Output = ()> + Send + 'static) {
        let tasks = Arc::downgrade(&self.0);
        let schedule = move |runnable| {
            // A task without a station is dropped.
            if let Some(tasks) = tasks.upgrade() {
                tasks.push(runnable);
            }
        };
        let mut alive = lock(&self.0.alive);
        if self.is_cancelled() {
            return;
        }
        let entry = alive.vacant_entry();
        let listed = Listed { tasks: Arc::clone(&self.0), key: entry.key() };
        let (runnable, task) = async_task::spawn(Task { future, _listed: listed }, schedule);
        entry.insert(runnable.waker());
        drop(alive);
        task.detach();
        runnable.schedule();
    }

    /// Lets the thread that drives look at what it waits for.
    pub fn nudge(&self) {
        wake(lock(&self.0.queue));
    }

    /// Drops every task, those that are being run by other threads when they yield, and all that is spawned from now on.
    pub fn cancel(&self) {
        let wakers = {
            let mut alive = lock(&self.0.alive);
            self.0.cancelled.store(true, Ordering::Release);
            alive.drain().collect::<Vec<_>>()
        };
        wakers.into_iter().for_each(Waker::wake);
        // Dropping one may wake others, but spawns none.
        let ready = std::mem::take(&mut lock(&self.0.queue).ready);
        drop(ready);
        self.nudge();
    }

    /// Whether [`cancel`](Self::cancel) has been called.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        self.0.cancelled.load(Ordering::Acquire)
    }
}

impl fmt::Debug for Spawner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Spawner").field("alive", &lock(&self.0.alive).len()).finish_non_exhaustive()
    }
}

impl Tasks {
    fn push(&self, runnable: Runnable) {
        let mut queue = lock(&self.queue);
        queue.ready.push_back(runnable);
        wake(queue);
    }
}

/// Wakes who drives, after the lock.
fn wake(mut queue: MutexGuard<'_, Queue>) {
    let sleeper = queue.sleeper.take();
    drop(queue);
    if let Some(sleeper) = sleeper {
        sleeper.wake();
    }
}

pin_project_lite::pin_project! {
    /// A future that is in the list of those alive. An async block would have room for it twice.
    struct Task<F> {
        #[pin]
        future: F,
        _listed: Listed,
    }
}

impl<F: Future<Output = ()>> Future for Task<F> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        self.project().future.poll(cx)
    }
}

/// A task's place among those alive.
struct Listed {
    tasks: Arc<Tasks>,
    key: usize,
}

impl Drop for Listed {
    fn drop(&mut self) {
        let waker = lock(&self.tasks.alive).try_remove(self.key);
        drop(waker);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Nothing that can panic runs under these locks; a task that panics while the seat is held is caught.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;
    use std::sync::mpsc;
    use std::thread;
    use std::time::Duration;

    use super::*;

    fn drive_until(station: &Station, done: impl Fn() -> bool) {
        station.drive(|_| if done() { Poll::Ready(()) } else { Poll::Pending });
    }

    #[test]
    fn tasks_run_on_the_thread_that_drives_and_wake_it_from_others() {
        let station = Station::new().unwrap();
        let (sender, receiver) = tokio::sync::oneshot::channel();
        let (told, heard) = mpsc::channel();
        station.spawner().spawn(async move {
            let value: u32 = receiver.await.unwrap();
            told.send((value, thread::current().id())).unwrap();
        });
        let waking = thread::spawn(move || sender.send(7).unwrap());
        let seen = std::cell::OnceCell::new();
        drive_until(&station, || heard.try_recv().is_ok_and(|value| seen.set(value).is_ok()));
        waking.join().unwrap();
        assert_eq!(*seen.get().unwrap(), (7, thread::current().id()));
    }

    #[test]
    fn who_is_restless_gets_away_without_anybody_who_wakes_it() {
        let station = Station::new().unwrap();
        let mut looks = 0;
        let seen = station.drive_restless(|_| {
            looks += 1;
            if looks < 3 { Poll::Pending } else { Poll::Ready(looks) }
        });
        assert_eq!(seen, 3);
    }

    #[test]
    fn a_task_that_panics_or_never_rests_leaves_the_others_alone() {
        let station = Station::new().unwrap();
        let ticks = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&ticks);
        station.spawner().spawn(async { panic!("on purpose") });
        station.spawner().spawn(async {
            loop {
                tokio::task::yield_now().await;
            }
        });
        station.spawner().spawn(async move {
            for _ in 0..3 {
                tokio::time::sleep(Duration::from_millis(1)).await;
                counted.fetch_add(1, Ordering::Relaxed);
            }
        });
        drive_until(&station, || ticks.load(Ordering::Relaxed) == 3);
    }

    #[test]
    fn another_thread_takes_over_and_gives_back() {
        let station = Arc::new(Station::new().unwrap());
        let turns = Arc::new(AtomicUsize::new(0));
        for _ in 0..100 {
            let (theirs, others) = (Arc::clone(&station), Arc::clone(&turns));
            let other = thread::spawn(move || drive_until(&theirs, || others.load(Ordering::Acquire) % 2 == 1));
            turns.fetch_add(1, Ordering::Release);
            station.spawner().nudge();
            drive_until(&station, || true);
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
        let station = Station::new().unwrap();
        for _ in 0..10 {
            let told = Told(Arc::clone(&dropped));
            station.spawner().spawn(async move {
                let _told = told;
                std::future::pending::<()>().await;
            });
        }
        drive_until(&station, || true);
        assert_eq!(dropped.load(Ordering::Relaxed), 0);
        station.spawner().cancel();
        assert_eq!(dropped.load(Ordering::Relaxed), 10);
        let told = Told(Arc::clone(&dropped));
        station.spawner().spawn(async move { drop(told) });
        assert_eq!(dropped.load(Ordering::Relaxed), 11);
    }

    #[test]
    fn a_task_that_waits_for_its_turn_is_cancelled_too() {
        let station = Station::new().unwrap();
        let ran = Arc::new(AtomicUsize::new(0));
        let (spawner, counted) = (station.spawner().clone(), Arc::clone(&ran));
        station.spawner().spawn(async move { spawner.cancel() });
        station.spawner().spawn(async move {
            counted.fetch_add(1, Ordering::Relaxed);
        });
        drive_until(&station, || true);
        assert_eq!((ran.load(Ordering::Relaxed), Arc::strong_count(&ran)), (0, 1));
    }

    #[test]
    fn what_is_spawned_and_never_driven_goes_with_the_station() {
        let held = Arc::new(());
        let station = Station::new().unwrap();
        let theirs = Arc::clone(&held);
        station.spawner().spawn(async move {
            let _theirs = theirs;
            std::future::pending::<()>().await;
        });
        drop(station);
        assert_eq!(Arc::strong_count(&held), 1);
    }
}
