//! `UpgradedConnection`: what the transport and the socket's task share.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::task::Poll;
use std::time::Duration;

use bytes::BytesMut;
use parking_lot::Mutex;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::PyBytes;
use slimeweb_http::ConnectionInfo;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::sync::Notify;
use tokio::time::Sleep;

use crate::reporter::{Reporter, protocol_failed};
use crate::request::context::{App, Worker};
use crate::route::CompiledRoute;
use crate::worker::work::WorkItem;

/// Bytes read that the protocol has not seen yet, at most (and one read's worth more).
const WINDOW: usize = 256 * 1024;
/// One read, in bytes.
pub(super) const READ: usize = 16 * 1024;
/// asyncio's own defaults for a transport's write buffer, in bytes.
const HIGH_WATER: usize = 64 * 1024;
const LOW_WATER: usize = 16 * 1024;
/// An upgraded connection: what the transport and the socket's task share.
pub(crate) struct UpgradedConnection {
    pub(crate) app: Arc<App>,
    pub(crate) worker_id: usize,
    pub(crate) connection: Arc<ConnectionInfo>,
    /// None after `connection_lost`: its transport does not keep it alive.
    protocol: Mutex<Option<Py<PyAny>>>,
    pub(super) reporter: Option<Arc<Reporter>>,
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
    pub(super) fn new(
        app: Arc<App>,
        worker_id: usize,
        connection: Arc<ConnectionInfo>,
        route: Arc<CompiledRoute>,
        protocol: Option<Py<PyAny>>,
        reporter: Option<Arc<Reporter>>,
    ) -> Arc<Self> {
        Arc::new(Self {
            app,
            worker_id,
            connection,
            protocol: Mutex::new(protocol),
            reporter,
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
        })
    }

    /// Whether it has been closed, rather than aborted.
    pub(super) fn is_closed(&self) -> bool {
        self.out.lock().write_side == WriteSide::Closing
    }

    /// Bytes that the connection has taken.
    pub(super) fn written(&self) -> u64 {
        self.written.load(Ordering::Relaxed)
    }

    fn worker(&self) -> &Arc<Worker> {
        self.app.workers.get(self.worker_id)
    }

    /// Calls a method of the protocol, in the loop's thread. Does nothing after `connection_lost`.
    pub(super) fn call_protocol(
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
                protocol_failed(upgraded.reporter.as_deref(), error, &protocol);
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
    pub(super) async fn read(self: &Arc<Self>, mut io: impl AsyncRead + Unpin) -> std::io::Result<()> {
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
    pub(super) async fn write_out(self: &Arc<Self>, mut io: impl AsyncWrite + Unpin) -> std::io::Result<()> {
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
