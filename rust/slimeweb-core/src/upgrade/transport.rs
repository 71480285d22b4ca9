//! `Transport`: an upgraded connection, as its protocol writes to it.

use std::sync::Arc;

use pyo3::exceptions::PyValueError;
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::prelude::*;
use pyo3::types::{PyString, PyTuple};
use slimeweb_http::Peer;

use super::connection::UpgradedConnection;
use crate::guarded;
use crate::reporter::{Reporter, protocol_failed};
use crate::worker::work::{PoolWork, SyncCall};

/// The connection after a protocol switch, in the terms of `asyncio.Transport`. Every method may be called from any
/// thread.
#[pyclass(frozen, weakref, module = "slimeweb._core")]
pub(crate) struct Transport {
    upgraded: Arc<UpgradedConnection>,
}

impl Transport {
    pub(crate) fn new(upgraded: Arc<UpgradedConnection>) -> Self {
        Self { upgraded }
    }

    fn callback(&self, callback: Py<PyAny>, args: Py<PyTuple>) -> Callback {
        (callback, args, self.upgraded.reporter.clone())
    }
}

type Callback = (Py<PyAny>, Py<PyTuple>, Option<Arc<Reporter>>);

fn run(py: Python<'_>, (callback, args, reporter): &Callback) {
    let result = guarded::apply(callback.bind(py), args.bind(py));
    if guarded::is_child() {
        guarded::end_child(py, result.err());
    }
    if let Err(error) = result {
        protocol_failed(reporter.as_deref(), error, callback.bind(py));
    }
}

#[pymethods]
impl Transport {
    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        // As long as the connection is open its task holds it as well: what that needs is no garbage.
        if Arc::strong_count(&self.upgraded) > 1 {
            return Ok(());
        }
        self.upgraded.visit_protocol(|protocol| visit.call(protocol)).unwrap_or(Ok(()))
    }

    fn __clear__(&self) {
        self.upgraded.forget_protocol();
    }

    /// Queues `data` to be sent. Beyond the high-water mark the protocol's `pause_writing` is called.
    fn write(&self, data: &[u8]) {
        self.upgraded.write(data);
    }

    /// Closes the connection once what is queued has been sent.
    fn close(&self) {
        self.upgraded.close();
    }

    /// Closes the connection now; what is queued is lost.
    fn abort(&self) {
        self.upgraded.abort();
    }

    /// Whether the connection is closed or about to be.
    fn is_closing(&self) -> bool {
        self.upgraded.is_closing()
    }

    /// `peername` (host and port, or `""` for a Unix socket) and `scheme` (`http` or `https`); else `default`.
    #[pyo3(signature = (name, default=None))]
    fn get_extra_info<'py>(
        &self,
        py: Python<'py>,
        name: &str,
        default: Option<Bound<'py, PyAny>>,
    ) -> PyResult<Option<Bound<'py, PyAny>>> {
        let connection = &self.upgraded.connection;
        match (name, &connection.peer) {
            ("peername", Peer::Tcp(address)) => {
                Ok(Some((address.ip().to_string(), address.port()).into_pyobject(py)?.into_any()))
            }
            ("peername", Peer::Unix) => Ok(Some(PyString::new(py, "").into_any())),
            ("scheme", _) => Ok(Some(PyString::new(py, if connection.tls { "https" } else { "http" }).into_any())),
            _ => Ok(default),
        }
    }

    /// Bytes queued and not yet handed to the socket.
    fn get_write_buffer_size(&self) -> usize {
        self.upgraded.buffered()
    }

    /// Sets the marks, in bytes, beyond which the protocol is paused and below which it is resumed.
    #[pyo3(signature = (high=None, low=None))]
    fn set_write_buffer_limits(&self, high: Option<usize>, low: Option<usize>) -> PyResult<()> {
        let high = high.unwrap_or_else(|| low.map_or(64 * 1024, |low| low.saturating_mul(4)));
        let low = low.unwrap_or(high / 4);
        if low > high {
            return Err(PyValueError::new_err(format!("low ({low}) must not be above high ({high})")));
        }
        self.upgraded.set_limits(high, low);
        Ok(())
    }

    /// Stops `data_received` until `resume_reading`; the client is then held back by TCP.
    fn pause_reading(&self) {
        self.upgraded.set_reading(false);
    }

    fn resume_reading(&self) {
        self.upgraded.set_reading(true);
    }

    /// Calls back in the loop's thread that the protocol lives in, soon.
    #[pyo3(signature = (callback, *args))]
    fn call_soon(&self, callback: Py<PyAny>, args: Py<PyTuple>) {
        let call = self.callback(callback, args);
        self.upgraded.app.workers.call_in_loop(self.upgraded.worker_id, move |py| run(py, &call));
    }

    /// Calls a sync function as sync handlers are called: on the loop's thread once calls from this route have shown
    /// to be fast, in a pool thread until then; `blocking=` of the route says it outright. It may block in either case,
    /// and finds no running loop. False when there is no place for it in the pool: nothing will be called then.
    #[pyo3(signature = (callback, *args))]
    fn call_plain(&self, callback: Py<PyAny>, args: Py<PyTuple>) -> bool {
        let call = self.callback(callback, args);
        let call = SyncCall { call: Box::new(move |py| run(py, &call)), route: Arc::clone(&self.upgraded.route) };
        self.upgraded.app.workers.call(self.upgraded.worker_id, call)
    }

    /// Calls back in a pool thread, where it may block. False when the pool is full: nothing will be called then.
    #[pyo3(signature = (callback, *args))]
    fn call_in_pool(&self, callback: Py<PyAny>, args: Py<PyTuple>) -> bool {
        let call = self.callback(callback, args);
        self.upgraded.app.workers.pool.submit(PoolWork::Native(Box::new(move |py| run(py, &call)))).is_ok()
    }
}
