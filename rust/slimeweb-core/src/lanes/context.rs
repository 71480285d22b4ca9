//! A `contextvars` context of its own for each synchronous call, as `asyncio` gives each task one.

use pyo3::ffi;
use pyo3::prelude::*;

/// Runs `call` in a fresh, empty context: what one request sets, the next one on this thread does not see.
pub(crate) fn fresh<'py, T>(py: Python<'py>, call: impl FnOnce() -> PyResult<T>) -> PyResult<T> {
    // SAFETY: attached; PyContext_New gives a new reference or NULL with an exception set.
    let context = unsafe { Bound::from_owned_ptr_or_err(py, ffi::PyContext_New())? };
    // SAFETY: attached; `context` is a context object that no thread has entered.
    if unsafe { ffi::PyContext_Enter(context.as_ptr()) } != 0 {
        return Err(PyErr::fetch(py));
    }
    let entered = Entered(context);
    let result = call();
    drop(entered);
    result
}

/// Leaves the context on the way out, by unwinding too.
struct Entered<'py>(Bound<'py, PyAny>);

impl Drop for Entered<'_> {
    fn drop(&mut self) {
        // SAFETY: attached (the Bound says so) and entered by `fresh`, on this thread.
        if unsafe { ffi::PyContext_Exit(self.0.as_ptr()) } != 0 {
            PyErr::fetch(self.0.py()).write_unraisable(self.0.py(), None);
        }
    }
}
