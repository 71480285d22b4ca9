//! The client's end of a connection, without I/O: for the client of tests.

use std::sync::{Mutex, PoisonError};

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyString};

use super::arguments::{check_close, payload};
use crate::{Close, Decoded, Decoder, Encoder, Limits, Message, Opcode, Role, write_frame};

/// The frames that a client reads and writes, without compression. Usable from any thread; what is decoded has one
/// order only where one thread at a time decodes. A `mask` is 4 bytes that nobody can foresee.
#[pyclass(frozen, module = "slimeweb_ws._native")]
pub(super) struct ClientFrames {
    decoder: Mutex<Decoder>,
}

#[pymethods]
impl ClientFrames {
    #[new]
    fn new(max_message_size: usize) -> Self {
        Self { decoder: Mutex::new(Decoder::new(Role::Client, Limits::of_message(max_message_size), None)) }
    }

    /// What has come with these bytes, in order: `("message", str or bytes)`, `("ping", bytes)`, `("pong", bytes)`,
    /// `("close", (code, reason))`, where the code 1005 stands for none. `ValueError` where the server has broken the
    /// protocol.
    fn decode(&self, py: Python<'_>, data: &[u8]) -> PyResult<Vec<(&'static str, Py<PyAny>)>> {
        let mut input = data;
        let mut decoded = Vec::new();
        let error = {
            let mut decoder = self.decoder.lock().unwrap_or_else(PoisonError::into_inner);
            loop {
                match decoder.decode(&mut input) {
                    Ok(Some(event)) => decoded.push(event),
                    Ok(None) => break None,
                    Err(error) => break Some(error),
                }
            }
        };
        if let Some(error) = error {
            return Err(PyValueError::new_err(format!("the server has sent {error}")));
        }
        decoded
            .into_iter()
            .map(|event| {
                Ok(match event {
                    Decoded::Message(Message::Text(text)) => ("message", PyString::new(py, &text).into_any().unbind()),
                    Decoded::Message(Message::Binary(bytes)) => {
                        ("message", PyBytes::new(py, &bytes).into_any().unbind())
                    }
                    Decoded::Ping(body) => ("ping", PyBytes::new(py, &body).into_any().unbind()),
                    Decoded::Pong(body) => ("pong", PyBytes::new(py, &body).into_any().unbind()),
                    Decoded::Close(close) => {
                        let close = close.map_or((1005, String::new()), |close| (close.code, close.reason));
                        ("close", close.into_pyobject(py)?.into_any().unbind())
                    }
                })
            })
            .collect()
    }

    /// A message as one frame. `TypeError` for another type.
    #[staticmethod]
    fn message<'py>(py: Python<'py>, data: &Bound<'py, PyAny>, mask: [u8; 4]) -> PyResult<Bound<'py, PyBytes>> {
        let (kind, bytes) = payload(data)?;
        Ok(PyBytes::new(py, &Encoder::new(None, 0).message(kind, bytes, Some(mask))))
    }

    /// A pong.
    #[staticmethod]
    fn pong<'py>(py: Python<'py>, payload: &[u8], mask: [u8; 4]) -> Bound<'py, PyBytes> {
        let mut frame = Vec::new();
        write_frame(Opcode::Pong, payload, Some(mask), &mut frame);
        PyBytes::new(py, &frame)
    }

    /// A close frame. `ValueError` for a code that must not be sent, or a reason of more than 123 bytes.
    #[staticmethod]
    fn close<'py>(py: Python<'py>, code: u16, reason: &str, mask: [u8; 4]) -> PyResult<Bound<'py, PyBytes>> {
        check_close(code, reason)?;
        let mut frame = Vec::new();
        write_frame(Opcode::Close, &Close { code, reason: reason.to_owned() }.body(), Some(mask), &mut frame);
        Ok(PyBytes::new(py, &frame))
    }
}
