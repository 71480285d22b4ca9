//! Rust's failures in the words of `slimeweb.errors`.

use std::path::Path;

use http::StatusCode;
use pyo3::import_exception;
use pyo3::prelude::*;

use crate::json::DecodeError;

import_exception!(slimeweb.errors, ClientDisconnected);
import_exception!(slimeweb.errors, FileMissing);
import_exception!(slimeweb.errors, FormError);
import_exception!(slimeweb.errors, HttpError);
import_exception!(slimeweb.errors, JsonError);

/// What a write to a client that is gone raises.
pub(crate) fn disconnected() -> PyErr {
    ClientDisconnected::new_err("the client has closed the connection")
}

/// What becomes a response with that status when nobody catches it.
pub(crate) fn http_error(status: StatusCode, detail: String) -> PyErr {
    HttpError::new_err((status.as_u16(), detail))
}

/// What becomes a 404, since there is no such file.
pub(crate) fn file_missing(path: &Path) -> PyErr {
    FileMissing::new_err((path.to_owned(),))
}

pub(crate) fn json_error(error: DecodeError) -> PyErr {
    match error {
        DecodeError::Syntax(fault) => JsonError::new_err(fault.to_string()),
        DecodeError::Python(error) => error,
    }
}

/// Says in the log what could not be done, and why, in the system's words.
pub(crate) fn log_system(py: Python<'_>, what: &str, reason: &str) {
    let said = || {
        let logger = py.import("logging")?.call_method1("getLogger", ("slimeweb",))?;
        logger.call_method1("error", ("%s: OSError: %s", what, reason))
    };
    if let Err(error) = said() {
        error.write_unraisable(py, None);
    }
}
