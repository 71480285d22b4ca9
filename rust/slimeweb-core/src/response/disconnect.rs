//! `Disconnect`: coroutines that wait for their client to leave.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use parking_lot::Mutex;
use pyo3::exceptions::PyRuntimeError;
use pyo3::intern;
use pyo3::prelude::*;

use super::SlimeResponse;
use super::state::ResponseBody;
use crate::asyncio::new_future;
use crate::request::context::Worker;

/// That a request's client has left, or that the request is over, and the futures that wait for it.
pub(crate) struct Disconnect {
    worker: Arc<Worker>,
    is_over: AtomicBool,
    futures: Mutex<Vec<Py<PyAny>>>,
    /// What the connection calls at the client's end of it.
    watcher: Mutex<Option<Arc<dyn Fn() + Send + Sync>>>,
}

impl Disconnect {
    fn new(worker: &Arc<Worker>) -> Arc<Self> {
        Arc::new(Self {
            worker: Arc::clone(worker),
            is_over: AtomicBool::new(false),
            futures: Mutex::default(),
            watcher: Mutex::default(),
        })
    }

    /// Has the futures resolved, in the loop's thread.
    pub(crate) fn set(self: &Arc<Self>) {
        if self.is_over.swap(true, Ordering::AcqRel) {
            return;
        }
        let this = Arc::clone(self);
        self.worker.post(crate::worker::work::WorkItem::LoopCall(Box::new(move |py| this.resolve(py))));
    }

    /// What calls `set` when the client leaves.
    pub(crate) fn callback(self: &Arc<Self>) -> Box<dyn FnOnce() + Send> {
        let this = Arc::clone(self);
        Box::new(move || this.set())
    }

    fn resolve(&self, py: Python<'_>) {
        let futures = std::mem::take(&mut *self.futures.lock());
        for future in futures {
            if let Err(error) = resolve(future.bind(py)) {
                error.write_unraisable(py, None);
            }
        }
    }
}

/// A request that has not been answered yet drops its end of the channel when the client leaves.
impl Wake for Disconnect {
    fn wake(self: Arc<Self>) {
        self.set();
    }
}

/// Gives a future its result, unless its task has been cancelled.
fn resolve(future: &Bound<'_, PyAny>) -> PyResult<()> {
    let py = future.py();
    if !future.call_method0(intern!(py, "done"))?.is_truthy()? {
        future.call_method1(intern!(py, "set_result"), (py.None(),))?;
    }
    Ok(())
}

impl SlimeResponse {
    /// A future of the running loop that has the result `None` once the client has left or the request is over.
    pub(super) fn await_disconnect<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let request = self.request.get();
        if !(request.route.is_async && request.is_on_worker()) {
            return Err(PyRuntimeError::new_err(
                "only a coroutine handler, on its own event loop, can await resp.client_disconnected()",
            ));
        }
        let future = new_future(py)?;
        let disconnect = self.disconnect.get_or_init(|| {
            let disconnect = Disconnect::new(request.app.workers.get(request.worker_id));
            let watched = Arc::downgrade(&disconnect);
            let watcher: Arc<dyn Fn() + Send + Sync> =
                Arc::new(move || watched.upgrade().iter().for_each(Disconnect::set));
            request.connection.client_eof.watch(&watcher);
            *disconnect.watcher.lock() = Some(watcher);
            disconnect
        });
        self.watch(disconnect);
        disconnect.futures.lock().push(future.clone().unbind());
        if disconnect.is_over.load(Ordering::Acquire) {
            // It may have been set before the future was there.
            disconnect.resolve(py);
        }
        Ok(future)
    }

    /// Has `disconnect` set when the client leaves, as far as the answer has come.
    fn watch(&self, disconnect: &Arc<Disconnect>) {
        let is_gone = {
            let state = self.state.lock();
            match &state.body {
                ResponseBody::Writer(writer) if writer.get().has_started() => {
                    let writer = writer.get();
                    writer.on_client_gone(disconnect.callback());
                    false
                }
                ResponseBody::Upgraded(awaited) => {
                    awaited.on_lost(disconnect.callback());
                    false
                }
                ResponseBody::Sent => true,
                _ => match &mut *self.reply.lock() {
                    Some(reply) => {
                        let waker = Waker::from(Arc::clone(disconnect));
                        matches!(reply.poll_closed(&mut Context::from_waker(&waker)), Poll::Ready(()))
                    }
                    None => false,
                },
            }
        };
        if is_gone {
            disconnect.set();
        }
    }
}
