//! `Lazy`: a Python object that is made when it is first asked for.

use std::sync::OnceLock;

use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::prelude::*;

/// A Python object that is made when it is first asked for.
///
/// Threads that ask at the same time may each make one: the first one is kept, and all get that. So no thread waits for
/// another thread's Python, and none has to detach, which is what pyo3's `PyOnceLock` does and most of what it costs.
pub(crate) struct Lazy<T>(OnceLock<Py<T>>);

impl<T> Lazy<T> {
    pub(crate) const fn new() -> Self {
        Self(OnceLock::new())
    }

    /// Shows the object, if it has been made, to the garbage collector.
    pub(crate) fn visit(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(self.0.get())
    }

    /// The object, if it has been made.
    pub(crate) fn get<'py>(&self, py: Python<'py>) -> Option<&Bound<'py, T>> {
        self.0.get().map(|object| object.bind(py))
    }

    /// The object, from `make` if there is none yet. An error of `make` is passed on, and leaves room for another try.
    pub(crate) fn get_or_make<'a, 'py>(
        &'a self,
        py: Python<'py>,
        make: impl FnOnce() -> PyResult<Bound<'py, T>>,
    ) -> PyResult<&'a Bound<'py, T>> {
        if let Some(object) = self.0.get() {
            return Ok(object.bind(py));
        }
        let made = make()?.unbind();
        // Waits at most for another thread's store.
        Ok(self.0.get_or_init(|| made).bind(py))
    }
}
