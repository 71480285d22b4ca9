//! A room: connections that are sent the same messages.

use std::sync::Arc;

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use super::arguments::{check_close, payload};
use super::client::Client;
use super::compression::Compression;
use super::connection::Connection;
use super::members::Members;
use super::outbox::{Frame, Offered, OverflowPolicy};
use crate::{Encoder, MessageKind};

/// The close code for a client that does not read what it is sent: try again later (IANA registry).
const TOO_SLOW: u16 = 1013;

/// Connections that are sent the same messages, each encoded once. A connection leaves by itself when it is lost.
///
/// Every method may be called from any thread. `len(room)` is how many connections are in it.
#[pyclass(frozen, weakref, module = "slimeweb_ws._native")]
pub(super) struct Room {
    members: Arc<Members<Client>>,
}

/// One message to a room, encoded in the forms that its receivers need, each when it is first needed.
struct RoomMessage<'a> {
    kind: MessageKind,
    payload: &'a [u8],
    plain: Option<(Arc<Py<PyBytes>>, usize)>,
    compressed: Option<(Arc<Py<PyBytes>>, usize)>,
}

/// A broadcast that waits for room in the queue of one client.
#[pyclass(frozen, module = "slimeweb_ws._native")]
pub(super) struct Owed {
    member: Arc<Client>,
    bytes: Arc<Py<PyBytes>>,
    length: usize,
    limit: usize,
}

impl<'a> RoomMessage<'a> {
    fn new(kind: MessageKind, payload: &'a [u8]) -> Self {
        Self { kind, payload, plain: None, compressed: None }
    }

    fn frame(&mut self, py: Python<'_>, member: &Client) -> Frame {
        let (bytes, length) = self.form(py, member);
        Frame::Shared(bytes, length)
    }

    /// The bytes of the frame for a client, and how many they are.
    fn form(&mut self, py: Python<'_>, member: &Client) -> (Arc<Py<PyBytes>>, usize) {
        // A client with context takeover, or a small window, gets it uncompressed, which RFC 7692 (section 6) allows.
        let compression =
            member.compression.as_ref().filter(|it| it.is_shareable() && self.payload.len() >= it.threshold);
        let form = if compression.is_some() { &mut self.compressed } else { &mut self.plain };
        let (bytes, length) = form.get_or_insert_with(|| {
            let (kind, payload) = (self.kind, self.payload);
            let frame = py.detach(|| {
                compression.map_or_else(|| Encoder::new(None, 0), Compression::encoder).message(kind, payload, None)
            });
            (Arc::new(PyBytes::new(py, &frame).unbind()), frame.len())
        });
        (Arc::clone(bytes), *length)
    }
}

impl Room {
    /// Queues a message for everyone but `exclude` who has room: how many, and those who have none.
    fn spread(
        &self,
        py: Python<'_>,
        message: &mut RoomMessage<'_>,
        limit: usize,
        drops: OverflowPolicy,
        exclude: Option<&Bound<'_, Connection>>,
    ) -> (usize, Vec<Arc<Client>>) {
        let excluded = exclude.map(|connection| connection.get().client());
        let mut count = 0;
        let mut slow = Vec::new();
        for member in self.members.all() {
            if excluded.is_some_and(|excluded| Arc::ptr_eq(&member, excluded)) {
                continue;
            }
            match member.outbox.offer(message.frame(py, &member), limit, drops).0 {
                Offered::Queued => {
                    count += 1;
                    member.outbox.pump(py);
                }
                Offered::Full => slow.push(member),
                Offered::Closed => {}
            }
        }
        (count, slow)
    }
}

#[pymethods]
impl Room {
    #[new]
    fn new() -> Self {
        Self { members: Arc::default() }
    }

    fn __len__(&self) -> usize {
        self.members.len()
    }

    fn __contains__(&self, connection: &Bound<'_, PyAny>) -> bool {
        connection.cast::<Connection>().is_ok_and(|connection| self.members.contains(connection.get().client()))
    }

    /// Adds a connection, open or about to be. False when it is gone already.
    fn join(slf: &Bound<'_, Self>, connection: &Bound<'_, Connection>) -> bool {
        connection.get().client().enter(&slf.get().members, slf.as_any())
    }

    /// Removes a connection. False when it was not in the room.
    fn leave(slf: &Bound<'_, Self>, connection: &Bound<'_, Connection>) -> bool {
        connection.get().client().leave(&slf.get().members)
    }

    /// Sends a message to everyone in the room but `exclude`: text for `str`, binary for `bytes`. Returns how many
    /// clients it was queued for.
    ///
    /// `limit` is how many bytes may wait for one client. Beyond that, `policy` says what becomes of the client:
    /// `"drop_oldest"` forgets its oldest waiting broadcasts, `"close"` closes its connection with 1013, `"block"`
    /// waits for it, after everyone else has been sent to: not on an event loop's thread. `ValueError` for another
    /// policy, `TypeError` for another type.
    #[pyo3(signature = (data, *, policy, limit, exclude=None))]
    fn broadcast(
        &self,
        py: Python<'_>,
        data: &Bound<'_, PyAny>,
        policy: &str,
        limit: usize,
        exclude: Option<&Bound<'_, Connection>>,
    ) -> PyResult<usize> {
        let (kind, payload) = payload(data)?;
        let (drops, closes) = match policy {
            "drop_oldest" => (OverflowPolicy::DropOldest, false),
            "close" => (OverflowPolicy::Refuse, true),
            "block" => (OverflowPolicy::Refuse, false),
            _ => {
                return Err(PyValueError::new_err(format!(
                    "there is no policy {policy:?}: use \"drop_oldest\", \"close\" or \"block\""
                )));
            }
        };
        let mut message = RoomMessage::new(kind, payload);
        let (mut count, slow) = self.spread(py, &mut message, limit, drops, exclude);
        if drops == OverflowPolicy::DropOldest {
            return Ok(count);
        }
        for member in slow {
            if closes {
                member.close(py, Some(TOO_SLOW), "reads too slowly", true)?;
                continue;
            }
            loop {
                let frame = message.frame(py, &member);
                member.outbox.wait_for(py, frame.len(), limit)?;
                match member.outbox.offer(frame, limit, drops).0 {
                    Offered::Queued => {
                        count += 1;
                        member.outbox.pump(py);
                        break;
                    }
                    // Another sender was quicker.
                    Offered::Full => {}
                    Offered::Closed => break,
                }
            }
        }
        Ok(count)
    }

    /// As `broadcast` with the policy `"block"`, but waits for nobody: returns how many it was queued for, and what the
    /// others are owed.
    #[pyo3(signature = (data, *, limit, exclude=None))]
    fn offer(
        &self,
        py: Python<'_>,
        data: &Bound<'_, PyAny>,
        limit: usize,
        exclude: Option<&Bound<'_, Connection>>,
    ) -> PyResult<(usize, Vec<Owed>)> {
        let (kind, payload) = payload(data)?;
        let mut message = RoomMessage::new(kind, payload);
        let (count, slow) = self.spread(py, &mut message, limit, OverflowPolicy::Refuse, exclude);
        let owe = |member: Arc<Client>| {
            let (bytes, length) = message.form(py, &member);
            Owed { member, bytes, length, limit }
        };
        Ok((count, slow.into_iter().map(owe).collect()))
    }

    /// Begins the closing handshake of every connection in the room. Returns how many were open. `ValueError` as for
    /// `Connection.close`.
    #[pyo3(signature = (code, reason=""))]
    fn close_all(slf: &Bound<'_, Self>, code: u16, reason: &str) -> PyResult<usize> {
        check_close(code, reason)?;
        let py = slf.py();
        let mut count = 0;
        for member in slf.get().members.all() {
            if member.close(py, Some(code), reason, false)? {
                count += 1;
            }
        }
        Ok(count)
    }
}

#[pymethods]
impl Owed {
    /// Queues it where there is room. True: it is queued. False: the client takes no messages any more. None: there is
    /// no room yet.
    fn offer(&self, py: Python<'_>) -> Option<bool> {
        let frame = Frame::Shared(Arc::clone(&self.bytes), self.length);
        match self.member.outbox.offer(frame, self.limit, OverflowPolicy::Refuse).0 {
            Offered::Queued => {
                self.member.outbox.pump(py);
                Some(true)
            }
            Offered::Full => None,
            Offered::Closed => Some(false),
        }
    }

    /// Has `callback` called without arguments, in the loop's thread, once there is room or the connection is gone.
    /// False when there is room already, or never will be: it is not called then.
    fn notify(&self, callback: Py<PyAny>) -> bool {
        self.member.outbox.notify_for(callback, self.length, self.limit)
    }

    /// Takes back what `notify` was given, if it has not been called.
    fn forget(&self, callback: &Bound<'_, PyAny>) {
        self.member.outbox.forget(callback);
    }
}
