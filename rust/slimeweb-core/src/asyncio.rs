//! The functions of `asyncio` that Rust calls for the loop of the calling thread.

use pyo3::intern;
use pyo3::prelude::*;

/// A future of the loop that runs in this thread. `RuntimeError` where none does.
pub(crate) fn new_future(py: Python<'_>) -> PyResult<Bound<'_, PyAny>> {
    py.import(intern!(py, "asyncio"))?
        .call_method0(intern!(py, "get_running_loop"))?
        .call_method0(intern!(py, "create_future"))
}
