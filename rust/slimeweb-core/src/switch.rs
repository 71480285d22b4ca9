//! A protocol switch, until the connection has been handed over: who is to get it, and who awaits it.

use std::sync::Arc;

use parking_lot::Mutex;
use pyo3::exceptions::PyConnectionError;
use pyo3::intern;
use pyo3::prelude::*;

use crate::after::AfterGuard;
use crate::error::disconnected;
use crate::reporter::{Reporter, protocol_failed};
use crate::worker::work::{CallInLoop, NativeCall};

/// A protocol that is to get a connection. On one that does not get it `connection_lost` is called, once, and nothing
/// else.
pub(crate) struct Candidate {
    protocol: Option<Py<PyAny>>,
    workers: Arc<dyn CallInLoop>,
    worker_id: usize,
    awaited: Option<Arc<AwaitedSwitch>>,
    reporter: Option<Arc<Reporter>>,
    after: Option<AfterGuard>,
}

impl Candidate {
    pub(crate) fn new(
        protocol: Py<PyAny>,
        workers: Arc<dyn CallInLoop>,
        worker_id: usize,
        reporter: Option<Reporter>,
    ) -> Self {
        Self {
            protocol: Some(protocol),
            workers,
            worker_id,
            awaited: None,
            reporter: reporter.map(Arc::new),
            after: None,
        }
    }

    /// The handler awaits the switch.
    pub(crate) fn set_awaited(&mut self, awaited: Arc<AwaitedSwitch>) {
        self.awaited = Some(awaited);
    }

    /// What is to be called after the connection, whose handler has ended.
    pub(crate) fn set_after(&mut self, after: Option<AfterGuard>) {
        self.after = after;
    }

    /// What is to be dropped at the connection's end.
    pub(crate) fn take_after(&mut self) -> Option<AfterGuard> {
        self.after.take()
    }

    /// The worker on whose loop the protocol is to be called, where that is not the connection's own: the handler that
    /// awaits the switch runs there.
    pub(crate) fn worker_id(&self) -> Option<usize> {
        self.awaited.as_ref().map(|_| self.worker_id)
    }

    /// Who shows what the protocol raises to plugins.
    pub(crate) fn reporter(&self) -> Option<Arc<Reporter>> {
        self.reporter.clone()
    }

    /// The connection is there.
    pub(crate) fn take(mut self) -> (Option<Py<PyAny>>, Option<Arc<AwaitedSwitch>>) {
        (self.protocol.take(), self.awaited.take())
    }
}

impl Drop for Candidate {
    fn drop(&mut self) {
        let Some(protocol) = self.protocol.take() else { return };
        let (awaited, reporter) = (self.awaited.take(), self.reporter.take());
        let call: NativeCall = Box::new(move |py| {
            let reason =
                PyConnectionError::new_err("the connection was not switched: the client has left before, or cannot")
                    .into_value(py);
            if let Err(error) = protocol.call_method1(py, intern!(py, "connection_lost"), (reason,)) {
                protocol_failed(reporter.as_deref(), error, protocol.bind(py));
            }
            if let Some(awaited) = awaited {
                awaited.lost();
                // An error that nobody awaits any more says nothing new.
                let _ = awaited.resolve(py, Err(disconnected()));
            }
        });
        self.workers.call_in_loop(self.worker_id, call);
    }
}

/// What is called when a connection is lost.
pub(crate) type OnLost = Box<dyn FnOnce() + Send>;

/// A switch that a coroutine handler awaits. The connection is the handler's, and ends with it.
pub(crate) struct AwaitedSwitch {
    /// Of the handler's loop: its result is the transport.
    future: Py<PyAny>,
    connection: Mutex<SwitchedConnection>,
    /// Who is to be told when the connection is lost; `None` once it is.
    on_lost: Mutex<Option<Vec<OnLost>>>,
}

enum SwitchedConnection {
    /// The 101 is on its way.
    Pending,
    /// Its transport.
    Open(Py<PyAny>),
    /// The handler has ended.
    Ended,
}

impl AwaitedSwitch {
    pub(crate) fn new(future: Py<PyAny>) -> Arc<Self> {
        Arc::new(Self {
            future,
            connection: Mutex::new(SwitchedConnection::Pending),
            on_lost: Mutex::new(Some(Vec::new())),
        })
    }

    /// Calls `told` once the connection is lost.
    pub(crate) fn on_lost(&self, told: OnLost) {
        let mut on_lost = self.on_lost.lock();
        match &mut *on_lost {
            Some(waiting) => waiting.push(told),
            None => {
                drop(on_lost);
                told();
            }
        }
    }

    /// The connection is lost.
    pub(crate) fn lost(&self) {
        let waiting = self.on_lost.lock().take();
        waiting.into_iter().flatten().for_each(|told| told());
    }

    /// `connection_made` has been called, and this is what came of it. In the thread of the handler's loop.
    pub(crate) fn connected(&self, transport: &Bound<'_, PyAny>, made: PyResult<()>) -> PyResult<()> {
        let py = transport.py();
        let is_over = {
            let mut connection = self.connection.lock();
            let is_over = matches!(*connection, SwitchedConnection::Ended);
            if !is_over {
                *connection = SwitchedConnection::Open(transport.clone().unbind());
            }
            is_over
        };
        if made.is_err() {
            transport.call_method0(intern!(py, "abort"))?;
        } else if is_over {
            transport.call_method0(intern!(py, "close"))?;
        }
        self.resolve(py, made.map(|()| transport.clone()))
    }

    /// Ends the waiting. Returns an error that nobody awaits any more.
    fn resolve(&self, py: Python<'_>, outcome: PyResult<Bound<'_, PyAny>>) -> PyResult<()> {
        let future = self.future.bind(py);
        if future.call_method0(intern!(py, "done"))?.is_truthy()? {
            return outcome.map(drop);
        }
        match outcome {
            Ok(transport) => future.call_method1(intern!(py, "set_result"), (transport,)).map(drop),
            Err(error) => future.call_method1(intern!(py, "set_exception"), (error.into_value(py),)).map(drop),
        }
    }

    /// The handler has ended: closes the connection once everything is written.
    pub(crate) fn close(&self, py: Python<'_>) -> PyResult<()> {
        let connection = std::mem::replace(&mut *self.connection.lock(), SwitchedConnection::Ended);
        match connection {
            SwitchedConnection::Open(transport) => transport.call_method0(py, intern!(py, "close")).map(drop),
            SwitchedConnection::Pending | SwitchedConnection::Ended => Ok(()),
        }
    }
}
