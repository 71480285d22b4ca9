//! Events that callbacks are called for, as Python sees them. A message is `str` or `bytes`, and needs no class.

use pyo3::prelude::*;

use crate::Error;

/// The connection is open.
#[pyclass(frozen, module = "slimeweb_ws._native")]
pub(super) struct OpenEvent;

/// The client has broken the protocol, or a limit; its connection is being closed with `code`.
#[pyclass(frozen, get_all, module = "slimeweb_ws._native")]
pub(super) struct ErrorEvent {
    /// The close code that says what was wrong (RFC 6455, section 7.4.1): 1002, 1007 or 1009.
    code: u16,
    /// What was wrong, in words.
    detail: String,
}

/// The connection has ended: the last event.
#[pyclass(frozen, module = "slimeweb_ws._native")]
pub(super) struct CloseEvent;

impl From<&Error> for ErrorEvent {
    fn from(error: &Error) -> Self {
        Self { code: error.code(), detail: error.to_string() }
    }
}
