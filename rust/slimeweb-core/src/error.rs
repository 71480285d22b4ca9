//! Rust's errors as exceptions of `slimeweb.errors`.

use std::collections::HashMap;
use std::path::Path;

use http::header::UPGRADE;
use http::{HeaderName, HeaderValue, StatusCode};
use pyo3::import_exception;
use pyo3::prelude::*;

use crate::json::DecodeError;

/// The body of a 503 for a request that no thread is free for.
pub(crate) const OVERLOADED: &str = "Service Unavailable: too many requests are waiting";

import_exception!(slimeweb.errors, ClientDisconnected);
import_exception!(slimeweb.errors, FileMissing);
import_exception!(slimeweb.errors, FormError);
import_exception!(slimeweb.errors, HttpError);
import_exception!(slimeweb.errors, IncompleteBody);
import_exception!(slimeweb.errors, JsonError);
import_exception!(slimeweb.errors, MissingField);

/// What a write to a client that is gone raises.
pub(crate) fn disconnected() -> PyErr {
    ClientDisconnected::new_err("the client has closed the connection")
}

/// What becomes a response with that status unless it is caught.
pub(crate) fn http_error(status: StatusCode, detail: String) -> PyErr {
    HttpError::new_err((status.as_u16(), detail))
}

/// What becomes a 503, since no thread is free.
pub(crate) fn overloaded() -> PyErr {
    let headers = HashMap::from([("Retry-After", "1")]);
    HttpError::new_err((StatusCode::SERVICE_UNAVAILABLE.as_u16(), OVERLOADED, headers))
}

/// What reading the body of a client that has left raises.
pub(crate) fn incomplete_body(status: StatusCode, detail: String) -> PyErr {
    IncompleteBody::new_err((status.as_u16(), detail))
}

/// What becomes a 404, since there is no such file.
pub(crate) fn file_missing(path: &Path) -> PyErr {
    FileMissing::new_err((path.to_owned(),))
}

/// A 426 for a request that cannot switch, with the protocol that the `Upgrade` among `fields` names.
pub(crate) fn upgrade_required(fields: &[(HeaderName, HeaderValue)]) -> PyErr {
    let status = StatusCode::UPGRADE_REQUIRED.as_u16();
    let upgrade = fields.iter().find(|(name, _)| *name == UPGRADE).and_then(|(_, value)| value.to_str().ok());
    match upgrade {
        None => HttpError::new_err((status,)),
        Some(protocol) => {
            let headers = HashMap::from([("Upgrade", protocol.to_owned()), ("Connection", "Upgrade".to_owned())]);
            HttpError::new_err((status, "", headers))
        }
    }
}

pub(crate) fn json_error(error: DecodeError) -> PyErr {
    match error {
        DecodeError::Syntax(error) => JsonError::new_err(error.to_string()),
        DecodeError::Python(error) => error,
    }
}

/// Logs what could not be done, with the system's reason.
pub(crate) fn log_system(py: Python<'_>, what: &str, reason: &str) {
    let said = || {
        let logger = py.import("logging")?.call_method1("getLogger", ("slimeweb",))?;
        logger.call_method1("error", ("%s: OSError: %s", what, reason))
    };
    if let Err(error) = said() {
        error.write_unraisable(py, None);
    }
}
