//! An upgraded connection (after a protocol switch): bytes between the socket and a protocol object in a worker's event
//! loop.
//!
//! All calls to the protocol are made in the loop's thread, in order, so no two overlap for one connection. Both
//! directions are bounded: reading stops while the protocol is behind, and the protocol is told to pause while the
//! client is.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::task::Poll;
use std::time::Duration;

use bytes::BytesMut;
use parking_lot::Mutex;
use pyo3::exceptions::{PyConnectionError, PyOSError};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::PyBytes;
use slimeweb_http::ConnectionInfo;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::sync::{Notify, oneshot};
use tokio::time::Sleep;

use crate::app::{CompiledApp, Counters};
use crate::route::CompiledRoute;
use crate::transport::Transport;
use crate::worker::event_loop::{WorkItem, Worker};

/// Bytes read that the protocol has not seen yet, at most (and one read's worth more).
const WINDOW: usize = 256 * 1024;
/// One read, in bytes.
const READ: usize = 16 * 1024;
/// asyncio's own defaults for a transport's write buffer, in bytes.
const HIGH_WATER: usize = 64 * 1024;
const LOW_WATER: usize = 16 * 1024;
/// How long a connection that has ended is kept, at most, until its protocol has been told and its client has closed.
const LINGER_TIME: Duration = Duration::from_secs(2);

/// An upgraded connection: what the transport and the socket's task share.
pub(crate) struct UpgradedConnection {
    pub(crate) app: Arc<CompiledApp>,
    pub(crate) worker_id: usize,
    pub(crate) connection: Arc<ConnectionInfo>,
    /// None after `connection_lost`: its transport does not keep it alive.
    protocol: Mutex<Option<Py<PyAny>>>,
    /// Of the route that made the switch.
    pub(crate) route: Arc<CompiledRoute>,
    out: Mutex<Outgoing>,
    /// There is something to write, or the end has come.
    writable: Notify,
    /// Bytes that the connection has taken.
    written: AtomicU64,
    /// Bytes on their way to the protocol.
    unseen: AtomicUsize,
    reading_paused: AtomicBool,
    /// Reading may go on.
    readable: Notify,
}

struct Outgoing {
    buffer: BytesMut,
    write_side: WriteSide,
    high: usize,
    low: usize,
    /// The protocol has been told to pause.
    paused: bool,
}

#[derive(Clone, Copy, PartialEq)]
enum WriteSide {
    Open,
    /// Once the buffer is out.
    Closing,
    /// Now.
    Aborted,
}

impl UpgradedConnection {
    fn worker(&self) -> &Arc<Worker> {
        self.app.workers.get(self.worker_id)
    }

    /// Calls a method of the protocol, in the loop's thread. Does nothing after `connection_lost`.
    fn call_protocol(
        self: &Arc<Self>,
        call: impl FnOnce(&Arc<Self>, &Bound<'_, PyAny>) -> PyResult<()> + Send + 'static,
    ) {
        let upgraded = Arc::clone(self);
        self.worker().post(WorkItem::LoopCall(Box::new(move |py| {
            let Some(protocol) = upgraded.protocol.lock().as_ref().map(|protocol| protocol.clone_ref(py)) else {
                return;
            };
            let protocol = protocol.into_bound(py);
            if let Err(error) = call(&upgraded, &protocol) {
                // As asyncio does: a protocol that fails loses its connection, and the log has the reason.
                error.write_unraisable(py, Some(&protocol));
                upgraded.abort();
            }
        })));
    }

    /// Lets go of the protocol.
    pub(crate) fn forget_protocol(&self) {
        let protocol = self.protocol.lock().take();
        // Outside of the lock: an object's end may run Python.
        drop(protocol);
    }

    /// The protocol, for a garbage collection. None where a thread that was stopped holds the lock.
    pub(crate) fn visit_protocol<T>(&self, visit: impl FnOnce(&Py<PyAny>) -> T) -> Option<T> {
        self.protocol.try_lock()?.as_ref().map(visit)
    }

    pub(crate) fn write(self: &Arc<Self>, data: &[u8]) {
        let mut out = self.out.lock();
        if out.write_side != WriteSide::Open {
            return;
        }
        out.buffer.extend_from_slice(data);
        if out.buffer.len() > out.high && !out.paused {
            out.paused = true;
            // Under the lock: `resume_writing` is posted after this.
            self.call_protocol(|_, protocol| protocol.call_method0(intern!(protocol.py(), "pause_writing")).map(drop));
        }
        drop(out);
        self.writable.notify_one();
    }

    pub(crate) fn close(&self) {
        let mut out = self.out.lock();
        if out.write_side == WriteSide::Open {
            out.write_side = WriteSide::Closing;
        }
        drop(out);
        self.writable.notify_one();
    }

    pub(crate) fn abort(&self) {
        self.out.lock().write_side = WriteSide::Aborted;
        self.writable.notify_one();
    }

    pub(crate) fn is_closing(&self) -> bool {
        self.out.lock().write_side != WriteSide::Open
    }

    pub(crate) fn buffered(&self) -> usize {
        self.out.lock().buffer.len()
    }

    pub(crate) fn set_limits(&self, high: usize, low: usize) {
        let mut out = self.out.lock();
        (out.high, out.low) = (high, low);
    }

    pub(crate) fn set_reading(&self, on: bool) {
        self.reading_paused.store(!on, Ordering::Release);
        if on {
            self.readable.notify_one();
        }
    }

    /// The socket to the protocol. Ends with the client's last byte.
    async fn read(self: &Arc<Self>, mut io: impl AsyncRead + Unpin) -> std::io::Result<()> {
        let mut buffer = BytesMut::new();
        loop {
            while self.reading_paused.load(Ordering::Acquire) || self.unseen.load(Ordering::Acquire) >= WINDOW {
                self.readable.notified().await;
            }
            buffer.reserve(READ);
            let count = io.read_buf(&mut buffer).await?;
            if count == 0 {
                self.call_protocol(|upgraded, protocol| {
                    let keep = protocol.call_method0(intern!(protocol.py(), "eof_received"))?;
                    if !keep.is_truthy()? {
                        upgraded.close();
                    }
                    Ok(())
                });
                return Ok(());
            }
            let data = buffer.split().freeze();
            self.unseen.fetch_add(count, Ordering::AcqRel);
            self.call_protocol(move |upgraded, protocol| {
                let py = protocol.py();
                let result = protocol.call_method1(intern!(py, "data_received"), (PyBytes::new(py, &data),));
                let before = upgraded.unseen.fetch_sub(data.len(), Ordering::AcqRel);
                if before >= WINDOW {
                    upgraded.readable.notify_one();
                }
                result.map(drop)
            });
        }
    }

    /// The transport to the socket. Ends when the transport is closed and all is out, or aborted.
    async fn write_out(self: &Arc<Self>, mut io: impl AsyncWrite + Unpin) -> std::io::Result<()> {
        loop {
            let (data, end) = {
                let mut out = self.out.lock();
                (out.buffer.split(), out.write_side)
            };
            match (data.is_empty(), end) {
                (_, WriteSide::Aborted) => return Ok(()),
                (true, WriteSide::Closing) => return io.shutdown().await,
                (true, WriteSide::Open) => self.writable.notified().await,
                (false, _) => {
                    let aborted = async {
                        loop {
                            self.writable.notified().await;
                            if self.out.lock().write_side == WriteSide::Aborted {
                                break;
                            }
                        }
                    };
                    tokio::select! {
                        written = write_all(&mut io, &data, self.app.send_timeout) => written?,
                        () = aborted => return Ok(()),
                    }
                    self.written.fetch_add(data.len() as u64, Ordering::Relaxed);
                    self.resume_protocol();
                }
            }
        }
    }

    /// Lets the protocol write on once enough of its data is out.
    fn resume_protocol(self: &Arc<Self>) {
        let mut out = self.out.lock();
        if out.paused && out.buffer.len() <= out.low {
            out.paused = false;
            self.call_protocol(|_, protocol| protocol.call_method0(intern!(protocol.py(), "resume_writing")).map(drop));
        }
    }
}

/// Writes `data`, and what `io` has kept of it. An error when the other end takes nothing for `timeout`.
async fn write_all(io: &mut (impl AsyncWrite + Unpin), mut data: &[u8], timeout: Duration) -> std::io::Result<()> {
    // Made when it is first needed: most of the time the socket takes everything at once.
    let mut late: Option<Pin<Box<Sleep>>> = None;
    poll_fn(|cx| {
        loop {
            let step = if data.is_empty() {
                Pin::new(&mut *io).poll_flush(cx).map_ok(|()| 0)
            } else {
                Pin::new(&mut *io).poll_write(cx, data)
            };
            match step {
                Poll::Ready(Ok(0)) if data.is_empty() => return Poll::Ready(Ok(())),
                Poll::Ready(Ok(0)) => return Poll::Ready(Err(std::io::ErrorKind::WriteZero.into())),
                Poll::Ready(Ok(count)) => {
                    data = data.get(count..).unwrap_or_default();
                    late = None;
                }
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Pending => {
                    let late = late.get_or_insert_with(|| Box::pin(tokio::time::sleep(timeout)));
                    return late
                        .as_mut()
                        .poll(cx)
                        .map(|()| Err(std::io::Error::from_raw_os_error(nix::libc::ETIMEDOUT)));
                }
            }
        }
    })
    .await
}

/// Calls the protocol's `connection_lost`: once, however the task ends.
struct LossNotice {
    upgraded: Arc<UpgradedConnection>,
    is_sent: bool,
}

impl LossNotice {
    /// Waits until `connection_lost` has returned, so that a server that stops waits for it as well.
    async fn send(mut self, error: Option<std::io::Error>) {
        let told = self.post(error);
        let _ = tokio::time::timeout(LINGER_TIME, told).await;
    }

    fn post(&mut self, error: Option<std::io::Error>) -> oneshot::Receiver<()> {
        let (sender, receiver) = oneshot::channel();
        self.is_sent = true;
        self.upgraded.out.lock().write_side = WriteSide::Aborted;
        self.upgraded.call_protocol(move |upgraded, protocol| {
            let py = protocol.py();
            let reason = error.map(|error| match error.raw_os_error() {
                Some(_) => PyErr::from(error).into_value(py).into_any(),
                None => PyOSError::new_err(error.to_string()).into_value(py).into_any(),
            });
            let told = protocol.call_method1(intern!(py, "connection_lost"), (reason,));
            upgraded.forget_protocol();
            // The receiver is gone where the worker has ended before.
            let _ = sender.send(());
            told.map(drop)
        });
        receiver
    }
}

impl Drop for LossNotice {
    fn drop(&mut self) {
        if !self.is_sent {
            drop(self.post(None));
        }
    }
}

/// A protocol that is to get a connection. On one that does not get it `connection_lost` is called, once, and nothing
/// else.
pub(crate) struct Candidate {
    protocol: Option<Py<PyAny>>,
    app: Arc<CompiledApp>,
    worker_id: usize,
}

impl Candidate {
    pub(crate) fn new(protocol: Py<PyAny>, app: Arc<CompiledApp>, worker_id: usize) -> Self {
        Self { protocol: Some(protocol), app, worker_id }
    }

    /// The connection is there.
    fn take(mut self) -> Option<Py<PyAny>> {
        self.protocol.take()
    }
}

impl Drop for Candidate {
    fn drop(&mut self) {
        let Some(protocol) = self.protocol.take() else { return };
        self.app.workers.call_in_loop(self.worker_id, move |py| {
            let reason =
                PyConnectionError::new_err("the connection was not switched: the client has left before, or cannot")
                    .into_value(py);
            if let Err(error) = protocol.call_method1(py, intern!(py, "connection_lost"), (reason,)) {
                error.write_unraisable(py, Some(protocol.bind(py)));
            }
        });
    }
}

/// Drains what a client still sends after our FIN, for up to LINGER_TIME: closing before that would make the system
/// send a reset, which can overtake what the client has not read yet.
async fn linger(mut io: impl AsyncRead + Unpin) {
    let mut rest = BytesMut::with_capacity(READ);
    let drained = async {
        while matches!(io.read_buf(&mut rest).await, Ok(1..)) {
            rest.clear();
        }
    };
    let _ = tokio::time::timeout(LINGER_TIME, drained).await;
}

/// Counts one open upgraded connection.
struct OpenCount(Arc<Counters>);

impl OpenCount {
    fn new(app: &CompiledApp) -> Self {
        app.counters.upgraded.fetch_add(1, Ordering::Relaxed);
        Self(Arc::clone(&app.counters))
    }
}

impl Drop for OpenCount {
    fn drop(&mut self) {
        self.0.upgraded.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Runs one upgraded connection to its end.
pub(crate) async fn run(
    io: impl AsyncRead + AsyncWrite + Unpin,
    candidate: Candidate,
    route: Arc<CompiledRoute>,
    app: Arc<CompiledApp>,
    worker_id: usize,
    connection: Arc<ConnectionInfo>,
) -> u64 {
    let protocol = candidate.take();
    let _counted = OpenCount::new(&app);
    let upgraded = Arc::new(UpgradedConnection {
        app,
        worker_id,
        connection,
        protocol: Mutex::new(protocol),
        route,
        out: Mutex::new(Outgoing {
            buffer: BytesMut::new(),
            write_side: WriteSide::Open,
            high: HIGH_WATER,
            low: LOW_WATER,
            paused: false,
        }),
        writable: Notify::new(),
        written: AtomicU64::new(0),
        unseen: AtomicUsize::new(0),
        reading_paused: AtomicBool::new(false),
        readable: Notify::new(),
    });
    upgraded.call_protocol(|upgraded, protocol| {
        let transport = Bound::new(protocol.py(), Transport::new(Arc::clone(upgraded)))?;
        protocol.call_method1(intern!(protocol.py(), "connection_made"), (transport,)).map(drop)
    });
    let loss_notice = LossNotice { upgraded: Arc::clone(&upgraded), is_sent: false };
    let (mut reader, writer) = tokio::io::split(io);
    let (error, read_all) = {
        let reading = upgraded.read(&mut reader);
        let writing = upgraded.write_out(writer);
        tokio::pin!(reading, writing);
        let mut read_all = false;
        loop {
            tokio::select! {
                read = &mut reading, if !read_all => match read {
                    // The protocol decides whether it sends more.
                    Ok(()) => read_all = true,
                    Err(error) => break (Some(error), true),
                },
                written = &mut writing => break (written.err(), read_all),
            }
        }
    };
    let closed = error.is_none() && upgraded.out.lock().write_side == WriteSide::Closing;
    if closed && !read_all {
        tokio::join!(loss_notice.send(error), linger(reader));
    } else {
        loss_notice.send(error).await;
    }
    upgraded.written.load(Ordering::Relaxed)
}
