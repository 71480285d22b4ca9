//! The client of a connection: what it is sent, how its connection ends, and the rooms it is in.

use std::sync::Arc;

use parking_lot::Mutex;
use pyo3::intern;
use pyo3::prelude::*;

use super::compression::Compression;
use super::listener::{Dispatcher, Listener, sync_function};
use super::members::Members;
use super::outbox::{Frame, Outbox};
use crate::{Close, Encoder, Error, ErrorKind, MessageKind};

/// The close code for a close frame without one (RFC 6455, section 7.4.1).
const NO_CODE: u16 = 1005;

/// A connection's client, as the connection and its rooms see it.
pub(super) struct Client {
    pub(super) outbox: Outbox,
    pub(super) compression: Option<Compression>,
    /// Whom the connection calls; nobody any more after the last event.
    listener: Mutex<Option<Listener>>,
    close_status: Mutex<CloseStatus>,
    /// The rooms it is in; none any more once it has left them all for good.
    rooms: Mutex<Option<Vec<Membership>>>,
}

/// The close frames that were sent and received.
#[derive(Default)]
struct CloseStatus {
    sent: Option<(u16, String)>,
    received: Option<(u16, String)>,
}

/// A room that a connection is in. The object stays as long as it has members.
struct Membership {
    members: Arc<Members<Client>>,
    _room: Py<PyAny>,
}

impl Client {
    pub(super) fn new(listener: Listener, outbox: Outbox, compression: Option<Compression>) -> Self {
        Self {
            outbox,
            compression,
            listener: Mutex::new(Some(listener)),
            close_status: Mutex::default(),
            rooms: Mutex::new(Some(Vec::new())),
        }
    }

    /// Sends a close frame, and has the closing handshake timed. Whether it was the first one.
    ///
    /// With `hurry` messages that wait to be sent are dropped.
    pub(super) fn close(&self, py: Python<'_>, code: Option<u16>, reason: &str, hurry: bool) -> PyResult<bool> {
        let close = code.map(|code| Close { code, reason: reason.to_owned() });
        let first = self.outbox.close(&close.as_ref().map(Close::body).unwrap_or_default(), hurry);
        if !first {
            return Ok(false);
        }
        self.close_status.lock().sent = Some((code.unwrap_or(NO_CODE), reason.to_owned()));
        self.outbox.pump(py);
        if let (Some(transport), Some(listener)) = (self.outbox.transport(py), self.listener(py)) {
            let closing = listener.getattr(intern!(py, "closing"))?;
            transport.call_method1(py, intern!(py, "call_soon"), (closing,))?;
        }
        Ok(true)
    }

    /// Keeps what the client's close frame says.
    pub(super) fn record_close(&self, close: Option<Close>) {
        let (code, reason) = close.map_or((NO_CODE, String::new()), |close| (close.code, close.reason));
        self.close_status.lock().received = Some((code, reason));
    }

    /// Answers the client's close frame with its code, once, and ends the connection when that and all before it is
    /// out.
    pub(super) fn answer_close(&self, py: Python<'_>) -> PyResult<()> {
        let received = self.close_status.lock().received.as_ref().map(|(code, _)| *code);
        self.close(py, received.filter(|code| *code != NO_CODE), "", false)?;
        self.finish(py);
        Ok(())
    }

    /// Closes the connection for what the client has done.
    pub(super) fn close_for(&self, py: Python<'_>, error: &Error) -> PyResult<()> {
        self.close(py, Some(error.code()), &error.to_string(), false)?;
        // A client that still sends too much would lose the close frame to a reset: it gets time to answer.
        if error.kind() != ErrorKind::TooBig {
            self.finish(py);
        }
        Ok(())
    }

    /// Has the transport closed once everything is out.
    fn finish(&self, py: Python<'_>) {
        self.outbox.finish();
        self.outbox.pump(py);
    }

    /// Whether the connection will be closed when all that is due is out: the client has said goodbye, or broken the
    /// protocol.
    pub(super) fn is_ending(&self) -> bool {
        self.outbox.is_finishing() || self.close_status.lock().received.is_some()
    }

    /// The code and the reason of the client's close frame, else of our own.
    pub(super) fn close_frame(&self) -> Option<(u16, String)> {
        let close_status = self.close_status.lock();
        close_status.received.as_ref().or(close_status.sent.as_ref()).cloned()
    }

    pub(super) fn listener<'py>(&self, py: Python<'py>) -> Option<Bound<'py, PyAny>> {
        self.listener.lock().as_ref().map(|listener| listener.object.bind(py).clone())
    }

    /// None after the last event has been taken.
    pub(super) fn dispatcher<'py>(&self, py: Python<'py>) -> Option<Dispatcher<'py>> {
        self.listener.lock().as_ref().map(|listener| listener.dispatcher(py))
    }

    /// The connection is open: messages for a sync function are from now on given to it by `run_callbacks`.
    pub(super) fn open(&self, run_callbacks: Py<PyAny>, transport: &Bound<'_, PyAny>) -> PyResult<()> {
        let mut run_callbacks = Some(run_callbacks);
        if let Some(listener) = &mut *self.listener.lock() {
            std::mem::swap(&mut listener.run_callbacks, &mut run_callbacks);
        }
        self.outbox.open(transport)
    }

    /// Has the transport call `run_callbacks`, where messages are for a sync function. False where it does not.
    pub(super) fn schedule_callbacks(&self, py: Python<'_>) -> PyResult<bool> {
        let (callbacks, run_callbacks) = match &*self.listener.lock() {
            Some(Listener { callbacks, run_callbacks: Some(run_callbacks), .. }) => {
                (callbacks.bind(py).clone(), run_callbacks.bind(py).clone())
            }
            _ => return Ok(false),
        };
        if sync_function(&callbacks)?.is_none() {
            return Ok(false);
        }
        match self.outbox.transport(py) {
            Some(transport) => {
                transport.bind(py).call_method1(intern!(py, "call_plain"), (run_callbacks,))?.is_truthy()
            }
            None => Ok(false),
        }
    }

    /// Drops the listener: it is not notified any more, and the reference cycle ends.
    pub(super) fn forget_listener(&self) {
        let listener = self.listener.lock().take();
        drop(listener);
    }

    /// Enters a room, unless the connection is gone.
    pub(super) fn enter(self: &Arc<Self>, members: &Arc<Members<Self>>, room: &Bound<'_, PyAny>) -> bool {
        // The room first: the other way round, a connection lost in between would stay in it.
        members.add(self);
        let mut rooms = self.rooms.lock();
        match &mut *rooms {
            Some(rooms) => {
                if !rooms.iter().any(|other| Arc::ptr_eq(&other.members, members)) {
                    rooms.push(Membership { members: Arc::clone(members), _room: room.clone().unbind() });
                }
                true
            }
            None => {
                drop(rooms);
                members.remove(self);
                false
            }
        }
    }

    pub(super) fn leave(self: &Arc<Self>, members: &Arc<Members<Self>>) -> bool {
        let left = {
            let mut rooms = self.rooms.lock();
            rooms.as_mut().and_then(|rooms| {
                let index = rooms.iter().position(|other| Arc::ptr_eq(&other.members, members))?;
                Some(rooms.swap_remove(index))
            })
        };
        members.remove(self);
        left.is_some()
    }

    /// Leaves every room, and enters none any more.
    pub(super) fn leave_all(self: &Arc<Self>) {
        let rooms = self.rooms.lock().take();
        for room in rooms.into_iter().flatten() {
            room.members.remove(self);
        }
    }

    /// Queues a message. Whether it will be sent.
    pub(super) fn message(&self, py: Python<'_>, kind: MessageKind, payload: &[u8]) -> bool {
        let Some(compression) = self.compression.as_ref().filter(|it| payload.len() >= it.threshold) else {
            return self.outbox.push(Frame::Own(Encoder::new(None, 0).message(kind, payload, None)));
        };
        py.detach(|| match &compression.kept {
            None => self.outbox.push(Frame::Own(compression.encoder().message(kind, payload, None))),
            Some(encoder) => {
                // Kept until the frame is queued: the client has to see messages in the order in which they were
                // compressed.
                let mut encoder = encoder.lock();
                self.outbox.push(Frame::Own(encoder.message(kind, payload, None)))
            }
        })
    }

    pub(super) fn visit(&self, mut visit: impl FnMut(&Py<PyAny>)) {
        self.outbox.visit(&mut visit);
        // A lock held by a thread that was stopped: the next collection sees what is behind it.
        if let Some(listener) = self.listener.try_lock()
            && let Some(listener) = &*listener
        {
            listener.visit(visit);
        }
    }
}
