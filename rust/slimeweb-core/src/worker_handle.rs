//! `WorkerHandle`: a worker, as the Python half of its event loop uses it.

use std::os::fd::RawFd;
use std::sync::Arc;

use pyo3::prelude::*;
use pyo3::types::PyTuple;

use crate::request::context::{RequestContext, Workers};
use crate::worker::callback::Handle;
use crate::worker::event_loop::EventLoop;

/// A worker, as the selector of its event loop uses it. Its methods are those of [`EventLoop`], which says what they
/// do.
#[pyclass(frozen, module = "slimeweb._core")]
pub(crate) struct WorkerHandle(EventLoop<RequestContext>);

impl WorkerHandle {
    pub(crate) fn new(workers: &Arc<Workers>, number: usize) -> Self {
        Self(workers.event_loop(number))
    }
}

#[pymethods]
impl WorkerHandle {
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

    fn detach(&self, py: Python<'_>) {
        self.0.detach(py);
    }

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

    fn wake_loop(&self) {
        self.0.wake_loop();
    }

    fn is_running(&self, py: Python<'_>) -> PyResult<bool> {
        self.0.is_running(py)
    }

    fn is_recalled(&self) -> bool {
        self.0.is_recalled()
    }

    #[pyo3(signature = (timeout))]
    fn select(&self, py: Python<'_>, timeout: Option<f64>) -> PyResult<bool> {
        self.0.select(py, timeout)
    }
}
