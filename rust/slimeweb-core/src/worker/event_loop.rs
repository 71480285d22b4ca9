//! A worker's thread: an `asyncio` loop, in whose selector the worker's connections are served.
//!
//! `asyncio` asks its selector which files are ready, and waits there. What it asks is [`WorkerHandle::select`]: it
//! runs the worker's [`Executor`] until there is something for Python to do. Handlers are called right there, on the
//! thread that has read the request and will write the answer, inside of the running loop: no other thread is woken on
//! the way, and `asyncio` needs no turn of its own unless a coroutine has left something to do.

use std::os::fd::{BorrowedFd, RawFd};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use pyo3::exceptions::PyRuntimeError;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::PyTuple;
use tokio::io::unix::AsyncFd;
use tokio::io::{self, Interest};

use super::asyncio_loop::AsyncioLoop;
use super::callback::Handle;
use super::files::Files;
use super::pool::Pool;
use super::thread::{Timeout, WakeReason, Worker, this_thread};
use super::waiting::{self, StartBackup};
use super::watchdog::Watchdog;
use super::work::{Work, WorkItem};
use crate::guarded;

/// How often a thread polls for more to do without detaching, between two waits. With the GIL every wait passes it to
/// another worker's thread that wants it, and the two would then alternate for each file that is ready.
const POLLS_ATTACHED: u32 = 16;

/// A worker, as the selector of its event loop uses it.
pub(crate) struct EventLoop<W: Work> {
    pub(super) worker: Arc<Worker<W>>,
    pub(super) pool: Arc<Pool<W>>,
    pub(super) watchdog: Arc<Watchdog>,
    pub(super) workers: Weak<dyn StartBackup>,
    pub(super) number: usize,
}

impl<W: Work> EventLoop<W> {
    /// Sets the loop that runs here, and the file descriptor of its selector, which is readable when a file of the
    /// loop's is ready. `on_ready(files)` runs the callbacks of the files that are, given as pairs of descriptor and
    /// epoll's events, or `None` where the system's selector has to say; it returns False for files that are to be the
    /// result of `select` instead. `backup_loop()` runs the loop on another thread while the worker's own is blocked by
    /// a sync function; it ends soon after `is_recalled()`. To be called once, before the loop runs. `OSError` when the
    /// descriptor cannot be watched.
    pub(crate) fn attach(
        &self,
        event_loop: Py<PyAny>,
        fileno: RawFd,
        on_ready: Py<PyAny>,
        backup_loop: Py<PyAny>,
        py: Python<'_>,
    ) -> PyResult<()> {
        let asyncio_loop = AsyncioLoop::new(py, event_loop, on_ready, backup_loop)?;
        // SAFETY: the caller has the file open. The copy is this worker's own.
        let files = unsafe { BorrowedFd::borrow_raw(fileno) }.try_clone_to_owned()?;
        let _entered = self.worker.executor.enter();
        // SAFETY: the descriptor is open for as long as its owner lives, and stays the same.
        let files = unsafe { AsyncFd::register_with_interest(Files::new(files), Interest::READABLE) };
        let files = files.map_err(io::Error::from)?;
        *self.worker.files.lock() = Some(files);
        *self.worker.asyncio_loop.lock() = Some(Arc::new(asyncio_loop));
        Ok(())
    }

    /// Lets go of the loop and its file descriptor, and cancels what it was to call.
    pub(crate) fn detach(&self, py: Python<'_>) {
        self.worker.ended.store(true, Ordering::Release);
        self.worker.running_thread.store(0, Ordering::Relaxed);
        self.worker.files.lock().take();
        let asyncio_loop = self.worker.asyncio_loop.lock().take();
        // Outside of the locks: an object's end may run Python.
        drop(asyncio_loop);
        for item in self.worker.take_inbox() {
            if let WorkItem::Callback(handle) = item {
                handle.bind(py).get().cancel();
            }
        }
    }

    /// As `call_soon` and `call_soon_threadsafe` of any loop. `RuntimeError` when it is closed.
    pub(crate) fn call_soon(
        &self,
        py: Python<'_>,
        callback: Py<PyAny>,
        args: Py<PyTuple>,
        context: Option<Py<PyAny>>,
    ) -> PyResult<Py<Handle>> {
        if self.worker.ended.load(Ordering::Acquire) {
            return Err(PyRuntimeError::new_err("Event loop is closed"));
        }
        let handle = Handle::new(py, callback, args, context)?;
        self.worker.post(WorkItem::Callback(handle.clone_ref(py)));
        Ok(handle)
    }

    /// Makes `select` return before it waits again: the loop has another timer, or is to stop.
    pub(crate) fn wake_loop(&self) {
        self.worker.is_loop_woken.store(true, Ordering::Relaxed);
    }

    /// As of any loop; False once there is none here.
    pub(crate) fn is_running(&self, py: Python<'_>) -> PyResult<bool> {
        let asyncio_loop = self.worker.asyncio_loop.lock().clone();
        asyncio_loop.map_or(Ok(false), |asyncio_loop| asyncio_loop.is_running(py))
    }

    /// Whether the worker's own thread waits for its loop.
    pub(crate) fn is_recalled(&self) -> bool {
        self.worker.is_recalled()
    }

    /// Serves for at most `timeout` seconds (`None`: without end): true when a file of the loop's is ready. Returns
    /// early when the loop may have something to do.
    pub(crate) fn select(&self, py: Python<'_>, timeout: Option<f64>) -> PyResult<bool> {
        if guarded::is_child() {
            // Forked in a callback that has returned: the loop is the parent's.
            guarded::end_child(py, None);
        }
        let limit = match timeout {
            None => Timeout::Never,
            Some(seconds) => match Duration::try_from_secs_f64(seconds) {
                Ok(timeout) if !timeout.is_zero() => Timeout::Until(Instant::now() + timeout),
                _ => Timeout::Zero,
            },
        };
        let Some(asyncio_loop) = self.worker.asyncio_loop.lock().clone() else { return Ok(false) };
        let here = this_thread();
        if self.worker.running_thread.swap(here, Ordering::Relaxed) != here {
            waiting::enter_worker(&self.workers, self.number);
        }
        self.worker.is_loop_woken.store(false, Ordering::Relaxed);
        let mut polls_left = 0;
        loop {
            let seen = if polls_left > 0 { self.worker.poll_attached() } else { None };
            let reason = if let Some(reason) = seen {
                polls_left -= 1;
                reason
            } else {
                let reason = py.detach(|| self.worker.wait(limit));
                polls_left = if matches!(reason, WakeReason::Files(_)) { POLLS_ATTACHED } else { 0 };
                reason
            };
            if self.worker.closed.load(Ordering::Acquire) {
                self.worker.forget_requests();
            }
            self.watchdog.note_activity();
            match reason {
                WakeReason::Files(ready) => {
                    let done = asyncio_loop.on_ready.bind(py).call1((ready,))?.is_truthy()?;
                    // What the callbacks have scheduled, without detaching in between, and so that files do not starve
                    // the inbox.
                    self.worker.work(py, &asyncio_loop, &self.pool)?;
                    if !done {
                        return Ok(true);
                    }
                }
                WakeReason::Time => return Ok(false),
                WakeReason::Recall => {
                    asyncio_loop.event_loop.bind(py).call_method0(intern!(py, "stop"))?;
                    return Ok(false);
                }
                WakeReason::Work => self.worker.work(py, &asyncio_loop, &self.pool)?,
            }
            let late = match limit {
                Timeout::Zero => true,
                Timeout::Until(at) => Instant::now() >= at,
                Timeout::Never => false,
            };
            if late || self.worker.is_loop_woken.load(Ordering::Relaxed) {
                return Ok(false);
            }
        }
    }
}
