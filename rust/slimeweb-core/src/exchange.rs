//! The answering end of a request that a coroutine works on.

use std::sync::Arc;

use parking_lot::Mutex;
use pyo3::prelude::*;

use crate::job;
use crate::request::SlimeRequest;
use crate::response::{SlimeResponse, Task};

/// The answering end of one request that a coroutine is working on.
#[pyclass(frozen, module = "slimeweb._core")]
pub(crate) struct Exchange {
    open: Mutex<Option<(Py<SlimeRequest>, Py<SlimeResponse>)>>,
    /// Keeps the task alive while it is suspended: asyncio itself only holds it weakly.
    task: Task,
}

impl Exchange {
    pub(crate) fn new(request: Py<SlimeRequest>, response: Py<SlimeResponse>) -> Self {
        let task = Arc::clone(response.get().task());
        Self { open: Mutex::new(Some((request, response))), task }
    }

    /// Keeps the task until the exchange ends; a task that has ended already (an eager one) is not kept.
    pub(crate) fn hold(&self, task: Py<PyAny>) {
        let open = self.open.lock();
        if open.is_some() {
            *self.task.lock() = Some(task);
        } else {
            drop(open);
            drop(task);
        }
    }

    fn settle(&self, py: Python<'_>, result: PyResult<Bound<'_, PyAny>>) {
        let Some((request, response)) = self.open.lock().take() else { return };
        let task = self.task.lock().take();
        job::settle(request.bind(py), response.bind(py), result);
        drop(task);
    }
}

#[pymethods]
impl Exchange {
    /// Ends the request with what the coroutine returned. A second call does nothing.
    #[pyo3(signature = (result, /))]
    fn finish(&self, py: Python<'_>, result: Bound<'_, PyAny>) {
        self.settle(py, Ok(result));
    }

    /// Ends the request with what the coroutine raised. A second call does nothing.
    #[pyo3(signature = (exc, /))]
    fn fail(&self, py: Python<'_>, exc: Bound<'_, PyAny>) {
        self.settle(py, Err(PyErr::from_value(exc)));
    }
}
