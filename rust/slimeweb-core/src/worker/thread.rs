//! A worker: its executor, the queue of what its thread is to do, and where that thread is.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Instant;

use parking_lot::Mutex;
use pyo3::prelude::*;
use slimeweb_http::{Executor, Spawner};
use tokio::io::unix::AsyncFd;
use tokio::sync::Semaphore;
use tokio::time::Sleep;

use super::asyncio_loop::AsyncioLoop;
use super::callback::Handle;
use super::files::{Files, Ready};
use super::handoff::Handoff;
use super::pool::Pool;
use super::sync_work::SyncWork;
use super::work::{Policies, SyncCall, Work, WorkItem};

/// Set in a worker's progress while its thread does not drive the executor.
const UNDRIVEN: u64 = 1;
/// Set in a worker's progress while a sync function runs on its own thread.
const IN_SYNC_CALL: u64 = 2;
/// What each piece of work adds to a worker's progress.
const ITEM: u64 = 4;

/// A worker: its executor, and the queue of what its thread is to do. The queue is bounded by what fills it: requests
/// by the number of connections, the rest by their own windows.
pub(crate) struct Worker<W: Work> {
    pub(super) executor: Executor,
    inbox: Mutex<VecDeque<WorkItem<W>>>,
    /// Grows by [`ITEM`] with each piece of work, and says where the thread is: [`UNDRIVEN`], [`IN_SYNC_CALL`].
    progress: AtomicU64,
    /// A backup I/O thread drives the executor.
    backup_io: AtomicBool,
    /// That has lasted for a tenth of a second or more.
    blocked: AtomicBool,
    handoff: Handoff,
    /// The thread that runs the loop, as [`this_thread`] has it; 0 for none.
    pub(super) running_thread: AtomicUsize,
    pub(super) asyncio_loop: Mutex<Option<Arc<AsyncioLoop>>>,
    /// The loop has a timer, a stop or the like that it has to process itself.
    pub(super) is_loop_woken: AtomicBool,
    /// The server is gone.
    pub(super) closed: AtomicBool,
    /// The loop has ended.
    pub(super) ended: AtomicBool,
    /// The files that the loop watches, all in one.
    pub(super) files: Mutex<Option<AsyncFd<Files>>>,
    /// Lets one large body at a time be read, so that the memory of one serves the next while the caches still have it.
    pub(crate) large_bodies: Arc<Semaphore>,
}

/// Why a wait of a worker's thread has ended.
pub(super) enum WakeReason {
    /// There are items in the inbox.
    Work,
    /// The worker's own thread wants its loop back from the backup loop thread that sees this.
    Recall,
    /// Files that the loop watches are ready.
    Files(Ready),
    /// The time is up.
    Time,
}

/// How long a worker's thread may wait.
#[derive(Clone, Copy)]
pub(super) enum Timeout {
    /// One poll of the sockets.
    Zero,
    Until(Instant),
    Never,
}

impl<W: Work> Worker<W> {
    pub(crate) fn new() -> std::io::Result<Arc<Self>> {
        Ok(Arc::new(Self {
            executor: Executor::new()?,
            inbox: Mutex::default(),
            progress: AtomicU64::new(UNDRIVEN),
            backup_io: AtomicBool::new(false),
            blocked: AtomicBool::new(false),
            handoff: Handoff::new(),
            running_thread: AtomicUsize::new(0),
            asyncio_loop: Mutex::default(),
            is_loop_woken: AtomicBool::new(false),
            closed: AtomicBool::new(false),
            ended: AtomicBool::new(false),
            files: Mutex::default(),
            large_bodies: Arc::new(Semaphore::new(1)),
        }))
    }

    /// Queues an item, from any thread.
    pub(crate) fn post(&self, item: WorkItem<W>) {
        self.inbox.lock().push_back(item);
        self.spawner().wake();
    }

    pub(crate) fn spawner(&self) -> &Spawner {
        self.executor.spawner()
    }

    /// Whether the caller is the thread that runs this worker's loop.
    pub(crate) fn is_here(&self) -> bool {
        self.running_thread.load(Ordering::Relaxed) == this_thread()
    }

    pub(crate) fn progress(&self) -> u64 {
        self.progress.load(Ordering::SeqCst)
    }

    /// Whether the thread did not drive the executor at that point.
    pub(crate) fn is_undriven(&self, progress: u64) -> bool {
        // Before its first wait the thread has not begun.
        progress & UNDRIVEN != 0 && progress > UNDRIVEN
    }

    /// Whether it was in a sync function at that point.
    pub(crate) fn is_in_sync_call(&self, progress: u64) -> bool {
        progress & IN_SYNC_CALL != 0
    }

    /// Whether a backup thread serves the worker's connections: nothing that might take long is to run on it.
    pub(crate) fn has_backup(&self) -> bool {
        self.handoff.is_active() || self.has_backup_io()
    }

    pub(crate) fn has_backup_io(&self) -> bool {
        self.backup_io.load(Ordering::Acquire)
    }

    /// Whether its loop has made no progress for a tenth of a second or more.
    pub(crate) fn is_blocked(&self) -> bool {
        self.blocked.load(Ordering::Acquire)
    }

    /// Marks the loop as blocked, unless the thread has made progress since `progress`.
    pub(crate) fn set_blocked(&self, progress: u64) {
        self.blocked.store(true, Ordering::SeqCst);
        if self.progress() != progress {
            self.blocked.store(false, Ordering::SeqCst);
        }
    }

    /// Lets a backup I/O thread drive the executor, unless the worker's thread has made progress since `progress`.
    pub(crate) fn admit_backup_io(&self, progress: u64) -> bool {
        self.backup_io.store(true, Ordering::SeqCst);
        let away = self.progress() == progress;
        if !away {
            self.backup_io.store(false, Ordering::SeqCst);
        }
        away
    }

    /// Hands the loop off to a backup loop thread, unless the worker's thread has returned from the sync function that
    /// it was in at `progress`.
    pub(crate) fn hand_off(&self, progress: u64) -> bool {
        // The thread that returns changes it as well: only one of the two succeeds.
        let (still, away) = (Ordering::SeqCst, progress + ITEM - IN_SYNC_CALL);
        let is_handed_off = self.handoff.begin(|| self.progress.compare_exchange(progress, away, still, still).is_ok());
        if is_handed_off {
            self.running_thread.store(0, Ordering::Relaxed);
        }
        is_handed_off
    }

    /// Called by a backup loop thread that has left the loop.
    pub(crate) fn end_handoff(&self) {
        self.handoff.end();
    }

    pub(super) fn is_recalled(&self) -> bool {
        self.handoff.is_recalled()
    }

    /// What a backup loop thread is to call; `None` where the loop has ended.
    pub(crate) fn backup_loop(&self, py: Python<'_>) -> Option<Py<PyAny>> {
        self.asyncio_loop.lock().as_ref().map(|asyncio_loop| asyncio_loop.backup_loop.clone_ref(py))
    }

    /// Has the backup I/O thread cease to drive.
    pub(crate) fn release_backup_io(&self) {
        self.backup_io.store(false, Ordering::SeqCst);
        self.blocked.store(false, Ordering::SeqCst);
        self.spawner().wake();
    }

    /// The server is gone: queued requests are dropped.
    pub(super) fn close(&self) {
        self.closed.store(true, Ordering::Release);
        self.spawner().wake();
    }

    /// Drives the executor until `until` is ready.
    pub(crate) fn run_until<T>(&self, until: impl FnMut(&mut Context<'_>) -> Poll<T>) -> T {
        self.executor.run_until(until)
    }

    pub(crate) fn take_inbox(&self) -> VecDeque<WorkItem<W>> {
        std::mem::take(&mut *self.inbox.lock())
    }

    /// Takes the items that another thread can do, coroutines only where another worker can take them (`coroutines`).
    /// The others keep their places, since their order counts and the worker's thread may be at them again.
    pub(crate) fn take_requeueable(&self, coroutines: bool) -> VecDeque<WorkItem<W>> {
        let mut inbox = self.inbox.lock();
        let (own, others) = std::mem::take(&mut *inbox).into_iter().partition(|item| match item {
            WorkItem::LoopCall(_) | WorkItem::Callback(_) => true,
            WorkItem::AsyncHandler(context) => !coroutines || context.route().one_loop(),
            WorkItem::SyncHandler(_) | WorkItem::SyncCall(_) => false,
        });
        *inbox = own;
        others
    }

    /// Serves connections until there is something to do in Python. To be called detached.
    pub(super) fn wait(&self, limit: Timeout) -> WakeReason {
        self.progress.fetch_add(ITEM - UNDRIVEN, Ordering::SeqCst);
        if self.has_backup_io() {
            self.release_backup_io();
        }
        let mut looked = false;
        let mut sleep: Option<Pin<Box<Sleep>>> = None;
        let until = |cx: &mut Context<'_>| {
            if self.is_recalled() {
                return Poll::Ready(WakeReason::Recall);
            }
            if let Some(ready) = self.files_ready(cx) {
                return Poll::Ready(WakeReason::Files(ready));
            }
            if !self.inbox.lock().is_empty() {
                return Poll::Ready(WakeReason::Work);
            }
            match limit {
                Timeout::Zero if looked => Poll::Ready(WakeReason::Time),
                Timeout::Zero => {
                    looked = true;
                    Poll::Pending
                }
                Timeout::Until(at) => sleep
                    .get_or_insert_with(|| Box::pin(tokio::time::sleep_until(at.into())))
                    .as_mut()
                    .poll(cx)
                    .map(|()| WakeReason::Time),
                Timeout::Never => Poll::Pending,
            }
        };
        let reason = match limit {
            Timeout::Zero => self.executor.spin_until(until),
            Timeout::Until(_) | Timeout::Never => self.executor.run_until(until),
        };
        self.progress.fetch_add(ITEM + UNDRIVEN, Ordering::SeqCst);
        reason
    }

    /// Polls for what there is to do, without detaching: the inbox and the files that the loop watches, not the
    /// connections.
    pub(super) fn poll_attached(&self) -> Option<WakeReason> {
        self.progress.fetch_add(ITEM, Ordering::Relaxed);
        if self.is_recalled() {
            return None;
        }
        if !self.inbox.lock().is_empty() {
            return Some(WakeReason::Work);
        }
        let ready = self.files.lock().as_ref()?.get_ref().ready().ok()?;
        Some(WakeReason::Files(ready))
    }

    fn files_ready(&self, cx: &mut Context<'_>) -> Option<Ready> {
        let files = self.files.lock();
        let files = files.as_ref()?;
        while let Poll::Ready(Ok(mut guard)) = files.poll_read_ready(cx) {
            // tokio sees edges, the loop's own selector levels: what it has not taken yet is still there.
            if let Ok(outcome) = guard.try_io(|files| files.get_ref().ready()) {
                return outcome.ok();
            }
        }
        None
    }

    /// Does what is in the inbox now. An error is one that is to end the loop.
    pub(super) fn work(&self, py: Python<'_>, asyncio_loop: &AsyncioLoop, pool: &Arc<Pool<W>>) -> PyResult<()> {
        let count = self.inbox.lock().len();
        let own = !self.handoff.is_active();
        let mut suspended = None;
        for _ in 0..count {
            let Some(item) = self.inbox.lock().pop_front() else { break };
            let work = match item {
                WorkItem::SyncHandler(context) if own => SyncWork::Handler(context),
                WorkItem::SyncCall(call) if own => SyncWork::Call(call),
                // A backup loop thread runs only what cannot run anywhere else.
                WorkItem::SyncHandler(context) => {
                    pool.handle(context);
                    continue;
                }
                WorkItem::SyncCall(call) => match pool.call(call) {
                    Ok(()) => continue,
                    // The pool is full: better here than never.
                    Err(call) => SyncWork::Call(call),
                },
                item => {
                    suspended = None;
                    self.progress.fetch_add(ITEM, Ordering::Relaxed);
                    match item {
                        WorkItem::Callback(handle) => Handle::run(handle.bind(py), asyncio_loop.event_loop.bind(py))?,
                        WorkItem::AsyncHandler(context) => catch(|| context.start_async(py, asyncio_loop)),
                        WorkItem::LoopCall(call) => catch(|| call(py)),
                        WorkItem::SyncHandler(_) | WorkItem::SyncCall(_) => {}
                    }
                    continue;
                }
            };
            if suspended.is_none() {
                suspended = Some(asyncio_loop.suspend_running(py));
            }
            self.run_sync(py, work);
        }
        Ok(())
    }

    /// Drops what is in the inbox but for the loop's own.
    pub(super) fn forget_requests(&self) {
        let (own, others): (VecDeque<_>, VecDeque<_>) =
            self.take_inbox().into_iter().partition(|item| matches!(item, WorkItem::Callback(_)));
        let mut inbox = self.inbox.lock();
        let since = std::mem::replace(&mut *inbox, own);
        inbox.extend(since);
        drop(inbox);
        // Outside of the lock: an object's end may run Python.
        drop(others);
    }

    /// Runs a sync function on the loop's thread. Where that took so long that the loop was handed off meanwhile, its
    /// route is demoted, and the loop is reclaimed first.
    fn run_sync(&self, py: Python<'_>, work: SyncWork<W>) {
        let kind = work.kind();
        let mark = self.progress.fetch_add(ITEM + IN_SYNC_CALL, Ordering::SeqCst) + ITEM + IN_SYNC_CALL;
        catch(|| match work {
            SyncWork::Handler(context) => context.run_sync(py),
            SyncWork::Call(SyncCall { call, .. }) => call(py),
        });
        let (back, away) = (Ordering::SeqCst, mark + ITEM - IN_SYNC_CALL);
        if self.progress.compare_exchange(mark, away, back, back).is_err() {
            kind.inline_policy().demote();
            py.detach(|| self.handoff.reclaim(|| self.spawner().wake()));
            self.running_thread.store(this_thread(), Ordering::Relaxed);
        }
    }
}

/// Runs what may panic. The panic hook reports it then, and a request's dropped reply makes a 500.
fn catch(run: impl FnOnce()) {
    let _ = catch_unwind(AssertUnwindSafe(run));
}

/// A number that no other thread has while this one lives.
pub(super) fn this_thread() -> usize {
    thread_local!(static MARK: u8 = const { 0 });
    MARK.with(|mark| std::ptr::from_ref(mark).addr())
}
