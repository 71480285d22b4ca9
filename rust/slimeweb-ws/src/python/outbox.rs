//! The outbox: frames to be sent.
//!
//! Frames are written by the thread that finds no other one writing, in the order in which they were queued, and
//! without a lock held. When the transport's buffer is full, the rest waits here until it resumes.

use std::collections::VecDeque;
use std::sync::Arc;

use parking_lot::{Condvar, Mutex};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::{Opcode, write_frame};

/// How much the transport is given ahead of what the client reads, in bytes; the rest is queued here.
const TRANSPORT_HIGH: usize = 64 * 1024;

/// A frame, ready to be sent.
pub(super) enum Frame {
    /// For this client alone.
    Own(Vec<u8>),
    /// For many: the same object goes to each of their transports.
    Shared(Arc<Py<PyBytes>>, usize),
}

impl Frame {
    pub(super) fn len(&self) -> usize {
        match self {
            Self::Own(bytes) => bytes.len(),
            Self::Shared(_, length) => *length,
        }
    }

    fn into_bytes(self, py: Python<'_>) -> Py<PyBytes> {
        match self {
            Self::Own(bytes) => PyBytes::new(py, &bytes).unbind(),
            Self::Shared(bytes, _) => bytes.clone_ref(py),
        }
    }
}

/// What to do with a message for a client that has not read its earlier ones.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum OverflowPolicy {
    /// Forget the oldest broadcasts that it has not been sent yet.
    DropOldest,
    /// Nothing: the caller closes it, or waits.
    Refuse,
}

/// What became of a message offered to a client.
#[derive(PartialEq, Eq)]
pub(super) enum Offered {
    Queued,
    /// No room: nothing was queued.
    Full,
    /// The connection takes no messages any more.
    Closed,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum WriteSide {
    Open,
    /// A close frame is queued: no messages after it, but pongs and the end of the queue go out.
    Closing,
    /// When the queue is empty the transport is to be closed.
    Finishing,
    /// The transport takes nothing any more: the client has left, which `connection_lost` is about to say.
    Left,
    Lost,
}

struct Queued {
    frame: Frame,
    /// A broadcast may be dropped, what was sent to this client alone never.
    droppable: bool,
}

struct State {
    transport: Option<Py<PyAny>>,
    queue: VecDeque<Queued>,
    /// Bytes in the queue.
    bytes: usize,
    /// The answer to the latest ping. Earlier ones that could not be sent in time need no answer (RFC 6455, section
    /// 5.5.3).
    pong: Option<Vec<u8>>,
    write_side: WriteSide,
    /// Some thread is writing.
    pumping: bool,
    /// What the transport holds at most, in bytes: what it held when it was last asked, and what it was given since.
    given: usize,
    /// The transport's buffer is full.
    paused: bool,
    /// How often the transport has resumed.
    resumes: u64,
    waiters: Vec<Waiter>,
}

/// Someone who wants to hear once `length` bytes fit into `limit`.
struct Waiter {
    callback: Py<PyAny>,
    length: usize,
    limit: usize,
}

pub(super) struct Outbox {
    state: Mutex<State>,
    /// The queue has become shorter, or the connection has ended.
    has_drained: Condvar,
    /// What may be queued for this client by senders that can wait, in bytes.
    limit: usize,
}

impl Outbox {
    pub(super) fn new(limit: usize) -> Self {
        Self {
            state: Mutex::new(State {
                transport: None,
                queue: VecDeque::new(),
                bytes: 0,
                pong: None,
                write_side: WriteSide::Open,
                pumping: false,
                given: 0,
                paused: false,
                resumes: 0,
                waiters: Vec::new(),
            }),
            has_drained: Condvar::new(),
            limit,
        }
    }

    /// The connection is open: sends what has been queued before.
    pub(super) fn open(&self, transport: &Bound<'_, PyAny>) -> PyResult<()> {
        let py = transport.py();
        transport.call_method1(intern!(py, "set_write_buffer_limits"), (TRANSPORT_HIGH, TRANSPORT_HIGH / 4))?;
        {
            let mut state = self.state.lock();
            if state.write_side != WriteSide::Lost {
                state.transport = Some(transport.clone().unbind());
            }
        }
        self.pump(py);
        Ok(())
    }

    pub(super) fn transport(&self, py: Python<'_>) -> Option<Py<PyAny>> {
        self.state.lock().transport.as_ref().map(|transport| transport.clone_ref(py))
    }

    pub(super) fn visit(&self, mut visit: impl FnMut(&Py<PyAny>)) {
        // A thread that was stopped while it held the lock: what is not visited now is visited by the next collection.
        if let Some(state) = self.state.try_lock() {
            let waiters = state.waiters.iter().map(|waiter| &waiter.callback);
            state.transport.iter().chain(waiters).for_each(&mut visit);
        }
    }

    /// Whether messages are still taken.
    pub(super) fn is_open(&self) -> bool {
        self.state.lock().write_side == WriteSide::Open
    }

    /// Whether our close frame is queued or out, or the connection is gone.
    pub(super) fn has_closed(&self) -> bool {
        !matches!(self.state.lock().write_side, WriteSide::Open | WriteSide::Left)
    }

    /// Whether the transport will be closed when the queue is empty.
    pub(super) fn is_finishing(&self) -> bool {
        self.state.lock().write_side == WriteSide::Finishing
    }

    pub(super) fn is_lost(&self) -> bool {
        self.state.lock().write_side == WriteSide::Lost
    }

    pub(super) fn buffered(&self) -> usize {
        self.state.lock().bytes
    }

    /// Whether another message may be queued now.
    pub(super) fn has_room(&self) -> bool {
        let state = self.state.lock();
        state.write_side == WriteSide::Open && state.has_room(1, self.limit)
    }

    /// Waits, detached from the interpreter, until another message may be queued or the connection has ended.
    pub(super) fn wait(&self, py: Python<'_>) -> PyResult<()> {
        self.wait_for(py, 1, self.limit)
    }

    /// Waits, detached from the interpreter, until `length` bytes fit into `limit` or the connection has ended.
    ///
    /// The thread is marked as waiting, so that nothing else waits for it. The wait ends with the connection, which the
    /// server cuts when the client takes nothing for its send timeout.
    pub(super) fn wait_for(&self, py: Python<'_>, length: usize, limit: usize) -> PyResult<()> {
        {
            let state = self.state.lock();
            if state.write_side != WriteSide::Open || state.has_room(length, limit) {
                return Ok(());
            }
        }
        let told = py.import(intern!(py, "slimeweb"))?.call_method0(intern!(py, "waiting_for_client"))?;
        told.call_method0(intern!(py, "__enter__"))?;
        py.detach(|| {
            let mut state = self.state.lock();
            while state.write_side == WriteSide::Open && !state.has_room(length, limit) {
                self.has_drained.wait(&mut state);
            }
        });
        told.call_method1(intern!(py, "__exit__"), (py.None(), py.None(), py.None())).map(drop)
    }

    /// Has `callback` called once there is room; false when there is some already or never will be.
    pub(super) fn notify(&self, callback: Py<PyAny>) -> bool {
        self.notify_for(callback, 1, self.limit)
    }

    /// Has `callback` called once `length` bytes fit into `limit`; false when they do already or never will.
    pub(super) fn notify_for(&self, callback: Py<PyAny>, length: usize, limit: usize) -> bool {
        let mut state = self.state.lock();
        let wait = state.write_side == WriteSide::Open && !state.has_room(length, limit);
        if wait {
            state.waiters.push(Waiter { callback, length, limit });
        }
        wait
    }

    /// Forgets a callback that was to be called once there is room.
    pub(super) fn forget(&self, callback: &Bound<'_, PyAny>) {
        let mut state = self.state.lock();
        let index = state.waiters.iter().position(|waiter| waiter.callback.is(callback));
        let forgotten = index.map(|index| state.waiters.swap_remove(index));
        drop(state);
        // Outside of the lock: an object's end may run Python.
        drop(forgotten);
    }

    /// Queues a message from a sender that has asked for room. Whether it will be sent.
    pub(super) fn push(&self, frame: Frame) -> bool {
        let mut state = self.state.lock();
        if state.write_side != WriteSide::Open {
            return false;
        }
        state.push(frame, false);
        true
    }

    /// Queues a broadcast where `limit` bytes leave room for it, or make some.
    pub(super) fn offer(&self, frame: Frame, limit: usize, policy: OverflowPolicy) -> (Offered, usize) {
        let mut state = self.state.lock();
        if state.write_side != WriteSide::Open {
            return (Offered::Closed, 0);
        }
        let length = frame.len();
        let mut dropped = 0;
        while !state.has_room(length, limit) {
            let oldest = state.queue.iter().position(|queued| queued.droppable);
            match oldest.filter(|_| policy == OverflowPolicy::DropOldest).and_then(|index| state.queue.remove(index)) {
                Some(queued) => {
                    state.bytes -= queued.frame.len();
                    dropped += 1;
                }
                None => return (Offered::Full, dropped),
            }
        }
        state.push(frame, true);
        (Offered::Queued, dropped)
    }

    /// Answers a ping.
    pub(super) fn pong(&self, payload: &[u8]) {
        let mut frame = Vec::new();
        write_frame(Opcode::Pong, payload, None, &mut frame);
        let mut state = self.state.lock();
        if matches!(state.write_side, WriteSide::Open | WriteSide::Closing) {
            state.pong = Some(frame);
        }
    }

    /// Queues the close frame, the last one. False when there has been one, or the connection is gone. With `hurry`
    /// messages that have not been sent are dropped.
    pub(super) fn close(&self, body: &[u8], hurry: bool) -> bool {
        let mut frame = Vec::new();
        write_frame(Opcode::Close, body, None, &mut frame);
        let mut state = self.state.lock();
        if state.write_side != WriteSide::Open {
            return false;
        }
        if hurry {
            state.queue.clear();
            state.bytes = 0;
        }
        state.push(Frame::Own(frame), false);
        state.write_side = WriteSide::Closing;
        self.has_drained.notify_all();
        true
    }

    /// Closes the transport once everything is out.
    pub(super) fn finish(&self) {
        let mut state = self.state.lock();
        if state.write_side != WriteSide::Lost {
            state.write_side = WriteSide::Finishing;
        }
        self.has_drained.notify_all();
    }

    /// The client has left: forgets what has not been sent.
    fn leave(&self) {
        let mut state = self.state.lock();
        // Where it is our own close that the transport is at, nothing comes after it anyway.
        let queue = if state.write_side == WriteSide::Open {
            state.write_side = WriteSide::Left;
            state.bytes = 0;
            std::mem::take(&mut state.queue)
        } else {
            VecDeque::new()
        };
        drop(state);
        self.has_drained.notify_all();
        // Outside of the lock: an object's end may run Python.
        drop(queue);
    }

    /// The connection is gone: forgets what has not been sent. The first time, those who waited for room are returned.
    pub(super) fn lose(&self) -> Vec<Py<PyAny>> {
        let mut state = self.state.lock();
        state.write_side = WriteSide::Lost;
        state.bytes = 0;
        state.pong = None;
        let (transport, queue) = (state.transport.take(), std::mem::take(&mut state.queue));
        let waiters = std::mem::take(&mut state.waiters);
        drop(state);
        self.has_drained.notify_all();
        // Outside of the lock: an object's end may run Python.
        drop((transport, queue));
        waiters.into_iter().map(|waiter| waiter.callback).collect()
    }

    /// The transport's buffer has drained.
    pub(super) fn resume(&self, py: Python<'_>) {
        {
            let mut state = self.state.lock();
            state.resumes += 1;
            state.paused = false;
        }
        self.pump(py);
    }

    /// Writes what is queued, unless another thread is doing that or the transport has enough.
    pub(super) fn pump(&self, py: Python<'_>) {
        let transport = {
            let mut state = self.state.lock();
            match &state.transport {
                Some(transport) if !state.pumping && !state.paused => {
                    let transport = transport.clone_ref(py).into_bound(py);
                    state.pumping = true;
                    transport
                }
                _ => return,
            }
        };
        loop {
            let (frame, given, resumes, waiters) = {
                let mut state = self.state.lock();
                let Some(frame) = state.pop() else {
                    state.pumping = false;
                    if state.write_side != WriteSide::Finishing {
                        return;
                    }
                    drop(state);
                    return report(transport.call_method0(intern!(py, "close")), &transport);
                };
                self.has_drained.notify_all();
                let waiters = state.relieved_waiters();
                state.given = state.given.saturating_add(frame.len());
                (frame, state.given, state.resumes, waiters)
            };
            for waiter in waiters {
                report(transport.call_method1(intern!(py, "call_soon"), (waiter,)), &transport);
            }
            let held = transport.call_method1(intern!(py, "write"), (frame.into_bytes(py),)).and_then(|_| {
                // A call into Python, which a message need not pay for.
                if given <= TRANSPORT_HIGH {
                    return Ok(given);
                }
                // It drops what it is given once the client has left. A sender that never lets the loop have its turn
                // would not hear of that from `connection_lost`.
                if transport.call_method0(intern!(py, "is_closing"))?.is_truthy()? {
                    self.leave();
                }
                let held = transport.call_method0(intern!(py, "get_write_buffer_size"))?.extract()?;
                self.state.lock().given = held;
                Ok(held)
            });
            let full = match held {
                Ok(held) => held > TRANSPORT_HIGH,
                Err(error) => {
                    // A transport that fails is of no use to anyone: what is queued goes with the connection.
                    error.write_unraisable(py, Some(&transport));
                    self.state.lock().pumping = false;
                    return report(transport.call_method0(intern!(py, "abort")), &transport);
                }
            };
            if full {
                let mut state = self.state.lock();
                // A request for more that came in between is not for this: one more write, and the transport says it
                // again.
                if state.resumes == resumes {
                    state.paused = true;
                    state.pumping = false;
                    return;
                }
            }
        }
    }
}

impl State {
    /// What is above the limit by itself has room alone.
    fn has_room(&self, length: usize, limit: usize) -> bool {
        self.bytes == 0 || self.bytes.saturating_add(length) <= limit
    }

    /// Takes those who wait for no more room than there is.
    fn relieved_waiters(&mut self) -> Vec<Py<PyAny>> {
        if self.waiters.is_empty() {
            return Vec::new();
        }
        let waiters = std::mem::take(&mut self.waiters);
        let (has_drained, others): (Vec<_>, Vec<_>) =
            waiters.into_iter().partition(|waiter| self.has_room(waiter.length, waiter.limit));
        self.waiters = others;
        has_drained.into_iter().map(|waiter| waiter.callback).collect()
    }

    fn push(&mut self, frame: Frame, droppable: bool) {
        self.bytes += frame.len();
        self.queue.push_back(Queued { frame, droppable });
    }

    fn pop(&mut self) -> Option<Frame> {
        if let Some(pong) = self.pong.take() {
            return Some(Frame::Own(pong));
        }
        let queued = self.queue.pop_front()?;
        self.bytes -= queued.frame.len();
        Some(queued.frame)
    }
}

/// What a transport's method raises concerns the log, not the caller.
fn report(result: PyResult<Bound<'_, PyAny>>, transport: &Bound<'_, PyAny>) {
    if let Err(error) = result {
        error.write_unraisable(transport.py(), Some(transport));
    }
}
