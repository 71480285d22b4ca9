//! `slimeweb_compress._native`: the encoders, as Python sees them.

use parking_lot::Mutex;
use pyo3::exceptions::{PyRuntimeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::coding::Coding;
use crate::encoder::{self, Error, Flush};
use crate::open::open;

/// From this much work on, in bytes times level, a thread detaches: below, detaching costs more than it gives other
/// threads.
const WORTH_DETACHING: u64 = 4 * 1024;

/// Encodes one body as `coding`: `gzip`, `br` or `zstd`.
///
/// `length` is the body's length in bytes, which is binding; `None` for a stream. `ValueError` for a coding or a level
/// that there is not.
#[pyclass(frozen, module = "slimeweb_compress._native")]
struct Encoder {
    level: u64,
    state: Mutex<State>,
}

enum State {
    Open {
        encoder: Box<dyn encoder::Encoder>,
        /// How many bytes have been pushed since the last flush.
        pending: u64,
    },
    /// Another thread is using it.
    Busy,
    Ended,
}

impl Encoder {
    /// Nothing runs under the lock: the encoder is taken out, and put back unless that was its end.
    fn run<'py>(&self, py: Python<'py>, data: &[u8], flush: Flush) -> PyResult<Bound<'py, PyBytes>> {
        let (mut encoder, pending) = {
            let mut state = self.state.lock();
            match std::mem::replace(&mut *state, State::Busy) {
                State::Open { encoder, pending } => (encoder, pending),
                State::Busy => {
                    return Err(PyRuntimeError::new_err(
                        "two calls for one body overlap: an encoder is for one at a time",
                    ));
                }
                State::Ended => {
                    *state = State::Ended;
                    return Err(PyRuntimeError::new_err("the encoder has ended: make one for each body"));
                }
            }
        };
        let pending = pending.saturating_add(data.len() as u64);
        if flush == Flush::Sync && pending == 0 {
            // Some codecs write an empty block for each flush, even with nothing between them.
            *self.state.lock() = State::Open { encoder, pending };
            return Ok(PyBytes::new(py, b""));
        }
        let mut out = Vec::new();
        let mut work = || -> Result<(), Error> { encoder.encode(data, flush, &mut out) };
        let outcome = if pending.saturating_mul(self.level) >= WORTH_DETACHING { py.detach(work) } else { work() };
        *self.state.lock() = match (&outcome, flush) {
            (Ok(()), Flush::None) => State::Open { encoder, pending },
            (Ok(()), Flush::Sync) => State::Open { encoder, pending: 0 },
            _ => State::Ended,
        };
        outcome.map_err(|error| PyRuntimeError::new_err(error.to_string()))?;
        Ok(PyBytes::new(py, &out))
    }
}

#[pymethods]
impl Encoder {
    #[new]
    #[pyo3(signature = (coding, level, length=None))]
    fn new(coding: &str, level: u32, length: Option<u64>) -> PyResult<Self> {
        let known = Coding::from_token(coding).ok_or_else(|| {
            PyValueError::new_err(format!("{coding:?} is no coding that there is an encoder for: use gzip, br or zstd"))
        })?;
        let encoder = open(known, level, length).map_err(|error| match error {
            Error::Level { .. } => PyValueError::new_err(error.to_string()),
            Error::Codec { .. } => PyRuntimeError::new_err(error.to_string()),
        })?;
        Ok(Self { level: level.into(), state: Mutex::new(State::Open { encoder, pending: 0 }) })
    }

    /// Takes a piece of the body; returns what there is to send, maybe nothing.
    #[pyo3(signature = (data, /))]
    fn push<'py>(&self, py: Python<'py>, data: &[u8]) -> PyResult<Bound<'py, PyBytes>> {
        self.run(py, data, Flush::None)
    }

    /// What is missing so that all that has been pushed can be decoded.
    fn flush<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        self.run(py, &[], Flush::Sync)
    }

    /// The rest. `RuntimeError` for whatever is called after it.
    fn finish<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        self.run(py, &[], Flush::Finish)
    }
}

/// Encoders for HTTP bodies, in Rust.
#[pymodule(gil_used = false)]
mod _native {
    #[pymodule_export]
    use super::Encoder;

    use pyo3::prelude::*;

    #[pymodule_init]
    fn init(module: &Bound<'_, PyModule>) -> PyResult<()> {
        module.add("__version__", env!("CARGO_PKG_VERSION"))
    }
}
