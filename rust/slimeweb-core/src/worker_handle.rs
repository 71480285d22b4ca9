//! `WorkerHandle`: a worker, as the Python half of its event loop uses it.

use std::os::fd::RawFd;
use std::sync::Arc;

use pyo3::prelude::*;
use pyo3::types::PyTuple;

use crate::request::context::{RequestContext, Workers};
use crate::worker::callback::Handle;
use crate::worker::event_loop::EventLoop;

/// A worker, as the selector of its event loop uses it.
#[pyclass(frozen, module = "slimeweb._core")]
pub(crate) struct WorkerHandle(EventLoop<RequestContext>);

impl WorkerHandle {
    pub(crate) fn new(workers: &Arc<Workers>, number: usize) -> Self {
        Self(workers.event_loop(number))
    }
}

#[pymethods]
impl WorkerHandle {
    /// Sets the loop that runs here, and the file descriptor of its selector, which is readable when a file of the
    /// loop's is ready. `on_ready(files)` runs the callbacks of the files that are, given as pairs of descriptor and
    /// epoll's events, or `None` where the system's selector has to say; it returns False for files that are to be the
    /// result of `select` instead. `backup_loop()` runs the loop on another thread while the worker's own is blocked by
    /// a sync function; it ends soon after `is_recalled()`. To be called once, before the loop runs. `OSError` when the
    /// descriptor cannot be watched.
    fn attach(
        &self,
        event_loop: Py<PyAny>,
        fileno: RawFd,
        on_ready: Py<PyAny>,
        backup_loop: Py<PyAny>,
        py: Python<'_>,
    ) -> PyResult<()> {
        self.0.attach(event_loop, fileno, on_ready, backup_loop, py)
    }

    /// Lets go of the loop and its file descriptor, and cancels what it was to call.
    fn detach(&self, py: Python<'_>) {
        self.0.detach(py);
    }

    /// As `call_soon` and `call_soon_threadsafe` of any loop. `RuntimeError` when it is closed.
    #[pyo3(signature = (callback, *args, context=None))]
    fn call_soon(
        &self,
        py: Python<'_>,
        callback: Py<PyAny>,
        args: Py<PyTuple>,
        context: Option<Py<PyAny>>,
    ) -> PyResult<Py<Handle>> {
        self.0.call_soon(py, callback, args, context)
    }

    /// Makes `select` return before it waits again: the loop has another timer, or is to stop.
    fn wake_loop(&self) {
        self.0.wake_loop();
    }

    /// As of any loop; False once there is none here.
    fn is_running(&self, py: Python<'_>) -> PyResult<bool> {
        self.0.is_running(py)
    }

    /// Whether the worker's own thread waits for its loop.
    fn is_recalled(&self) -> bool {
        self.0.is_recalled()
    }

    /// Serves for at most `timeout` seconds (`None`: without end): true when a file of the loop's is ready. Returns
    /// early when the loop may have something to do.
    #[pyo3(signature = (timeout))]
    fn select(&self, py: Python<'_>, timeout: Option<f64>) -> PyResult<bool> {
        self.0.select(py, timeout)
    }
}
