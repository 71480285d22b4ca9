//! One connection: the protocol object that the core's transport calls.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use pyo3::exceptions::PyValueError;
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::PyString;

use super::arguments::{check_close, payload};
use super::client::Client;
use super::compression::Compression;
use super::dispatch::{self, DispatchResult, Source};
use super::inbox::{DecodeOutcome, Event, Inbox};
use super::listener::Listener;
use super::outbox::{Frame, Outbox};
use crate::{Decoded, Decoder, Deflate, Error, Inflater, Limits, NegotiationOptions, Offer, Opcode, Role, write_frame};

/// From this size on, in bytes, a thread detaches while it decodes or compresses: below, detaching costs more than it
/// gives other threads.
const WORTH_DETACHING: usize = 4 * 1024;
/// How many callbacks run in a row before their thread, or loop, is released to others.
pub(super) const BATCH: usize = 16;
/// The close code where there was no close frame at all (RFC 6455, section 7.4.1).
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
///
/// Sizes are in bytes. `max_message_size`: how long a message may be, all its fragments together and decompressed; a
/// longer one closes the connection with 1009. `send_buffer`: how much may wait for the client before `send` says
/// False. `offers`: the members of the request's `Sec-WebSocket-Extensions`, each a name and its parameters; none to go
/// without compression. `context_takeover`, `level` (1 to 9) and `threshold` (shorter messages are sent as they are):
/// how messages are compressed where one of the offers can be met (RFC 7692).
///
/// Every method may be called from any thread, unless it says otherwise.
#[pyclass(frozen, weakref, module = "slimeweb_ws._native")]
pub(super) struct Connection {
    client: Arc<Client>,
    inbox: Inbox,
    extension: Option<String>,
    created_at: Instant,
    /// When bytes last arrived, and when a message did: nanoseconds after `created_at`.
    last_data: AtomicU64,
    last_message: AtomicU64,
}

impl Connection {
    pub(super) fn client(&self) -> &Arc<Client> {
        &self.client
    }

    /// Where its events are taken from.
    fn source<'a, 'py>(slf: &'a Bound<'py, Self>) -> Source<'a, 'py> {
        let this = slf.get();
        Source { connection: slf, inbox: &this.inbox, client: &this.client }
    }

    fn now(&self) -> u64 {
        u64::try_from(self.created_at.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }

    fn since(&self, moment: &AtomicU64) -> f64 {
        Duration::from_nanos(self.now().saturating_sub(moment.load(Ordering::Relaxed))).as_secs_f64()
    }

    fn notify_listener(&self, py: Python<'_>, method: &Bound<'_, PyString>) -> PyResult<()> {
        match self.client.listener(py) {
            Some(listener) => listener.call_method0(method).map(drop),
            None => Ok(()),
        }
    }

    fn post(&self, py: Python<'_>, event: Event) -> PyResult<()> {
        if self.inbox.post(event) && !self.client.schedule_callbacks(py)? {
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
                    return match self.client.outbox.transport(py) {
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
                if self.client.outbox.has_closed() { Ok(()) } else { self.post(py, Event::Message(message)) }
            }
            Decoded::Ping(payload) => {
                self.client.outbox.pong(&payload);
                self.client.outbox.pump(py);
                Ok(())
            }
            Decoded::Pong(_) => Ok(()),
            Decoded::Close(close) => {
                self.client.record_close(close);
                // What the client has sent before may still be answered (RFC 6455, section 5.5.1), for a while.
                if self.client.outbox.is_open() && self.inbox.defer_close() {
                    self.notify_listener(py, intern!(py, "close_deferred"))
                } else {
                    self.client.answer_close(py)
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
}

#[pymethods]
impl Connection {
    /// `offers` are the members of the request's `Sec-WebSocket-Extensions`, each a name and its parameters; none to go
    /// without compression.
    #[new]
    #[pyo3(signature = (
        listener, *, max_message_size, send_buffer, offers, context_takeover, level, threshold
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
        let compression = deflate.map(|deflate| Compression::new(deflate, level, threshold));
        Ok(Self {
            client: Arc::new(Client::new(listener, Outbox::new(send_buffer), compression)),
            inbox: Inbox::new(Decoder::new(Role::Server, Limits::of_message(max_message_size), inflater)),
            extension: deflate.map(|deflate| deflate.to_string()),
            created_at: Instant::now(),
            last_data: AtomicU64::new(0),
            last_message: AtomicU64::new(0),
        })
    }

    /// The value of the 101's `Sec-WebSocket-Extensions`; None where no compression was agreed upon.
    #[getter]
    fn extension(&self) -> Option<&str> {
        self.extension.as_deref()
    }

    /// The 101 is out: keeps the transport, sends what has been queued, and calls the listener's `opened`. In the
    /// loop's thread.
    fn connection_made(slf: &Bound<'_, Self>, transport: &Bound<'_, PyAny>) -> PyResult<()> {
        let (this, py) = (slf.get(), slf.py());
        let now = this.now();
        this.last_data.store(now, Ordering::Relaxed);
        this.last_message.store(now, Ordering::Relaxed);
        let run_callbacks = slf.getattr(intern!(py, "run_callbacks"))?.unbind();
        this.client.open(run_callbacks, transport)?;
        match this.client.listener(py) {
            Some(listener) => listener.call_method1(intern!(py, "opened"), (transport,)).map(drop),
            None => Ok(()),
        }
    }

    /// Decodes what the client has sent: answers its pings and closes, and queues its messages for callbacks. In the
    /// loop's thread. With too much undecoded it pauses the transport's reading.
    fn data_received(&self, py: Python<'_>, data: &[u8]) -> PyResult<()> {
        self.last_data.store(self.now(), Ordering::Relaxed);
        self.decode(py, data)
    }

    /// The client sends no more. True where the transport is to stay open, for what is still due to a client that has
    /// closed, or may have in what is not decoded yet. In the loop's thread.
    fn eof_received(&self) -> bool {
        self.inbox.end_input() || self.client.is_ending()
    }

    /// The connection is gone, whatever `exc` says of it: leaves its rooms, wakes those who wait for room to send, and
    /// calls the listener's `lost`. In the loop's thread. Events that wait can still be taken; a `CloseEvent` follows
    /// them.
    #[pyo3(signature = (exc=None))]
    fn connection_lost(&self, py: Python<'_>, exc: Option<&Bound<'_, PyAny>>) -> PyResult<()> {
        // The reason is not passed on: the close code shows that it was not a clean end.
        let _ = exc;
        for waiter in self.client.outbox.lose() {
            // It belongs to whoever waits, whose loop may be gone: nothing that this connection's end may depend on.
            if let Err(error) = waiter.call0(py) {
                error.write_unraisable(py, Some(waiter.bind(py)));
            }
        }
        self.client.leave_all();
        self.notify_listener(py, intern!(py, "lost"))?;
        // Without a transport there is no `call_plain` any more: the listener finds a thread.
        if self.inbox.lose() { self.notify_listener(py, intern!(py, "ready")) } else { Ok(()) }
    }

    /// Does nothing: the connection asks the transport itself, since this comes too late for a sender in another
    /// thread.
    fn pause_writing(&self) {}

    /// Sends what waits, now that the transport has room. In the loop's thread.
    fn resume_writing(&self, py: Python<'_>) {
        self.client.outbox.resume(py);
    }

    /// Queues an `OpenEvent`. In the loop's thread.
    fn notify_open(&self, py: Python<'_>) -> PyResult<()> {
        self.post(py, Event::Open)
    }

    /// The next event: a message, `str` or `bytes`; an `OpenEvent`; an `ErrorEvent`; a `CloseEvent`, the last.
    ///
    /// None: there is none for now, and the listener's `ready` will be called for the next one. By one thread at a
    /// time.
    fn take<'py>(slf: &Bound<'py, Self>) -> PyResult<Option<Bound<'py, PyAny>>> {
        dispatch::take(&Self::source(slf))
    }

    /// Takes messages and calls the sync function of `callbacks.message` with each: `most` times at most, and until
    /// there is something else to do.
    ///
    /// Returns how often it has called, the event that it has taken beyond that (as `take` has it), and what the
    /// function has raised, if it has: `(2, None, None)` after two messages with nothing behind them. By one thread at
    /// a time.
    fn dispatch<'py>(slf: &Bound<'py, Self>, most: usize) -> PyResult<DispatchResult<'py>> {
        match slf.get().client.dispatcher(slf.py()) {
            Some(dispatcher) => dispatch::dispatch(&Self::source(slf), &dispatcher, most),
            None => Ok((0, dispatch::take(&Self::source(slf))?, None)),
        }
    }

    /// Calls sync callbacks with at most `BATCH` messages, in a thread where they may wait. The listener's `resume`
    /// goes on where there is more to do.
    fn run_callbacks(slf: &Bound<'_, Self>) -> PyResult<()> {
        let (client, py) = (&slf.get().client, slf.py());
        let (Some(listener), Some(dispatcher)) = (client.listener(py), client.dispatcher(py)) else { return Ok(()) };
        match dispatch::dispatch(&Self::source(slf), &dispatcher, BATCH)? {
            (_, None, None) => Ok(()),
            result => listener.call_method1(intern!(py, "resume"), result).map(drop),
        }
    }

    /// Decodes what has had to wait for callbacks, and lets the transport read again. In the loop's thread.
    fn decode_on(&self, py: Python<'_>) -> PyResult<()> {
        if self.client.outbox.is_lost() {
            // The thread that takes the last events decodes them as well.
            return Ok(());
        }
        self.decode(py, &[])?;
        if self.inbox.is_held() {
            return Ok(());
        }
        match self.client.outbox.transport(py) {
            Some(transport) if self.inbox.is_input_over() => {
                if self.client.is_ending() {
                    Ok(())
                } else {
                    transport.call_method0(py, intern!(py, "close")).map(drop)
                }
            }
            Some(transport) => transport.call_method0(py, intern!(py, "resume_reading")).map(drop),
            None => Ok(()),
        }
    }

    /// Queues a message, text for `str` and binary for `bytes`. False: `send_buffer` is full, or the connection is
    /// closed. `TypeError` for anything else.
    fn send(&self, py: Python<'_>, data: &Bound<'_, PyAny>) -> PyResult<bool> {
        let (kind, payload) = payload(data)?;
        let sent = self.client.outbox.has_room() && self.client.message(py, kind, payload);
        if sent {
            self.client.outbox.pump(py);
        }
        Ok(sent)
    }

    /// Queues a ping (RFC 6455, section 5.5.2); without `payload` an empty one. False as `send` has it. `ValueError`
    /// for more than 125 bytes.
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
        let sent = self.client.outbox.has_room() && self.client.outbox.push(Frame::Own(frame));
        if sent {
            self.client.outbox.pump(py);
        }
        Ok(sent)
    }

    /// Begins the closing handshake, after what has been queued. False when it has begun already, or the connection is
    /// gone.
    ///
    /// `ValueError` for a code that must not be sent (RFC 6455, section 7.4) or a reason of more than 123 bytes in
    /// UTF-8.
    #[pyo3(signature = (code, reason=""))]
    fn close(&self, py: Python<'_>, code: u16, reason: &str) -> PyResult<bool> {
        check_close(code, reason)?;
        self.client.close(py, Some(code), reason, false)
    }

    /// Answers the client's close frame with its code, once, and ends the connection when that and all before it is
    /// out.
    fn answer_close(&self, py: Python<'_>) -> PyResult<()> {
        self.client.answer_close(py)
    }

    /// Ends the connection without a handshake. What is queued is lost.
    fn abort(&self, py: Python<'_>) -> PyResult<()> {
        match self.client.outbox.transport(py) {
            Some(transport) => transport.call_method0(py, intern!(py, "abort")).map(drop),
            None => Ok(()),
        }
    }

    /// Lets go of the listener and the rooms: for a connection that will not open after all.
    fn discard(&self) {
        drop(self.client.outbox.lose());
        self.client.leave_all();
        self.client.forget_listener();
    }

    /// Waits until another message may be queued or the connection is closed. Not on an event loop's thread.
    fn wait_writable(&self, py: Python<'_>) -> PyResult<()> {
        self.client.outbox.wait(py)
    }

    /// Has `callback` called without arguments, in the loop's thread, once another message may be queued or the
    /// connection is gone. False when there is room already, or never will be: it is not called then.
    fn notify_writable(&self, callback: Py<PyAny>) -> bool {
        self.client.outbox.notify(callback)
    }

    /// Takes back what `notify_writable` was given, if it has not been called.
    fn forget_writable(&self, callback: &Bound<'_, PyAny>) {
        self.client.outbox.forget(callback);
    }

    /// Whether messages cannot be sent any more: the closing handshake has begun, or the connection is gone.
    #[getter]
    fn is_closed(&self) -> bool {
        !self.client.outbox.is_open()
    }

    /// Whether the connection is gone.
    #[getter]
    fn is_lost(&self) -> bool {
        self.client.outbox.is_lost()
    }

    /// Bytes queued that the transport has not been given.
    #[getter]
    fn buffered(&self) -> usize {
        self.client.outbox.buffered()
    }

    /// Whether reading has stopped until callbacks have caught up.
    #[getter]
    fn is_held(&self) -> bool {
        self.inbox.is_held()
    }

    /// How many messages and other events wait for callbacks to take them.
    #[getter]
    fn pending_events(&self) -> usize {
        self.inbox.pending_events()
    }

    /// Seconds since any bytes arrived, or since the opening.
    fn seconds_since_data(&self) -> f64 {
        self.since(&self.last_data)
    }

    /// Seconds since a message arrived, or since the opening.
    fn seconds_since_message(&self) -> f64 {
        self.since(&self.last_message)
    }

    /// The close code: the client's, else our own, else 1006 where the connection is gone without a closing handshake,
    /// else None. 1005: a close frame without a code.
    #[getter]
    fn close_code(&self) -> Option<u16> {
        let known = self.client.close_frame().map(|(code, _)| code);
        known.or_else(|| self.client.outbox.is_lost().then_some(ABNORMAL))
    }

    /// The text that came with the close code; empty where there is none.
    #[getter]
    fn close_reason(&self) -> String {
        self.client.close_frame().map(|(_, reason)| reason).unwrap_or_default()
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        let mut result = Ok(());
        self.client.visit(|object| {
            if result.is_ok() {
                result = visit.call(object);
            }
        });
        result
    }

    fn __clear__(&self) {
        self.discard();
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.client.leave_all();
    }
}
