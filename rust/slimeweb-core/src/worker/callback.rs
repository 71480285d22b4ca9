//! Callbacks of `asyncio`: `loop.call_soon` as an item in a worker's inbox.

use parking_lot::Mutex;
use pyo3::exceptions::{PyKeyboardInterrupt, PySystemExit};
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple};

use super::contextvars;
use crate::guarded;

/// A scheduled call, like `asyncio.Handle`: made in a context, unless it is cancelled.
#[pyclass(frozen, weakref, module = "slimeweb._core")]
pub(crate) struct Handle {
    call: Mutex<CallState>,
    context: Py<PyAny>,
}

enum CallState {
    Due(Py<PyAny>, Py<PyTuple>),
    Called,
    Cancelled,
}

impl Handle {
    /// A call in `context`, or in a copy of the current one.
    pub(crate) fn new(
        py: Python<'_>,
        callback: Py<PyAny>,
        args: Py<PyTuple>,
        context: Option<Py<PyAny>>,
    ) -> PyResult<Py<Self>> {
        let context = context.map_or_else(|| contextvars::copy(py), Ok)?;
        Py::new(py, Self { call: Mutex::new(CallState::Due(callback, args)), context })
    }

    /// Makes the call. What it raises goes to the loop's exception handler, but `SystemExit` and `KeyboardInterrupt`
    /// are returned.
    pub(crate) fn run(slf: &Bound<'_, Self>, event_loop: &Bound<'_, PyAny>) -> PyResult<()> {
        let (this, py) = (slf.get(), slf.py());
        let call = {
            let mut call = this.call.lock();
            match &*call {
                CallState::Due(..) => std::mem::replace(&mut *call, CallState::Called),
                CallState::Called | CallState::Cancelled => return Ok(()),
            }
        };
        let CallState::Due(callback, args) = call else { return Ok(()) };
        let (callback, args) = (callback.bind(py), args.bind(py));
        let result = contextvars::within(this.context.bind(py), || guarded::apply(callback, args));
        if guarded::is_child() {
            guarded::end_child(py, result.err());
        }
        let Err(error) = result else { return Ok(()) };
        if error.is_instance_of::<PySystemExit>(py) || error.is_instance_of::<PyKeyboardInterrupt>(py) {
            return Err(error);
        }
        let report = PyDict::new(py);
        report.set_item("message", format!("Exception in callback {callback:?}{args:?}"))?;
        report.set_item("exception", error.into_value(py))?;
        report.set_item("handle", slf)?;
        event_loop.call_method1("call_exception_handler", (report,)).map(drop)
    }
}

#[pymethods]
impl Handle {
    /// A context keeps what was set in it, which may keep the handle.
    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.context)?;
        match self.call.try_lock().as_deref() {
            Some(CallState::Due(callback, args)) => {
                visit.call(callback)?;
                visit.call(args)
            }
            // A locked handle is in use: it is no garbage.
            _ => Ok(()),
        }
    }

    fn __clear__(&self) {
        let call = self.call.try_lock().map(|mut call| std::mem::replace(&mut *call, CallState::Cancelled));
        // After the lock, as for `cancel`.
        drop(call);
    }

    /// Prevents the call, unless it has been made.
    pub(crate) fn cancel(&self) {
        // What was to be called goes after the lock: its end may run Python.
        let call = std::mem::replace(&mut *self.call.lock(), CallState::Cancelled);
        drop(call);
    }

    /// Whether it has been cancelled.
    fn cancelled(&self) -> bool {
        matches!(*self.call.lock(), CallState::Cancelled)
    }

    /// The context that the call is made in.
    fn get_context<'py>(&self, py: Python<'py>) -> &Bound<'py, PyAny> {
        self.context.bind(py)
    }

    fn __repr__(&self, py: Python<'_>) -> String {
        let call = match &*self.call.lock() {
            CallState::Due(callback, args) => (callback.clone_ref(py), args.clone_ref(py)),
            CallState::Called => return "<Handle called>".to_owned(),
            CallState::Cancelled => return "<Handle cancelled>".to_owned(),
        };
        format!("<Handle {:?}{:?}>", call.0.bind(py), call.1.bind(py))
    }
}
