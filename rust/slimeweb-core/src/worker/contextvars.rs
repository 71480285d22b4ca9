//! `contextvars`: each synchronous call has a context of its own, as `asyncio` gives each task one.

use pyo3::ffi;
use pyo3::prelude::*;

/// Runs `call` in a fresh, empty context: what one request sets, the next one on this thread does not see.
pub(crate) fn fresh<'py, T>(py: Python<'py>, call: impl FnOnce() -> PyResult<T>) -> PyResult<T> {
    // SAFETY: attached; PyContext_New gives a new reference or NULL with an exception set.
    let context = unsafe { Bound::from_owned_ptr_or_err(py, ffi::PyContext_New())? };
    within(&context, call)
}

/// A copy of the current context.
pub(crate) fn copy(py: Python<'_>) -> PyResult<Py<PyAny>> {
    // SAFETY: attached; PyContext_CopyCurrent gives a new reference or NULL with an exception set.
    unsafe { Bound::from_owned_ptr_or_err(py, ffi::PyContext_CopyCurrent()).map(Bound::unbind) }
}

/// Runs `call` in a context. An error of Python's where it is none, or one that has been entered.
pub(crate) fn within<'py, T>(context: &Bound<'py, PyAny>, call: impl FnOnce() -> PyResult<T>) -> PyResult<T> {
    // SAFETY: attached; what is no context, or has been entered, is refused with an exception set.
    if unsafe { ffi::PyContext_Enter(context.as_ptr()) } != 0 {
        return Err(PyErr::fetch(context.py()));
    }
    let entered = EnteredContext(context);
    let result = call();
    drop(entered);
    result
}

/// Leaves the context on the way out, by unwinding too.
struct EnteredContext<'a, 'py>(&'a Bound<'py, PyAny>);

impl Drop for EnteredContext<'_, '_> {
    fn drop(&mut self) {
        // SAFETY: attached (the Bound says so) and entered by `within`, on this thread.
        if unsafe { ffi::PyContext_Exit(self.0.as_ptr()) } != 0 {
            PyErr::fetch(self.0.py()).write_unraisable(self.0.py(), None);
        }
    }
}
