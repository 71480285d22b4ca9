//! Where a handler runs: on the thread of its worker or in the pool. The choice is made here; the modules are the
//! means.

pub(crate) mod asyncio_loop;
pub(crate) mod backup;
pub(crate) mod callback;
pub(crate) mod contextvars;
mod cpu_time;
pub(crate) mod event_loop;
mod files;
mod handoff;
pub(crate) mod inline_policy;
pub(crate) mod pool;
pub(crate) mod socket;
mod sync_work;
pub(crate) mod thread;
pub(crate) mod waiting;
mod watchdog;
pub(crate) mod work;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use pyo3::prelude::*;

use event_loop::EventLoop;
use pool::Pool;
use thread::Worker;
use watchdog::Watchdog;
use work::{CallInLoop, CallInPool, NativeCall, Policies, PoolWork, SyncCall, Work, WorkItem};

/// The workers of a server, the pool that they share, and the watchdog of their threads.
pub(crate) struct Workers<W: Work> {
    pub(crate) pool: Arc<Pool<W>>,
    pub(crate) list: Vec<Arc<Worker<W>>>,
    pub(crate) watchdog: Arc<Watchdog>,
    /// Coroutines run on the first worker's loop. With the GIL a second loop adds no parallelism: it halves the number
    /// of callbacks that are ready at a time, and the two threads pass the GIL back and forth.
    one_loop: AtomicBool,
}

impl<W: Work> Drop for Workers<W> {
    fn drop(&mut self) {
        // The server is gone: requests that are still queued are dropped.
        self.watchdog.wake();
        self.list.iter().for_each(|worker| worker.close());
    }
}

impl<W: Work> Workers<W> {
    pub(crate) fn new(pool: Arc<Pool<W>>, list: Vec<Arc<Worker<W>>>) -> Self {
        Self { pool, list, watchdog: Arc::default(), one_loop: AtomicBool::new(false) }
    }

    /// To be called before the first request: whether the interpreter runs one thread at a time.
    pub(crate) fn set_gil_enabled(&self, enabled: bool) {
        self.one_loop.store(enabled, Ordering::Relaxed);
    }

    /// Ends the watchdog, and the backup threads that it has started: true when they have ended within `timeout`.
    pub(crate) fn close_watchdog(&self, timeout: Duration) -> bool {
        self.watchdog.close(|| self.list.iter().for_each(|worker| worker.release_backup_io()), timeout)
    }

    /// What the event loop of a worker uses it by.
    pub(crate) fn event_loop(self: &Arc<Self>, number: usize) -> EventLoop<W> {
        let workers: Arc<dyn waiting::StartBackup> = Arc::<Self>::clone(self);
        EventLoop {
            worker: Arc::clone(self.get(number)),
            pool: Arc::clone(&self.pool),
            watchdog: Arc::clone(&self.watchdog),
            workers: Arc::downgrade(&workers),
            number,
        }
    }

    /// Dispatches a request: coroutine handlers and sync handlers known to be fast to a worker's thread, everything
    /// else to the pool.
    pub(crate) fn dispatch(&self, context: Box<W>) {
        if context.route().is_async() {
            let preferred = if self.one_loop.load(Ordering::Relaxed) { 0 } else { context.worker_id() };
            self.start_on(preferred, context);
            return;
        }
        let worker = self.get(context.worker_id());
        if context.route().inline_policy().is_inline() && !worker.has_backup() {
            worker.post(WorkItem::SyncHandler(context));
        } else {
            self.pool.handle(context);
        }
    }

    /// Calls a sync function where a sync handler would be called. False when it will not be, since the pool is full.
    pub(crate) fn call(&self, worker_id: usize, call: SyncCall<W::Route>) -> bool {
        let worker = self.get(worker_id);
        if call.route.upgraded_policy().is_inline() && !worker.has_backup() {
            worker.post(WorkItem::SyncCall(call));
            return true;
        }
        self.pool.call(call).is_ok()
    }

    #[expect(clippy::indexing_slicing, reason = "a server has a worker, and the remainder is one's number")]
    pub(crate) fn get(&self, worker_id: usize) -> &Arc<Worker<W>> {
        // The server that made the workers has numbered them.
        &self.list[worker_id % self.list.len()]
    }

    /// Queues `call` for the loop's thread.
    pub(crate) fn call_in_loop(&self, worker_id: usize, call: impl FnOnce(Python<'_>) + Send + 'static) {
        self.get(worker_id).post(WorkItem::LoopCall(Box::new(call)));
    }

    /// Starts a coroutine on a worker's loop, or on another one while that is blocked.
    fn start_on(&self, preferred: usize, mut context: Box<W>) {
        let worker_id = if context.route().one_loop() { 0 } else { self.available_worker(preferred) };
        context.set_worker_id(worker_id);
        self.get(worker_id).post(WorkItem::AsyncHandler(context));
    }

    /// The worker itself, or another one whose loop is not blocked, where there is one. Where one loop is to run all
    /// coroutines, it may make no progress for longer: an overloaded machine is no reason to use a second loop.
    fn available_worker(&self, worker_id: usize) -> usize {
        let one_loop = self.one_loop.load(Ordering::Relaxed);
        let is_away = |worker: &Worker<W>| if one_loop { worker.is_blocked() } else { worker.has_backup_io() };
        let mut others = (worker_id..worker_id + self.list.len()).filter(|&number| !is_away(self.get(number)));
        others.next().unwrap_or(worker_id)
    }

    /// Requeues what waits for a blocked worker elsewhere, but for what only its own loop can do.
    fn requeue(&self, worker_id: usize) {
        let coroutines = self.available_worker(worker_id) != worker_id;
        for item in self.get(worker_id).take_requeueable(coroutines) {
            match item {
                WorkItem::SyncHandler(context) => self.pool.handle(context),
                WorkItem::SyncCall(call) => {
                    if let Err(call) = self.pool.call(call) {
                        self.get(worker_id).post(WorkItem::SyncCall(call));
                    }
                }
                WorkItem::AsyncHandler(context) => self.start_on(worker_id, context),
                item @ (WorkItem::LoopCall(_) | WorkItem::Callback(_)) => self.get(worker_id).post(item),
            }
        }
    }
}

impl<W: Work> CallInPool for Workers<W> {
    fn call_in_pool(self: Arc<Self>, call: NativeCall) -> bool {
        self.pool.submit(PoolWork::Native(call)).is_ok()
    }
}

impl<W: Work> CallInLoop for Workers<W> {
    fn call_in_loop(&self, worker_id: usize, call: NativeCall) {
        self.get(worker_id).post(WorkItem::LoopCall(call));
    }
}
