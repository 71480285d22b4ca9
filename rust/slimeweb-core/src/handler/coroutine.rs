//! A coroutine handler at work: what its task runs.

use std::os::raw::c_int;

use parking_lot::Mutex;
use pyo3::exceptions::{PyRuntimeError, PyStopIteration};
use pyo3::ffi;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyString, PyTuple};

use crate::guarded;
use crate::request::SlimeRequest;
use crate::response::SlimeResponse;

const NEXT: c_int = ffi::PySendResult::PYGEN_NEXT as c_int;
const RETURN: c_int = ffi::PySendResult::PYGEN_RETURN as c_int;

pyo3::import_exception!(asyncio, CancelledError);

/// The coroutine of a handler, and the end of its request: what it returns or raises is the answer.
///
/// To its task it is a coroutine (PEP 492) that returns `None` and raises nothing but `CancelledError`. Whatever else a
/// handler raises, `SystemExit` included, is the request's own, and must not end the loop and with it everybody else's
/// requests.
#[pyclass(frozen, module = "slimeweb._core")]
pub(crate) struct HandlerCoroutine {
    inner: Py<PyAny>,
    unfinished: Mutex<Option<(Py<SlimeRequest>, Py<SlimeResponse>)>>,
}

/// What resuming the coroutine has come to.
enum CoroutineResult<'py> {
    /// It waits for this.
    Suspended(Bound<'py, PyAny>),
    Returned(Bound<'py, PyAny>),
}

impl HandlerCoroutine {
    /// `awaitable` is what the handler has returned. An error where it is none.
    pub(crate) fn new(
        awaitable: &Bound<'_, PyAny>,
        request: &Bound<'_, SlimeRequest>,
        response: &Bound<'_, SlimeResponse>,
    ) -> PyResult<Self> {
        // SAFETY: only the object's type is looked at.
        let inner = if unsafe { ffi::PyCoro_CheckExact(awaitable.as_ptr()) } == 1 {
            awaitable.clone()
        } else {
            awaitable.call_method0(intern!(awaitable.py(), "__await__"))?
        };
        let unfinished = Mutex::new(Some((request.clone().unbind(), response.clone().unbind())));
        Ok(Self { inner: inner.unbind(), unfinished })
    }

    /// Keeps the task until the request ends, since asyncio itself only holds it weakly; one that has ended already (an
    /// eager one) is not kept.
    pub(crate) fn hold(&self, task: Py<PyAny>) {
        let unfinished = self.unfinished.lock();
        if let Some((_, response)) = &*unfinished {
            response.get().task().hold(task);
        } else {
            drop(unfinished);
            drop(task);
        }
    }

    /// Ends the request. A second time it does nothing.
    pub(crate) fn finish(&self, py: Python<'_>, result: PyResult<Bound<'_, PyAny>>) {
        let Some((request, response)) = self.unfinished.lock().take() else { return };
        let task = response.get().take_task();
        super::finish::finish(request.bind(py), response.bind(py), result);
        drop(task);
    }

    /// What the task gets: `None` at the end.
    fn tell<'py>(
        &self,
        py: Python<'py>,
        outcome: PyResult<CoroutineResult<'py>>,
    ) -> PyResult<Option<Bound<'py, PyAny>>> {
        if guarded::is_child() {
            // A child has no event loop that could resume the handler.
            guarded::end_child(
                py,
                match outcome {
                    Ok(CoroutineResult::Suspended(_)) => Some(PyRuntimeError::new_err(
                        "a process forked in a coroutine handler cannot await on the server's event loop: use asyncio.run()",
                    )),
                    Ok(CoroutineResult::Returned(_)) => None,
                    Err(error) => Some(error),
                },
            );
        }
        match outcome {
            Ok(CoroutineResult::Suspended(awaited)) => Ok(Some(awaited)),
            Ok(CoroutineResult::Returned(value)) => {
                self.finish(py, Ok(value));
                Ok(None)
            }
            Err(error) => {
                let cancelled = error.is_instance_of::<CancelledError>(py).then(|| error.clone_ref(py));
                self.finish(py, Err(error));
                cancelled.map_or(Ok(None), Err)
            }
        }
    }

    fn send_on<'py>(&self, value: &Bound<'py, PyAny>) -> PyResult<CoroutineResult<'py>> {
        let py = value.py();
        let mut result = std::ptr::null_mut();
        // SAFETY: attached, and both objects are alive; `result` is a new reference unless an exception is set.
        unsafe {
            match guarded::send(self.inner.as_ptr(), value.as_ptr(), &raw mut result) {
                NEXT => Ok(CoroutineResult::Suspended(Bound::from_owned_ptr(py, result))),
                RETURN => Ok(CoroutineResult::Returned(Bound::from_owned_ptr(py, result))),
                _ => Err(PyErr::fetch(py)),
            }
        }
    }
}

/// The end of a generator's method, which only raises.
fn or_stop<T>(outcome: Option<T>) -> PyResult<T> {
    outcome.ok_or_else(|| PyStopIteration::new_err(()))
}

#[pymethods]
impl HandlerCoroutine {
    fn __await__(slf: Bound<'_, Self>) -> Bound<'_, Self> {
        slf
    }

    fn __iter__(slf: Bound<'_, Self>) -> Bound<'_, Self> {
        slf
    }

    fn __next__<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyAny>>> {
        let outcome = self.send_on(py.None().bind(py));
        self.tell(py, outcome)
    }

    fn send<'py>(&self, value: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
        let outcome = self.send_on(value);
        or_stop(self.tell(value.py(), outcome)?)
    }

    #[pyo3(signature = (*exception))]
    fn throw<'py>(&self, exception: &Bound<'py, PyTuple>) -> PyResult<Bound<'py, PyAny>> {
        let py = exception.py();
        let outcome =
            match self.inner.bind(py).getattr(intern!(py, "throw")).and_then(|throw| guarded::apply(&throw, exception))
            {
                Ok(awaited) => Ok(CoroutineResult::Suspended(awaited)),
                Err(error) if error.is_instance_of::<PyStopIteration>(py) => {
                    error.value(py).getattr(intern!(py, "value")).map(CoroutineResult::Returned)
                }
                Err(error) => Err(error),
            };
        or_stop(self.tell(py, outcome)?)
    }

    fn close(&self, py: Python<'_>) -> PyResult<()> {
        self.inner.bind(py).call_method0(intern!(py, "close")).map(drop)
    }

    /// Name, frame, code and the like of the handler, for tools that show tasks.
    fn __getattr__<'py>(&self, name: &Bound<'py, PyString>) -> PyResult<Bound<'py, PyAny>> {
        self.inner.bind(name.py()).getattr(name)
    }
}
