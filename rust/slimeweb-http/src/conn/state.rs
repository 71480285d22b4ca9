//! A connection's state, in atomics: written by its I/O and its service, read by its worker's task for timeouts.

use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::task::Waker;
use std::time::Instant;

use http::HeaderName;

use super::direct_read::{self, SharedDirectRead};
use super::framing::{HeadError, MethodKind};

/// A worker's time in milliseconds, as exact as the tick of its timeouts: reading it is one relaxed load.
#[derive(Debug)]
pub(crate) struct CoarseClock {
    start: Instant,
    now: AtomicU64,
}

impl CoarseClock {
    pub(crate) fn new() -> Arc<Self> {
        // Starts at 1: 0 stands for "not running" where a time is stored.
        Arc::new(Self { start: Instant::now(), now: AtomicU64::new(1) })
    }

    pub(crate) fn now(&self) -> u64 {
        self.now.load(Ordering::Relaxed)
    }

    pub(crate) fn update(&self) -> u64 {
        let now = u64::try_from(self.start.elapsed().as_millis()).unwrap_or(u64::MAX).saturating_add(1);
        self.now.store(now, Ordering::Relaxed);
        now
    }
}

/// Whether, and how, a connection is to close. A later variant overrides an earlier one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub(crate) enum CloseMode {
    /// It is not to close.
    Open = 0,
    /// Finish what is under way, then close.
    Drain = 1,
    /// Close; a half-received head is answered with 408.
    Expire = 2,
    /// Close at once, without a response: the client has taken too long.
    Abort = 3,
    /// As `Abort`, since the server stops.
    Stop = 4,
}

#[derive(Debug)]
pub(crate) struct ConnectionState {
    clock: Arc<CoarseClock>,
    close_mode: AtomicU8,
    in_flight: AtomicU32,
    requests: AtomicU64,
    head_since: AtomicU64,
    idle_since: AtomicU64,
    write_since: AtomicU64,
    untaken: AtomicU32,
    taken_at: AtomicU64,
    /// The index of the head to refuse, times 256, plus the error's code; 0 for none.
    head_error: AtomicU64,
    upgraded: AtomicBool,
    /// Responses that are being sent whose length is not known.
    streams: AtomicU32,
    /// The connection's task.
    task: OnceLock<Waker>,
    /// Whether a flush is awaited.
    flush_awaited: AtomicBool,
    flush_waiters: Mutex<Vec<Waker>>,
    /// Flushes that were awaited.
    flushes: AtomicU64,
    /// Where the present body is read to, if not to hyper.
    direct_read: Mutex<Option<SharedDirectRead>>,
    has_direct_read: AtomicBool,
    /// The field by which targets are handed on that h2 would refuse.
    target_field: OnceLock<HeaderName>,
}

impl ConnectionState {
    pub(crate) fn new(clock: Arc<CoarseClock>) -> Arc<Self> {
        let now = clock.now();
        Arc::new(Self {
            clock,
            close_mode: AtomicU8::new(CloseMode::Open as u8),
            in_flight: AtomicU32::new(0),
            requests: AtomicU64::new(0),
            head_since: AtomicU64::new(0),
            idle_since: AtomicU64::new(now),
            write_since: AtomicU64::new(0),
            untaken: AtomicU32::new(0),
            taken_at: AtomicU64::new(0),
            head_error: AtomicU64::new(0),
            upgraded: AtomicBool::new(false),
            streams: AtomicU32::new(0),
            task: OnceLock::new(),
            flush_awaited: AtomicBool::new(false),
            flush_waiters: Mutex::default(),
            flushes: AtomicU64::new(0),
            direct_read: Mutex::default(),
            has_direct_read: AtomicBool::new(false),
            target_field: OnceLock::new(),
        })
    }

    pub(crate) fn close_mode(&self) -> CloseMode {
        match self.close_mode.load(Ordering::Relaxed) {
            0 => CloseMode::Open,
            1 => CloseMode::Drain,
            2 => CloseMode::Expire,
            3 => CloseMode::Abort,
            _ => CloseMode::Stop,
        }
    }

    /// Has the connection closed; a mode weaker than one set before changes nothing.
    pub(crate) fn close(&self, close_mode: CloseMode) {
        self.close_mode.fetch_max(close_mode as u8, Ordering::Relaxed);
    }

    pub(super) fn head_began(&self) {
        self.head_since.store(self.clock.now(), Ordering::Relaxed);
    }

    pub(super) fn head_ended(&self) {
        self.head_since.store(0, Ordering::Relaxed);
    }

    pub(super) fn set_head_error(&self, head: u64, head_error: HeadError) {
        self.head_error.store((head << 8) | u64::from(head_error as u8), Ordering::Relaxed);
    }

    /// What is wrong with the head of that index, in the order of arrival from 0.
    pub(crate) fn head_error(&self, head: u64) -> Option<HeadError> {
        let head_error = self.head_error.load(Ordering::Relaxed);
        // Anything after an invalid head is refused as well.
        if head_error == 0 || head < head_error >> 8 { None } else { HeadError::from_code(head_error.to_le_bytes()[0]) }
    }

    pub(super) fn has_head_error(&self) -> bool {
        self.head_error.load(Ordering::Relaxed) != 0
    }

    pub(super) fn writing(&self, blocked: bool) {
        if !blocked {
            if self.write_since.load(Ordering::Relaxed) != 0 {
                self.write_since.store(0, Ordering::Relaxed);
            }
        } else if self.write_since.load(Ordering::Relaxed) == 0 {
            self.write_since.store(self.clock.now(), Ordering::Relaxed);
        }
    }

    pub(crate) fn is_write_blocked(&self) -> bool {
        self.write_since.load(Ordering::Relaxed) != 0
    }

    /// Sets the waker of the task that reads and writes for the connection.
    pub(crate) fn set_waker(&self, waker: &Waker) {
        let _ = self.task.set(waker.clone());
    }

    /// Wakes when the connection has nothing left to write, which [`flushes`](Self::flushes) tells.
    pub(crate) fn await_flush(&self, waker: &Waker) {
        self.flush_waiters.lock().unwrap_or_else(PoisonError::into_inner).push(waker.clone());
        self.flush_awaited.store(true, Ordering::Release);
        // It flushes at the end of each turn, also where there is nothing to write.
        if let Some(task) = self.task.get() {
            task.wake_by_ref();
        }
    }

    pub(crate) fn flushes(&self) -> u64 {
        self.flushes.load(Ordering::Acquire)
    }

    /// Everything that was written is with the system.
    pub(super) fn flushed(&self) {
        if self.flush_awaited.load(Ordering::Relaxed) && self.flush_awaited.swap(false, Ordering::AcqRel) {
            self.flushes.fetch_add(1, Ordering::AcqRel);
            let waiters = std::mem::take(&mut *self.flush_waiters.lock().unwrap_or_else(PoisonError::into_inner));
            waiters.into_iter().for_each(Waker::wake);
        }
    }

    /// Has a body read straight into a buffer; None ends that.
    pub(crate) fn set_direct_read(&self, direct_read: Option<SharedDirectRead>) {
        self.has_direct_read.store(direct_read.is_some(), Ordering::Relaxed);
        *direct_read::lock(&self.direct_read) = direct_read;
    }

    pub(super) fn direct_read(&self) -> Option<SharedDirectRead> {
        if self.has_direct_read.load(Ordering::Relaxed) { direct_read::lock(&self.direct_read).clone() } else { None }
    }

    /// The name of the field by which targets are handed on past h2, once there has been one.
    pub(super) fn target_field(&self) -> Option<&HeaderName> {
        self.target_field.get()
    }

    pub(super) fn target_field_or_insert(&self, name: fn() -> Option<HeaderName>) -> Option<&HeaderName> {
        if self.target_field.get().is_none() {
            // The connection's task alone sets it.
            let _ = self.target_field.set(name()?);
        }
        self.target_field.get()
    }

    pub(crate) fn set_upgraded(&self) {
        self.upgraded.store(true, Ordering::Relaxed);
    }

    pub(crate) fn is_upgraded(&self) -> bool {
        self.upgraded.load(Ordering::Relaxed)
    }

    pub(crate) fn is_idle(&self) -> bool {
        self.in_flight.load(Ordering::Relaxed) == 0 && self.head_since.load(Ordering::Relaxed) == 0
    }

    /// A response whose length is not known is being sent.
    pub(super) fn is_streaming(&self) -> bool {
        self.streams.load(Ordering::Relaxed) > 0
    }

    /// Requests in flight, and how many of them are answered by a stream.
    pub(crate) fn in_flight(&self) -> (usize, usize) {
        let requests = self.in_flight.load(Ordering::Relaxed);
        let streams = self.streams.load(Ordering::Relaxed).min(requests);
        (requests as usize, streams as usize)
    }

    /// There is a request whose answer is not complete.
    pub(super) fn is_answering(&self) -> bool {
        self.in_flight.load(Ordering::Relaxed) > 0
    }

    /// The end of a head is awaited, and no answer is under way.
    pub(crate) fn is_in_head(&self) -> bool {
        self.in_flight.load(Ordering::Relaxed) == 0 && self.head_since.load(Ordering::Relaxed) != 0
    }

    /// Milliseconds since the connection last had a request in flight, when it has none.
    pub(crate) fn idle_for(&self, now: u64) -> Option<u64> {
        (self.in_flight.load(Ordering::Relaxed) == 0)
            .then(|| now.saturating_sub(self.idle_since.load(Ordering::Relaxed)))
    }

    /// Milliseconds since the head that is awaited began, or since it could be looked at.
    pub(crate) fn head_for(&self, now: u64) -> Option<u64> {
        let since = self.head_since.load(Ordering::Relaxed);
        self.is_in_head().then(|| now.saturating_sub(since.max(self.idle_since.load(Ordering::Relaxed))))
    }

    /// Milliseconds that the client has not taken what there is for it.
    pub(crate) fn stalled_for(&self, now: u64) -> u64 {
        let write = self.write_since.load(Ordering::Relaxed);
        let write = if write == 0 { 0 } else { now.saturating_sub(write) };
        let untaken = self.untaken.load(Ordering::Relaxed) > 0;
        write.max(if untaken { now.saturating_sub(self.taken_at.load(Ordering::Relaxed)) } else { 0 })
    }

    pub(crate) fn has_served(&self) -> bool {
        self.requests() > 0
    }

    /// Requests that have begun so far.
    pub(super) fn requests(&self) -> u64 {
        self.requests.load(Ordering::Relaxed)
    }

    fn add_untaken(&self) {
        self.taken_at.store(self.clock.now(), Ordering::Relaxed);
        self.untaken.fetch_add(1, Ordering::Relaxed);
    }

    fn sub_untaken(&self) {
        self.taken_at.store(self.clock.now(), Ordering::Relaxed);
        self.untaken.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A request from its head to the end of its response; dropping it is that end.
#[derive(Debug)]
pub(crate) struct InFlight {
    state: Arc<ConnectionState>,
    /// Here it takes no room of its own.
    method_kind: MethodKind,
    untaken: bool,
    streams: bool,
}

impl InFlight {
    /// Begins a request and gives its index on the connection.
    pub(crate) fn begin(state: &Arc<ConnectionState>, method_kind: MethodKind) -> (Self, u64) {
        state.in_flight.fetch_add(1, Ordering::Relaxed);
        let index = state.requests.fetch_add(1, Ordering::Relaxed);
        (Self { state: Arc::clone(state), method_kind, untaken: false, streams: false }, index)
    }

    /// Records that the response has a body whose length is not known.
    pub(crate) fn begin_stream(&mut self) {
        self.streams = true;
        self.state.streams.fetch_add(1, Ordering::Relaxed);
    }

    /// What the request's method says of the response.
    pub(crate) fn method_kind(&self) -> MethodKind {
        self.method_kind
    }

    pub(crate) fn connection_state(&self) -> &ConnectionState {
        &self.state
    }

    /// Whether a piece of the response has been handed out that is not followed by a demand for the next yet. Only
    /// needed where TCP's back-pressure does not show it: on HTTP/2.
    pub(crate) fn set_untaken(&mut self, untaken: bool) {
        if untaken != self.untaken {
            self.untaken = untaken;
            if untaken { self.state.add_untaken() } else { self.state.sub_untaken() }
        }
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.set_untaken(false);
        if self.streams {
            self.state.streams.fetch_sub(1, Ordering::Relaxed);
        }
        self.state.idle_since.store(self.state.clock.now(), Ordering::Relaxed);
        self.state.in_flight.fetch_sub(1, Ordering::Relaxed);
    }
}
