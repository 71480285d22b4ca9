//! One connection: the protocol object that the core's transport calls.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyString};

use super::dispatch::{self, DispatchResult};
use super::inbox::{DecodeOutcome, Event, Inbox};
use super::members::Members;
use super::outbox::{Frame, Outbox};
use crate::{
    Close, Decoded, Decoder, Deflate, Deflater, Encoder, Error, ErrorKind, Inflater, Limits, MAX_REASON, MessageKind,
    NegotiationOptions, Offer, Opcode, Role, is_sendable, write_frame,
};

/// From this size on, in bytes, a thread detaches while it decodes or compresses: below, detaching costs more than it
/// gives other threads.
const WORTH_DETACHING: usize = 4 * 1024;
/// How many callbacks run in a row before their thread, or loop, is released to others.
pub(super) const BATCH: usize = 16;
/// The close code for a close frame without one, and for none at all (RFC 6455, section 7.4.1).
const NO_CODE: u16 = 1005;
const ABNORMAL: u16 = 1006;

/// A WebSocket connection, from its 101 on: a protocol object in the terms of `asyncio.Protocol`.
///
/// It has messages given to sync callbacks by itself (`run_callbacks`, through the transport's `call_plain`), and
/// leaves everything else to its listener.
///
/// `listener` has `callbacks` (`slimeweb_ws.callbacks.Callbacks`) and six methods. Called in the transport's loop
/// thread: `opened(transport)`; `ready()` when there is something to take, no thread is taking and the connection has
/// not scheduled one; `closing()` when the closing handshake has begun and may be timed from there; `close_deferred()`
/// when the client has begun it while events wait for callbacks: `answer_close` follows when they have been taken, or
/// before; `lost()`. Called in the thread that runs callbacks: `resume(called, event, failure)` with what `dispatch`
/// says, where there is more to do.
#[pyclass(frozen, weakref, module = "slimeweb_ws._native")]
pub(super) struct Connection {
    shared: Arc<Shared>,
    pub(super) inbox: Inbox,
    extension: Option<String>,
    created_at: Instant,
    /// When bytes last arrived, and when a message did: nanoseconds after `created_at`.
    last_data: AtomicU64,
    last_message: AtomicU64,
}

/// A room that a connection is in. The object stays as long as it has members.
struct Membership {
    members: Arc<Members<Shared>>,
    _room: Py<PyAny>,
}

/// The part of a connection that rooms use.
pub(super) struct Shared {
    pub(super) outbox: Outbox,
    pub(super) compression: Option<Compression>,
    listener: Mutex<Option<Listener>>,
    close_status: Mutex<CloseStatus>,
    /// The rooms it is in; none any more once it has left them all for good.
    rooms: Mutex<Option<Vec<Membership>>>,
}

/// Whom a connection calls.
struct Listener {
    object: Py<PyAny>,
    /// What the application has registered: `callbacks.message` is the function for messages.
    callbacks: Py<PyAny>,
    /// Its `callbacks.call`: `call(function, message)` calls a function in the connection's context.
    call: Py<PyAny>,
    /// The connection's `run_callbacks`, from its opening on.
    run_callbacks: Option<Py<PyAny>>,
}

/// What running callbacks needs of a [`Listener`].
pub(super) struct Dispatcher<'py> {
    pub(super) callbacks: Bound<'py, PyAny>,
    pub(super) call: Bound<'py, PyAny>,
}

/// How messages to this client are compressed.
pub(super) struct Compression {
    pub(super) level: u8,
    pub(super) threshold: usize,
    window_bits: u8,
    /// With context takeover: what earlier messages have left, for one message at a time.
    encoder: Option<Mutex<Encoder>>,
}

/// The close frames that were sent and received.
#[derive(Default)]
struct CloseStatus {
    sent: Option<(u16, String)>,
    received: Option<(u16, String)>,
}

impl Listener {
    fn new(object: &Bound<'_, PyAny>) -> PyResult<Self> {
        let callbacks = object.getattr(intern!(object.py(), "callbacks"))?;
        let call = callbacks.getattr(intern!(object.py(), "call"))?.unbind();
        Ok(Self { object: object.clone().unbind(), callbacks: callbacks.unbind(), call, run_callbacks: None })
    }
}

impl Compression {
    /// Whether a message compressed for one client with these terms reads the same for all of them.
    pub(super) fn is_shareable(&self) -> bool {
        self.encoder.is_none() && self.window_bits == 15
    }

    pub(super) fn encoder(&self) -> Encoder {
        Encoder::new(Some(Deflater::new(self.level, self.window_bits, false)), self.threshold)
    }
}

impl Shared {
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

    /// The code of the client's close frame, if it has one.
    fn received_code(&self) -> Option<u16> {
        self.close_status.lock().received.as_ref().map(|(code, _)| *code).filter(|code| *code != NO_CODE)
    }

    fn listener<'py>(&self, py: Python<'py>) -> Option<Bound<'py, PyAny>> {
        self.listener.lock().as_ref().map(|listener| listener.object.bind(py).clone())
    }

    /// None after the last event has been taken.
    pub(super) fn dispatcher<'py>(&self, py: Python<'py>) -> Option<Dispatcher<'py>> {
        self.listener.lock().as_ref().map(|listener| Dispatcher {
            callbacks: listener.callbacks.bind(py).clone(),
            call: listener.call.bind(py).clone(),
        })
    }

    /// Has the transport call `run_callbacks`, where messages are for a sync function. False where it does not.
    fn schedule_callbacks(&self, py: Python<'_>) -> PyResult<bool> {
        let (callbacks, run_callbacks) = match &*self.listener.lock() {
            Some(Listener { callbacks, run_callbacks: Some(run_callbacks), .. }) => {
                (callbacks.bind(py).clone(), run_callbacks.bind(py).clone())
            }
            _ => return Ok(false),
        };
        if dispatch::sync_function(&callbacks)?.is_none() {
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
    fn leave_all(self: &Arc<Self>) {
        let rooms = self.rooms.lock().take();
        for room in rooms.into_iter().flatten() {
            room.members.remove(self);
        }
    }

    fn message(&self, py: Python<'_>, kind: MessageKind, payload: &[u8]) -> bool {
        let Some(compression) = self.compression.as_ref().filter(|it| payload.len() >= it.threshold) else {
            return self.outbox.push(Frame::Own(Encoder::new(None, 0).message(kind, payload, None)));
        };
        py.detach(|| match &compression.encoder {
            None => self.outbox.push(Frame::Own(compression.encoder().message(kind, payload, None))),
            Some(encoder) => {
                // Kept until the frame is queued: the client has to see messages in the order in which they were
                // compressed.
                let mut encoder = encoder.lock();
                self.outbox.push(Frame::Own(encoder.message(kind, payload, None)))
            }
        })
    }
}

impl Connection {
    pub(super) fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    /// Whether the connection will be closed when all that is due is out: the client has said goodbye, or broken the
    /// protocol.
    fn is_ending(&self) -> bool {
        self.shared.outbox.is_finishing() || self.shared.close_status.lock().received.is_some()
    }

    fn now(&self) -> u64 {
        u64::try_from(self.created_at.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }

    fn since(&self, moment: &AtomicU64) -> f64 {
        Duration::from_nanos(self.now().saturating_sub(moment.load(Ordering::Relaxed))).as_secs_f64()
    }

    fn notify_listener(&self, py: Python<'_>, method: &Bound<'_, PyString>) -> PyResult<()> {
        match self.shared.listener(py) {
            Some(listener) => listener.call_method0(method).map(drop),
            None => Ok(()),
        }
    }

    fn post(&self, py: Python<'_>, event: Event) -> PyResult<()> {
        if self.inbox.post(event) && !self.shared.schedule_callbacks(py)? {
            return self.notify_listener(py, intern!(py, "ready"));
        }
        Ok(())
    }

    /// Decodes `data`, and what had to wait before it, as far as there is room.
    fn decode(&self, py: Python<'_>, mut data: &[u8]) -> PyResult<()> {
        loop {
            let outcome = if data.len() >= WORTH_DETACHING {
                py.detach(|| self.inbox.decode(&mut data))
            } else {
                self.inbox.decode(&mut data)
            };
            match outcome {
                DecodeOutcome::Nothing => return Ok(()),
                DecodeOutcome::Full => {
                    return match self.shared.outbox.transport(py) {
                        Some(transport) => transport.call_method0(py, intern!(py, "pause_reading")).map(drop),
                        None => Ok(()),
                    };
                }
                DecodeOutcome::Decoded(decoded) => self.handle_decoded(py, decoded)?,
                DecodeOutcome::Failed(error) => self.fail(py, error)?,
            }
        }
    }

    fn handle_decoded(&self, py: Python<'_>, decoded: Decoded) -> PyResult<()> {
        match decoded {
            Decoded::Message(message) => {
                self.last_message.store(self.now(), Ordering::Relaxed);
                // Messages after our close frame are ignored.
                if self.shared.outbox.is_open() { self.post(py, Event::Message(message)) } else { Ok(()) }
            }
            Decoded::Ping(payload) => {
                self.shared.outbox.pong(&payload);
                self.shared.outbox.pump(py);
                Ok(())
            }
            Decoded::Pong(_) => Ok(()),
            Decoded::Close(close) => {
                self.shared.record_close(close);
                // What the client has sent before may still be answered (RFC 6455, section 5.5.1), for a while.
                if self.shared.outbox.is_open() && self.inbox.defer_close() {
                    self.notify_listener(py, intern!(py, "close_deferred"))
                } else {
                    self.answer_close(py)
                }
            }
        }
    }

    /// What the client sent before its breach may still be answered: the close follows when that has been taken, but
    /// the client is not waited for longer than for any other close.
    fn fail(&self, py: Python<'_>, error: Error) -> PyResult<()> {
        self.post(py, Event::Error(error))?;
        self.notify_listener(py, intern!(py, "closing"))
    }

    pub(super) fn close_for(&self, py: Python<'_>, error: &Error) -> PyResult<()> {
        self.shared.close(py, Some(error.code()), &error.to_string(), false)?;
        // A client that still sends too much would lose the close frame to a reset: it gets time to answer.
        if error.kind() != ErrorKind::TooBig {
            self.shared.outbox.finish();
            self.shared.outbox.pump(py);
        }
        Ok(())
    }
}

#[pymethods]
impl Connection {
    /// `offers` are the members of the request's `Sec-WebSocket-Extensions`, each a name and its parameters; none to go
    /// without compression.
    #[new]
    #[pyo3(signature = (
        listener, *, max_message_size, send_buffer, offers=vec![], context_takeover=false, level=1, threshold=1024
    ))]
    fn new(
        listener: &Bound<'_, PyAny>,
        max_message_size: usize,
        send_buffer: usize,
        offers: Vec<Offer>,
        context_takeover: bool,
        level: u8,
        threshold: usize,
    ) -> PyResult<Self> {
        let listener = Listener::new(listener)?;
        let deflate = Deflate::negotiate(&offers, NegotiationOptions { context_takeover });
        let inflater = deflate.map(|deflate| Inflater::new(15, !deflate.client_no_context_takeover));
        let compression = deflate.map(|deflate| {
            let window_bits = deflate.server_max_window_bits;
            let kept = Encoder::new(Some(Deflater::new(level, window_bits, true)), threshold);
            Compression {
                level,
                threshold,
                window_bits,
                encoder: (!deflate.server_no_context_takeover).then(|| Mutex::new(kept)),
            }
        });
        Ok(Self {
            shared: Arc::new(Shared {
                outbox: Outbox::new(send_buffer),
                compression,
                listener: Mutex::new(Some(listener)),
                close_status: Mutex::default(),
                rooms: Mutex::new(Some(Vec::new())),
            }),
            inbox: Inbox::new(Decoder::new(Role::Server, Limits::of_message(max_message_size), inflater)),
            extension: deflate.map(|deflate| deflate.to_string()),
            created_at: Instant::now(),
            last_data: AtomicU64::new(0),
            last_message: AtomicU64::new(0),
        })
    }

    /// The value of the 101's `Sec-WebSocket-Extensions`, where compression was agreed upon.
    #[getter]
    fn extension(&self) -> Option<&str> {
        self.extension.as_deref()
    }

    fn connection_made(slf: &Bound<'_, Self>, transport: &Bound<'_, PyAny>) -> PyResult<()> {
        let (this, py) = (slf.get(), slf.py());
        let now = this.now();
        this.last_data.store(now, Ordering::Relaxed);
        this.last_message.store(now, Ordering::Relaxed);
        let run_callbacks = slf.getattr(intern!(py, "run_callbacks"))?.unbind();
        if let Some(listener) = &mut *this.shared.listener.lock() {
            listener.run_callbacks = Some(run_callbacks);
        }
        this.shared.outbox.open(transport)?;
        match this.shared.listener(py) {
            Some(listener) => listener.call_method1(intern!(py, "opened"), (transport,)).map(drop),
            None => Ok(()),
        }
    }

    fn data_received(&self, py: Python<'_>, data: &[u8]) -> PyResult<()> {
        self.last_data.store(self.now(), Ordering::Relaxed);
        self.decode(py, data)
    }

    /// A WebSocket connection has no half that could stay open, but for what is still due to a client that has closed,
    /// or may have in what is not decoded yet.
    fn eof_received(&self) -> bool {
        self.inbox.end_input() || self.is_ending()
    }

    #[pyo3(signature = (exc=None))]
    fn connection_lost(&self, py: Python<'_>, exc: Option<&Bound<'_, PyAny>>) -> PyResult<()> {
        // The reason is not passed on: the close code shows that it was not a clean end.
        let _ = exc;
        for waiter in self.shared.outbox.lose() {
            // It belongs to whoever waits, whose loop may be gone: nothing that this connection's end may depend on.
            if let Err(error) = waiter.call0(py) {
                error.write_unraisable(py, Some(waiter.bind(py)));
            }
        }
        self.shared.leave_all();
        self.notify_listener(py, intern!(py, "lost"))?;
        // Without a transport there is no `call_plain` any more: the listener finds a thread.
        if self.inbox.lose() { self.notify_listener(py, intern!(py, "ready")) } else { Ok(()) }
    }

    /// The outbox queries the transport itself, since this is called too late for a sender in another thread.
    fn pause_writing(&self) {}

    fn resume_writing(&self, py: Python<'_>) {
        self.shared.outbox.resume(py);
    }

    /// Queues an `OpenEvent`.
    fn notify_open(&self, py: Python<'_>) -> PyResult<()> {
        self.post(py, Event::Open)
    }

    /// The next event: a message, `str` or `bytes`; an `OpenEvent`; an `ErrorEvent`; a `CloseEvent`, the last.
    ///
    /// None: nothing for now, and `ready` will be called for the next one. To be called by one thread at a time.
    fn take<'py>(slf: &Bound<'py, Self>) -> PyResult<Option<Bound<'py, PyAny>>> {
        dispatch::take(slf)
    }

    /// Takes messages and calls the sync function of `callbacks.message` with each: `most` times at most, and until
    /// there is something else to do. Says how often it has called, what it has taken beyond that (as `take` has it),
    /// and what the function has raised, if it has.
    fn dispatch<'py>(slf: &Bound<'py, Self>, most: usize) -> PyResult<DispatchResult<'py>> {
        match slf.get().shared.dispatcher(slf.py()) {
            Some(dispatcher) => dispatch::dispatch(slf, &dispatcher, most),
            None => Ok((0, dispatch::take(slf)?, None)),
        }
    }

    /// Calls sync callbacks with messages, where waiting is allowed. The listener goes on where there is more to do.
    fn run_callbacks(slf: &Bound<'_, Self>) -> PyResult<()> {
        let (shared, py) = (&slf.get().shared, slf.py());
        let (Some(listener), Some(dispatcher)) = (shared.listener(py), shared.dispatcher(py)) else { return Ok(()) };
        match dispatch::dispatch(slf, &dispatcher, BATCH)? {
            (_, None, None) => Ok(()),
            result => listener.call_method1(intern!(py, "resume"), result).map(drop),
        }
    }

    /// Decodes what has had to wait. In the loop's thread.
    fn decode_on(&self, py: Python<'_>) -> PyResult<()> {
        if self.shared.outbox.is_lost() {
            // The thread that takes the last events decodes them as well.
            return Ok(());
        }
        self.decode(py, &[])?;
        if self.inbox.is_held() {
            return Ok(());
        }
        match self.shared.outbox.transport(py) {
            Some(transport) if self.inbox.is_input_over() => {
                if self.is_ending() {
                    Ok(())
                } else {
                    transport.call_method0(py, intern!(py, "close")).map(drop)
                }
            }
            Some(transport) => transport.call_method0(py, intern!(py, "resume_reading")).map(drop),
            None => Ok(()),
        }
    }

    /// Queues a message, text for `str` and binary for `bytes`. False: the queue is full, or the connection is closed.
    fn send(&self, py: Python<'_>, data: &Bound<'_, PyAny>) -> PyResult<bool> {
        let (kind, payload) = payload(data)?;
        let sent = self.shared.outbox.has_room() && self.shared.message(py, kind, payload);
        if sent {
            self.shared.outbox.pump(py);
        }
        Ok(sent)
    }

    /// Sends a ping (RFC 6455, section 5.5.2) with at most 125 bytes.
    #[pyo3(signature = (payload=None))]
    fn ping(&self, py: Python<'_>, payload: Option<&[u8]>) -> PyResult<bool> {
        let payload = payload.unwrap_or_default();
        if payload.len() > crate::MAX_CONTROL {
            return Err(PyValueError::new_err(format!(
                "a ping of {} bytes: give it at most {}",
                payload.len(),
                crate::MAX_CONTROL
            )));
        }
        let mut frame = Vec::new();
        write_frame(Opcode::Ping, payload, None, &mut frame);
        let sent = self.shared.outbox.has_room() && self.shared.outbox.push(Frame::Own(frame));
        if sent {
            self.shared.outbox.pump(py);
        }
        Ok(sent)
    }

    /// Begins the closing handshake. False when it has begun already.
    ///
    /// `ValueError` for a code that must not be sent or a reason of more than 123 bytes.
    #[pyo3(signature = (code=1000, reason=""))]
    fn close(&self, py: Python<'_>, code: u16, reason: &str) -> PyResult<bool> {
        check_close(code, reason)?;
        self.shared.close(py, Some(code), reason, false)
    }

    /// Answers the client's close frame with its code, once, and ends the connection when that and all before it is
    /// out.
    pub(super) fn answer_close(&self, py: Python<'_>) -> PyResult<()> {
        let code = self.shared.received_code();
        self.shared.close(py, code, "", false)?;
        self.shared.outbox.finish();
        self.shared.outbox.pump(py);
        Ok(())
    }

    /// Ends the connection without a handshake.
    fn abort(&self, py: Python<'_>) -> PyResult<()> {
        match self.shared.outbox.transport(py) {
            Some(transport) => transport.call_method0(py, intern!(py, "abort")).map(drop),
            None => Ok(()),
        }
    }

    /// For a connection that will not open after all.
    fn discard(&self) {
        drop(self.shared.outbox.lose());
        self.shared.leave_all();
        self.shared.forget_listener();
    }

    /// Waits until another message may be queued or the connection is closed. Not on an event loop's thread.
    fn wait_writable(&self, py: Python<'_>) -> PyResult<()> {
        self.shared.outbox.wait(py)
    }

    /// Has `callback` called in the loop's thread once there is room to send; False when there is already, or never
    /// will be.
    fn notify_writable(&self, callback: Py<PyAny>) -> bool {
        self.shared.outbox.notify(callback)
    }

    /// Takes back what `notify_writable` was given, if it has not been called.
    fn forget_writable(&self, callback: &Bound<'_, PyAny>) {
        self.shared.outbox.forget(callback);
    }

    /// Whether messages cannot be sent any more.
    #[getter]
    fn is_closed(&self) -> bool {
        !self.shared.outbox.is_open()
    }

    /// Whether the connection is gone.
    #[getter]
    fn is_lost(&self) -> bool {
        self.shared.outbox.is_lost()
    }

    /// Bytes queued that the transport has not been given.
    #[getter]
    fn buffered(&self) -> usize {
        self.shared.outbox.buffered()
    }

    /// Whether reading has stopped until callbacks have caught up.
    #[getter]
    fn is_held(&self) -> bool {
        self.inbox.is_held()
    }

    /// How many messages and other things wait for callbacks to take them.
    #[getter]
    fn pending_events(&self) -> usize {
        self.inbox.pending_events()
    }

    /// Seconds since any bytes arrived.
    fn seconds_since_data(&self) -> f64 {
        self.since(&self.last_data)
    }

    /// Seconds since a message arrived.
    fn seconds_since_message(&self) -> f64 {
        self.since(&self.last_message)
    }

    /// The close code: the client's, else our own, else 1006 (no closing handshake). 1005: a close frame without one.
    #[getter]
    fn close_code(&self) -> Option<u16> {
        let close_status = self.shared.close_status.lock();
        let known = close_status.received.as_ref().or(close_status.sent.as_ref()).map(|(code, _)| *code);
        known.or_else(|| self.shared.outbox.is_lost().then_some(ABNORMAL))
    }

    /// The text that came with the close code.
    #[getter]
    fn close_reason(&self) -> String {
        let close_status = self.shared.close_status.lock();
        close_status
            .received
            .as_ref()
            .or(close_status.sent.as_ref())
            .map(|(_, reason)| reason.clone())
            .unwrap_or_default()
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        let mut result = Ok(());
        let mut see = |object: &Py<PyAny>| {
            if result.is_ok() {
                result = visit.call(object);
            }
        };
        self.shared.outbox.visit(&mut see);
        // A lock held by a thread that was stopped: the next collection sees what is behind it.
        if let Some(listener) = self.shared.listener.try_lock() {
            for Listener { object, callbacks, call, run_callbacks } in listener.iter() {
                [object, callbacks, call].into_iter().chain(run_callbacks).for_each(&mut see);
            }
        }
        result
    }

    fn __clear__(&self) {
        self.discard();
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.shared.leave_all();
    }
}

/// `ValueError` for what must not stand in a close frame.
pub(super) fn check_close(code: u16, reason: &str) -> PyResult<()> {
    if !is_sendable(code) {
        return Err(PyValueError::new_err(format!(
            "the close code {code} must not be sent: use 1000, another of RFC 6455, or one of your own, 4000 to 4999"
        )));
    }
    if reason.len() > MAX_REASON {
        return Err(PyValueError::new_err(format!(
            "a close reason of {} bytes: make it {MAX_REASON} at most",
            reason.len()
        )));
    }
    Ok(())
}

/// A message's kind and bytes.
pub(super) fn payload<'a>(data: &'a Bound<'_, PyAny>) -> PyResult<(MessageKind, &'a [u8])> {
    if let Ok(text) = data.cast::<PyString>() {
        return Ok((MessageKind::Text, text.to_str()?.as_bytes()));
    }
    match data.cast::<PyBytes>() {
        Ok(bytes) => Ok((MessageKind::Binary, bytes.as_bytes())),
        Err(_) => Err(PyTypeError::new_err(format!("a message is str or bytes, not {}", data.get_type().name()?))),
    }
}
