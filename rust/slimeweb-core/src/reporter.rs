//! `Reporter`: shows exceptions that have no caller to the plugins that observe exceptions.

use pyo3::prelude::*;

/// Shows the exceptions of what came of one request. There is none where no plugin observes exceptions.
pub(crate) struct Reporter {
    on_exception: Py<PyAny>,
    request: Py<PyAny>,
}

impl Reporter {
    pub(crate) fn new(on_exception: Py<PyAny>, request: Py<PyAny>) -> Self {
        Self { on_exception, request }
    }
}

/// Tells of what a protocol, or a callback of one, has raised: to observers, and as unraisable.
pub(crate) fn protocol_failed(reporter: Option<&Reporter>, error: PyErr, raiser: &Bound<'_, PyAny>) {
    let py = raiser.py();
    if let Some(Reporter { on_exception, request }) = reporter {
        // `into_value`, since `value` leaves the traceback behind where Python keeps it apart, before 3.12.
        let exception = error.clone_ref(py).into_value(py);
        if let Err(failure) = on_exception.call1(py, (exception, "protocol", request)) {
            failure.write_unraisable(py, None);
        }
    }
    error.write_unraisable(py, Some(raiser));
}
