//! What Python passes, checked.

use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyString};

use crate::{MAX_REASON, MessageKind, is_sendable};

/// `ValueError` for what must not stand in a close frame.
pub(super) fn check_close(code: u16, reason: &str) -> PyResult<()> {
    if !is_sendable(code) {
        return Err(PyValueError::new_err(format!(
            "the close code {code} must not be sent: use 1000, another of RFC 6455, or one of your own, 4000 to 4999"
        )));
    }
    if reason.len() > MAX_REASON {
        return Err(PyValueError::new_err(format!(
            "a close reason of {} bytes: make it {MAX_REASON} at most",
            reason.len()
        )));
    }
    Ok(())
}

/// A message's kind and bytes.
pub(super) fn payload<'a>(data: &'a Bound<'_, PyAny>) -> PyResult<(MessageKind, &'a [u8])> {
    if let Ok(text) = data.cast::<PyString>() {
        return Ok((MessageKind::Text, text.to_str()?.as_bytes()));
    }
    match data.cast::<PyBytes>() {
        Ok(bytes) => Ok((MessageKind::Binary, bytes.as_bytes())),
        Err(_) => Err(PyTypeError::new_err(format!("a message is str or bytes, not {}", data.get_type().name()?))),
    }
}
