//! `BodyWriter`: a response body sent piece by piece.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use http::Response;
use http::header::CONTENT_LENGTH;
use parking_lot::Mutex;
use pyo3::exceptions::PyRuntimeError;
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::PyString;
use slimeweb_http::{Body, BodySender};

use super::encoders::{EncoderGuard, Encoders, Last};
use crate::asyncio::new_future;
use crate::error::disconnected;
use crate::reply::Reply;
use crate::response::SlimeResponse;
use crate::worker::waiting::Waiting;

/// Writes a response body piece by piece, as fast as the client reads it.
///
/// `write` blocks the handler's thread while the buffer is full; on an event loop, `try_write` and `drain` do the same
/// without blocking. Each takes `bytes`, or `str` that is sent as UTF-8, and raises `ClientDisconnected` once the
/// client is gone. They may be called from several threads: a piece stays in one piece.
#[pyclass(frozen, module = "slimeweb._core")]
pub(crate) struct BodyWriter {
    response: Py<SlimeResponse>,
    sender: BodySender,
    /// The other end, until the head goes out.
    body: Mutex<Option<Body>>,
    started: AtomicBool,
    closed: AtomicBool,
    /// The server has ended the body in the handler's place.
    stopped: AtomicBool,
    /// Whether the task that writes is cancelled when the client leaves.
    cancels: bool,
    /// Those of the route's filters, from `start` on, where one has something to do.
    encoders: OnceLock<Encoders>,
    /// Who waits for room on the event loop.
    waiting: Arc<Drainers>,
}

/// Futures that are done once there is room.
#[derive(Default)]
struct Drainers {
    futures: Mutex<Vec<Py<PyAny>>>,
    /// The sender calls back when there is room.
    armed: AtomicBool,
}

impl Drainers {
    /// Adds a future, and drops those that are not awaited any more.
    fn add(&self, py: Python<'_>, future: &Bound<'_, PyAny>) -> PyResult<()> {
        let mut waiting = std::mem::take(&mut *self.futures.lock());
        // No lock is held meanwhile, since that is Python.
        let mut outcome = Ok(());
        waiting.retain(|waiting| match is_done(waiting.bind(py)) {
            Ok(done) => !done,
            Err(error) => {
                outcome = Err(error);
                false
            }
        });
        waiting.push(future.clone().unbind());
        self.futures.lock().extend(waiting);
        outcome
    }

    /// There is room, or the client is gone. In the loop's thread.
    fn resolve(&self, py: Python<'_>) {
        let waiting = std::mem::take(&mut *self.futures.lock());
        for future in waiting {
            let future = future.bind(py);
            let resolved = is_done(future).and_then(|done| {
                if done { Ok(()) } else { future.call_method1(intern!(py, "set_result"), (py.None(),)).map(drop) }
            });
            if let Err(error) = resolved {
                error.write_unraisable(py, None);
            }
        }
    }
}

fn is_done(future: &Bound<'_, PyAny>) -> PyResult<bool> {
    future.call_method0(intern!(future.py(), "done"))?.is_truthy()
}

impl BodyWriter {
    pub(crate) fn new(response: &Bound<'_, SlimeResponse>, high_water: usize, cancels: bool) -> Self {
        let (sender, body) = Body::channel(high_water.max(1));
        Self {
            response: response.clone().unbind(),
            sender,
            body: Mutex::new(Some(body)),
            started: AtomicBool::new(false),
            closed: AtomicBool::new(false),
            stopped: AtomicBool::new(false),
            cancels,
            encoders: OnceLock::new(),
            waiting: Arc::default(),
        }
    }

    pub(crate) fn has_started(&self) -> bool {
        self.started.load(Ordering::Acquire)
    }

    /// What follows the handler's end: close, unless that has been done.
    pub(crate) fn finish(&self, py: Python<'_>) -> PyResult<()> {
        if self.closed.swap(true, Ordering::AcqRel) {
            return Ok(());
        }
        if let Some(encoders) = self.encoders.get() {
            let guard = encoders.lock(py);
            match guard.encode(py, &[], Last::Finish) {
                // The client may have left: then the rest is dropped.
                Ok(tail) => drop(self.sender.send_last(tail)),
                Err(error) => {
                    self.response.get().note_filter_failure();
                    // Without its end the body is incomplete.
                    self.sender.abort();
                    return Err(error);
                }
            }
        }
        self.sender.close();
        Ok(())
    }

    /// Ends the body as one that is incomplete.
    pub(crate) fn cut(&self) {
        if !self.closed.swap(true, Ordering::AcqRel) {
            self.sender.abort();
        }
    }

    /// Calls `told` once if the client leaves before the body has ended.
    pub(super) fn on_client_gone(&self, told: Box<dyn FnOnce() + Send>) {
        self.sender.on_closed(told);
    }

    /// Calls `told` once the connection is done with the body.
    pub(super) fn on_gone(&self, told: Box<dyn FnOnce() + Send>) {
        self.sender.on_gone(told);
    }

    /// What cancels the task of a coroutine handler that is still at work.
    fn cancellation(&self, py: Python<'_>) -> Box<dyn FnOnce() + Send> {
        let response = self.response.bind(py);
        let request = response.get().request().get();
        let task = Arc::clone(response.get().task());
        let (app, worker_id) = (Arc::clone(&request.app), request.worker_id);
        Box::new(move || {
            app.workers.call_in_loop(worker_id, move |py| {
                if let Err(error) = task.cancel(py) {
                    error.write_unraisable(py, None);
                }
            });
        })
    }

    fn open(&self) -> PyResult<()> {
        if !self.has_started() {
            return Err(PyRuntimeError::new_err("the body has not been started: call start() before the first write"));
        }
        if self.stopped.load(Ordering::Acquire) {
            // For the handler it is as if the client had left.
            return Err(disconnected());
        }
        if self.closed.load(Ordering::Acquire) {
            return Err(PyRuntimeError::new_err("the body has been closed: nothing can be written after close()"));
        }
        Ok(())
    }

    /// Sends `data` if there is room for it now: false, and nothing sent, when there is not.
    fn send_now(&self, py: Python<'_>, data: &[u8], guard: Option<&EncoderGuard<'_>>) -> PyResult<bool> {
        let sent = match guard {
            None => self.sender.try_send(data),
            // Before they are encoded, since encoders do not forget what they have been given.
            Some(_) if !self.sender.has_room() && !self.sender.is_closed() => return Ok(false),
            Some(guard) => self.sender.send_last(guard.encode(py, data, Last::Flush)?).map(|()| true),
        };
        sent.map_err(|_| disconnected())
    }

    /// Sends `data`, waiting until there is room for it.
    fn send(&self, py: Python<'_>, data: &[u8], guard: Option<&EncoderGuard<'_>>) -> PyResult<()> {
        if self.send_now(py, data, guard)? {
            return Ok(());
        }
        let data = match guard {
            None => Bytes::copy_from_slice(data),
            Some(guard) => guard.encode(py, data, Last::Flush)?,
        };
        py.detach(|| {
            let _waiting = Waiting::begin();
            self.sender.send_blocking(data)
        })
        .map_err(|_| disconnected())
    }
}

/// Text as UTF-8, bytes as they are.
fn octets<'a>(data: &'a Bound<'_, PyAny>) -> PyResult<&'a [u8]> {
    match data.cast::<PyString>() {
        Ok(text) => Ok(text.to_str()?.as_bytes()),
        Err(_) => Ok(data.extract()?),
    }
}

#[pymethods]
impl BodyWriter {
    /// A cycle ends where the response, or an encoder, is cleared.
    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.response)?;
        self.encoders.get().map_or(Ok(()), |encoders| encoders.visit(&visit))
    }

    /// Sends status and headers. `RuntimeError` when that has been done.
    fn start(slf: &Bound<'_, Self>) -> PyResult<()> {
        let (this, py) = (slf.get(), slf.py());
        if this.started.load(Ordering::Acquire) {
            return Err(PyRuntimeError::new_err("the body has been started already"));
        }
        let response = this.response.bind(py);
        let encoders = SlimeResponse::begin_filters(response).inspect_err(|_| response.get().note_filter_failure())?;
        SlimeResponse::prepare_head(response, None)?;
        let Some(body) = this.body.lock().take() else {
            return Err(PyRuntimeError::new_err("the body has been started already"));
        };
        let is_filtered = !encoders.is_empty();
        if is_filtered {
            // The body was there to be taken: this is the first time.
            let _ = this.encoders.set(Encoders::new(encoders));
        }
        let (status, mut headers) = response.get().take_head(slf)?;
        this.started.store(true, Ordering::Release);
        if is_filtered {
            headers.remove(CONTENT_LENGTH);
        }
        let mut reply = Response::new(body);
        *reply.status_mut() = status;
        *reply.headers_mut() = headers;
        let Some(sender) = response.get().take_reply() else {
            return Err(PyRuntimeError::new_err("the response has been sent already"));
        };
        // A coroutine is cancelled when the client leaves; a thread gets an error from its next write.
        if this.cancels {
            this.sender.on_closed(this.cancellation(py));
        }
        if let Some(disconnect) = response.get().disconnect() {
            this.on_client_gone(disconnect.callback());
        }
        sender.send(Reply::Response(reply)).map_err(|_| disconnected())
    }

    /// Whether status and headers have been sent.
    #[getter]
    fn started(&self) -> bool {
        self.has_started()
    }

    /// Whether nothing can be written any more: closed here, or the client is gone.
    #[getter]
    fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Acquire) || self.stopped.load(Ordering::Acquire) || self.sender.is_closed()
    }

    /// Sends `data`, waiting until there is room for it. Not for an event loop's thread: it would stop there.
    fn write(&self, data: &Bound<'_, PyAny>) -> PyResult<()> {
        let py = data.py();
        let guard = self.encoders.get().map(|encoders| encoders.lock(py));
        // After locking, since the thread that held the lock may have ended the body.
        self.open()?;
        self.send(py, octets(data)?, guard.as_ref())
    }

    /// Sends `data` if there is room: `False`, and nothing sent, when there is not, or another thread is writing. Await
    /// `drain()` then.
    fn try_write(&self, data: &Bound<'_, PyAny>) -> PyResult<bool> {
        let guard = match self.encoders.get().map(Encoders::try_lock) {
            Some(None) => return Ok(false),
            guard => guard.flatten(),
        };
        self.open()?;
        self.send_now(data.py(), octets(data)?, guard.as_ref())
    }

    /// A future of the running loop that is done once there is room, or the client is gone.
    fn drain<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let future = new_future(py)?;
        if self.sender.has_room() || self.is_closed() {
            future.call_method1(intern!(py, "set_result"), (py.None(),))?;
            return Ok(future);
        }
        self.waiting.add(py, &future)?;
        if !self.waiting.armed.swap(true, Ordering::AcqRel) {
            let request = self.response.get().request().get();
            let (app, worker_id, waiting) = (Arc::clone(&request.app), request.worker_id, Arc::clone(&self.waiting));
            self.sender.on_room(Box::new(move || {
                app.workers.call_in_loop(worker_id, move |py| {
                    // A future that is added from here on registers anew.
                    waiting.armed.store(false, Ordering::Release);
                    waiting.resolve(py);
                });
            }));
        }
        Ok(future)
    }

    /// Ends the body. The client sees a complete answer.
    fn close(&self, py: Python<'_>) -> PyResult<()> {
        if !self.has_started() {
            return Err(PyRuntimeError::new_err("the body has not been started: call start() before close()"));
        }
        self.finish(py)
    }

    /// Ends the body because the server is about to: the client sees a complete answer, a coroutine handler is
    /// cancelled, and later writes raise `ClientDisconnected`. For bodies without an end of their own, such
    /// as event streams. Does nothing to a body that has not been started, or has been ended.
    fn stop(&self, py: Python<'_>) -> PyResult<()> {
        if !self.has_started() || self.closed.load(Ordering::Acquire) {
            return Ok(());
        }
        // First, since writers look at it once the body is closed.
        self.stopped.store(true, Ordering::Release);
        // The thread that holds the encoders may be waiting for the client: its next write ends it.
        let is_free = self.encoders.get().is_none_or(|encoders| encoders.try_lock().is_some());
        let ended = if is_free { self.finish(py) } else { Ok(()) };
        if self.cancels {
            self.cancellation(py)();
        }
        ended
    }

    /// Cuts the connection once what was written is out, so that the client can tell that the answer is incomplete.
    fn abort(&self) {
        self.cut();
    }
}
