//! Starts an executor's tasks, and keeps those that are ready for the thread that drives it.

use std::collections::VecDeque;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use async_task::Runnable;
use slab::Slab;

/// Starts tasks on an [`Executor`](crate::Executor), from any thread.
#[derive(Clone)]
pub struct Spawner(pub(super) Arc<Tasks>);

#[derive(Default)]
pub(super) struct Tasks {
    pub(super) queue: Mutex<Queue>,
    /// The tasks that have not ended, so that they can be cancelled.
    alive: Mutex<Slab<Waker>>,
    /// Set under the lock of `alive`.
    cancelled: AtomicBool,
}

#[derive(Default)]
pub(super) struct Queue {
    pub(super) ready: VecDeque<Runnable>,
    /// The waker of the thread that drives, if it is parked or about to be.
    pub(super) parked: Option<Waker>,
}

impl Spawner {
    /// Starts a task. It is dropped unfinished by [`cancel`](Self::cancel), or when its executor is.
    pub fn spawn(&self, future: impl Future<Output = ()> + Send + 'static) {
        let tasks = Arc::downgrade(&self.0);
        let schedule = move |runnable| {
            // A task without an executor is dropped.
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

    /// Makes the thread that drives poll its condition.
    pub fn wake(&self) {
        wake_driver(lock(&self.0.queue));
    }

    /// Drops every task, those that are being run by other threads when they yield, and all that is spawned from now
    /// on.
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
        self.wake();
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
        wake_driver(queue);
    }
}

/// Wakes the thread that drives, after the lock has been released.
fn wake_driver(mut queue: MutexGuard<'_, Queue>) {
    let parked = queue.parked.take();
    drop(queue);
    if let Some(parked) = parked {
        parked.wake();
    }
}

pin_project_lite::pin_project! {
    /// A future that is in the list of those alive. An async block would reserve room for it twice.
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

/// A task's entry among those alive.
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

pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Nothing that can panic runs under these locks; a task that panics while the driver is locked is caught.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
