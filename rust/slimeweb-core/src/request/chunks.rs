//! `BodyChunks`: a request body, piece by piece.

use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};

use bytes::Bytes;
use parking_lot::Mutex;
use pyo3::exceptions::{PyRuntimeError, PyStopAsyncIteration};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::PyBytes;
use slimeweb_http::BodyError;
use tokio::sync::mpsc;
use tokio::sync::mpsc::error::TryRecvError;

use crate::asyncio::new_future;
use crate::error;
use crate::request::context::Worker;
use crate::request::payload::ChunkReceiver;
use crate::worker::waiting::Waiting;
use crate::worker::work::WorkItem;

/// A request body, piece by piece as it arrives: `for` in a sync handler, `async for` in an async one.
#[pyclass(frozen, module = "slimeweb._core")]
pub(crate) struct BodyChunks {
    source: Arc<Source>,
}

struct Source {
    receiver: Mutex<Option<ChunkReceiver>>,
    worker: Arc<Worker>,
}

impl BodyChunks {
    pub(crate) fn new(receiver: ChunkReceiver, worker: Arc<Worker>) -> Self {
        Self { source: Arc::new(Source { receiver: Mutex::new(Some(receiver)), worker }) }
    }

    /// A body that is there already.
    pub(crate) fn ready(pieces: &[Bytes], worker: Arc<Worker>) -> Self {
        let (sender, receiver) = mpsc::channel(pieces.len().max(1));
        for piece in pieces {
            // There is room for all of them.
            let _ = sender.try_send(Ok(piece.clone()));
        }
        Self::new(receiver, worker)
    }
}

fn body_error(error: &BodyError) -> PyErr {
    match error {
        BodyError::Disconnected => error::incomplete_body(error.status(), error.to_string()),
        error => error::http_error(error.status(), error.to_string()),
    }
}

#[pymethods]
impl BodyChunks {
    fn __iter__(slf: Bound<'_, Self>) -> Bound<'_, Self> {
        slf
    }

    fn __next__<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyBytes>>> {
        let source = &self.source;
        let piece = match source.receiver.try_lock().as_deref_mut() {
            Some(Some(receiver)) => receiver.try_recv().map(Some),
            Some(None) => Ok(None),
            None => Err(TryRecvError::Empty),
        };
        let piece = match piece {
            Ok(piece) => piece,
            Err(TryRecvError::Disconnected) => None,
            Err(TryRecvError::Empty) => py.detach(|| {
                let _waiting = Waiting::begin();
                source.receiver.lock().as_mut().and_then(mpsc::Receiver::blocking_recv)
            }),
        };
        match piece {
            None => Ok(None),
            Some(Ok(bytes)) => Ok(Some(PyBytes::new(py, &bytes))),
            Some(Err(error)) => Err(body_error(&error)),
        }
    }

    fn __aiter__(slf: Bound<'_, Self>) -> Bound<'_, Self> {
        slf
    }

    /// A future of the running loop with the next piece.
    fn __anext__<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let future = new_future(py)?;
        self.source.advance(py, &future)?;
        Ok(future)
    }
}

impl Source {
    /// Resolves the future with the next piece: now if there is one, else from the loop's thread when it has come.
    fn advance(self: &Arc<Self>, py: Python<'_>, future: &Bound<'_, PyAny>) -> PyResult<()> {
        // Before anything is taken: the channel may wake for a piece that an earlier look has found already, and a task
        // may have given up. What is next then belongs to the future that waits now.
        if future.call_method0(intern!(py, "done"))?.is_truthy()? {
            return Ok(());
        }
        let retry = Waker::from(Arc::new(Retry {
            source: Arc::clone(self),
            future: Mutex::new(Some(future.clone().unbind())),
        }));
        let polled = {
            let Some(mut guard) = self.receiver.try_lock() else {
                return Err(PyRuntimeError::new_err("two tasks read the same request body: read it in one of them"));
            };
            match guard.as_mut() {
                Some(receiver) => receiver.poll_recv(&mut Context::from_waker(&retry)),
                None => Poll::Ready(None),
            }
        };
        match polled {
            Poll::Pending => {}
            Poll::Ready(Some(Ok(bytes))) => {
                future.call_method1(intern!(py, "set_result"), (PyBytes::new(py, &bytes),))?;
            }
            Poll::Ready(Some(Err(error))) => {
                future.call_method1(intern!(py, "set_exception"), (body_error(&error).value(py),))?;
            }
            Poll::Ready(None) => {
                future.call_method1(intern!(py, "set_exception"), (PyStopAsyncIteration::new_err(()).value(py),))?;
            }
        }
        Ok(())
    }
}

/// Wakes a waiting `__anext__` through its loop. Woken once.
struct Retry {
    source: Arc<Source>,
    future: Mutex<Option<Py<PyAny>>>,
}

impl Wake for Retry {
    fn wake(self: Arc<Self>) {
        let Some(future) = self.future.lock().take() else { return };
        let source = Arc::clone(&self.source);
        self.source.worker.post(WorkItem::LoopCall(Box::new(move |py| {
            if let Err(error) = source.advance(py, future.bind(py)) {
                error.write_unraisable(py, None);
            }
        })));
    }
}
