//! The encoders that filters make for one body: what they make of its pieces, for one thread at a time.

use bytes::Bytes;
use parking_lot::{Condvar, Mutex};
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::worker::waiting::Waiting;

/// The encoders of a route's filters, in their order, for one thread at a time: what they make has to leave in that
/// order.
pub(super) struct Encoders {
    encoders: Box<[Py<PyAny>]>,
    /// No lock is held while they run, since that is Python.
    busy: Mutex<bool>,
    free: Condvar,
}

/// The lock on the encoders: for using them, and for sending what they make.
pub(super) struct EncoderGuard<'a>(&'a Encoders);

impl Encoders {
    pub(super) fn new(encoders: Vec<Py<PyAny>>) -> Self {
        Self { encoders: encoders.into(), busy: Mutex::new(false), free: Condvar::new() }
    }

    /// Shows the encoders to the garbage collector.
    pub(super) fn visit(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        self.encoders.iter().try_for_each(|encoder| visit.call(encoder))
    }

    /// Waits until no other thread holds the lock.
    pub(super) fn lock(&self, py: Python<'_>) -> EncoderGuard<'_> {
        self.try_lock().unwrap_or_else(|| {
            py.detach(|| {
                // The thread that holds it may be waiting for the client.
                let _waiting = Waiting::begin();
                let mut busy = self.busy.lock();
                self.free.wait_while(&mut busy, |busy| *busy);
                *busy = true;
            });
            EncoderGuard(self)
        })
    }

    pub(super) fn try_lock(&self) -> Option<EncoderGuard<'_>> {
        let was_busy = std::mem::replace(&mut *self.busy.lock(), true);
        // Not `then_some`: a guard that is made unlocks when it is dropped.
        (!was_busy).then(|| EncoderGuard(self))
    }
}

impl EncoderGuard<'_> {
    /// The data as the encoders have it.
    pub(super) fn encode(&self, py: Python<'_>, data: &[u8], last: Last) -> PyResult<Bytes> {
        let mut data = Bytes::copy_from_slice(data);
        for encoder in &self.0.encoders {
            data = encoded(encoder.bind(py), &data, last)?.into();
        }
        Ok(data)
    }
}

impl Drop for EncoderGuard<'_> {
    fn drop(&mut self) {
        *self.0.busy.lock() = false;
        self.0.free.notify_one();
    }
}

/// What follows a piece.
#[derive(Clone, Copy)]
pub(super) enum Last {
    Flush,
    Finish,
}

/// What an encoder makes of `data`, with what follows it.
pub(super) fn encoded(encoder: &Bound<'_, PyAny>, data: &[u8], last: Last) -> PyResult<Vec<u8>> {
    let py = encoder.py();
    let mut encoded = Vec::with_capacity(data.len() / 2);
    if !data.is_empty() {
        let pushed = encoder.call_method1(intern!(py, "push"), (PyBytes::new(py, data),))?;
        encoded.extend_from_slice(pushed.extract::<&[u8]>()?);
    }
    let rest = match last {
        Last::Flush => encoder.call_method0(intern!(py, "flush"))?,
        Last::Finish => encoder.call_method0(intern!(py, "finish"))?,
    };
    encoded.extend_from_slice(rest.extract::<&[u8]>()?);
    Ok(encoded)
}
