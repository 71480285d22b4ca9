//! A connection after a protocol switch: bytes between the socket and a protocol object in a worker's event loop.
//!
//! All calls to the protocol are made in the loop's thread, in order, so no two overlap for one connection. Both directions are
//! bounded: reading stops while the protocol is behind, and the protocol is told to pause while the client is.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use bytes::BytesMut;
use parking_lot::Mutex;
use pyo3::exceptions::PyOSError;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::PyBytes;
use slimeweb_http::ConnectionInfo;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::sync::{Notify, oneshot};

use crate::lanes::event_loop::{Port, Turn};
use crate::plan::Plan;
use crate::site::Site;
use crate::transport::Transport;

/// Bytes read that the protocol has not seen yet, at most (and one read's worth more).
const WINDOW: usize = 256 * 1024;
/// One read, in bytes.
const READ: usize = 16 * 1024;
/// asyncio's own defaults for a transport's write buffer, in bytes.
const HIGH: usize = 64 * 1024;
const LOW: usize = 16 * 1024;
/// How long a connection that has ended is kept for its protocol and its client to notice.
const PARTING: Duration = Duration::from_secs(2);

/// What the transport and the socket's task share.
pub(crate) struct Tunnel {
    pub(crate) site: Arc<Site>,
    pub(crate) worker: usize,
    pub(crate) connection: Arc<ConnectionInfo>,
    protocol: Py<PyAny>,
    /// Of the route that made the switch.
    pub(crate) plan: Arc<Plan>,
    out: Mutex<Outgoing>,
    /// There is something to write, or the end has come.
    writable: Notify,
    /// Bytes on their way to the protocol.
    unseen: AtomicUsize,
    reading_paused: AtomicBool,
    /// Reading may go on.
    readable: Notify,
}

struct Outgoing {
    buffer: BytesMut,
    end: End,
    high: usize,
    low: usize,
    /// The protocol has been told to pause.
    paused: bool,
}

#[derive(Clone, Copy, PartialEq)]
enum End {
    Open,
    /// Once the buffer is out.
    Closing,
    /// Now.
    Aborted,
}

impl Tunnel {
    fn port(&self) -> &Arc<Port> {
        self.site.lanes.port(self.worker)
    }

    /// Calls a method of the protocol, in the loop's thread.
    fn tell(self: &Arc<Self>, call: impl FnOnce(&Arc<Self>, &Bound<'_, PyAny>) -> PyResult<()> + Send + 'static) {
        let tunnel = Arc::clone(self);
        self.port().post(Turn::Call(Box::new(move |py| {
            if let Err(error) = call(&tunnel, tunnel.protocol.bind(py)) {
                // As asyncio does: a protocol that fails loses its connection, and the log has the reason.
                error.write_unraisable(py, Some(tunnel.protocol.bind(py)));
                tunnel.abort();
            }
        })));
    }

    pub(crate) fn write(self: &Arc<Self>, data: &[u8]) {
        let mut out = self.out.lock();
        if out.end != End::Open {
            return;
        }
        out.buffer.extend_from_slice(data);
        if out.buffer.len() > out.high && !out.paused {
            out.paused = true;
            // Under the lock: whoever resumes posts after this.
            self.tell(|_, protocol| protocol.call_method0(intern!(protocol.py(), "pause_writing")).map(drop));
        }
        drop(out);
        self.writable.notify_one();
    }

    pub(crate) fn close(&self) {
        let mut out = self.out.lock();
        if out.end == End::Open {
            out.end = End::Closing;
        }
        drop(out);
        self.writable.notify_one();
    }

    pub(crate) fn abort(&self) {
        self.out.lock().end = End::Aborted;
        self.writable.notify_one();
    }

    pub(crate) fn is_closing(&self) -> bool {
        self.out.lock().end != End::Open
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
                self.tell(|tunnel, protocol| {
                    let keep = protocol.call_method0(intern!(protocol.py(), "eof_received"))?;
                    if !keep.is_truthy()? {
                        tunnel.close();
                    }
                    Ok(())
                });
                return Ok(());
            }
            let data = buffer.split().freeze();
            self.unseen.fetch_add(count, Ordering::AcqRel);
            self.tell(move |tunnel, protocol| {
                let py = protocol.py();
                let result = protocol.call_method1(intern!(py, "data_received"), (PyBytes::new(py, &data),));
                let before = tunnel.unseen.fetch_sub(data.len(), Ordering::AcqRel);
                if before >= WINDOW {
                    tunnel.readable.notify_one();
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
                (out.buffer.split(), out.end)
            };
            match (data.is_empty(), end) {
                (_, End::Aborted) => return Ok(()),
                (true, End::Closing) => return io.shutdown().await,
                (true, End::Open) => self.writable.notified().await,
                (false, _) => {
                    let aborted = async {
                        loop {
                            self.writable.notified().await;
                            if self.out.lock().end == End::Aborted {
                                break;
                            }
                        }
                    };
                    tokio::select! {
                        written = io.write_all(&data) => written?,
                        () = aborted => return Ok(()),
                    }
                    self.relieved();
                }
            }
        }
    }

    /// Lets the protocol write on once enough of its data is out.
    fn relieved(self: &Arc<Self>) {
        let mut out = self.out.lock();
        if out.paused && out.buffer.len() <= out.low {
            out.paused = false;
            self.tell(|_, protocol| protocol.call_method0(intern!(protocol.py(), "resume_writing")).map(drop));
        }
    }
}

/// Tells the protocol that the connection is gone: once, however the task ends.
struct Goodbye {
    tunnel: Arc<Tunnel>,
    said: bool,
}

impl Goodbye {
    /// Waits until the protocol has been told, so that a server that stops waits as well.
    async fn say(mut self, error: Option<std::io::Error>) {
        let told = self.tell(error);
        let _ = tokio::time::timeout(PARTING, told).await;
    }

    fn tell(&mut self, error: Option<std::io::Error>) -> oneshot::Receiver<()> {
        let (sender, receiver) = oneshot::channel();
        self.said = true;
        self.tunnel.out.lock().end = End::Aborted;
        self.tunnel.tell(move |_, protocol| {
            let py = protocol.py();
            let reason = error.map(|error| match error.raw_os_error() {
                Some(_) => PyErr::from(error).into_value(py).into_any(),
                None => PyOSError::new_err(error.to_string()).into_value(py).into_any(),
            });
            let told = protocol.call_method1(intern!(py, "connection_lost"), (reason,));
            // Nobody waits where the worker has ended before.
            let _ = sender.send(());
            told.map(drop)
        });
        receiver
    }
}

impl Drop for Goodbye {
    fn drop(&mut self) {
        if !self.said {
            drop(self.tell(None));
        }
    }
}

/// Takes what a client still sends after the last word was said: closing before that would make the system send a reset,
/// which can overtake what the client has not read yet.
async fn linger(mut io: impl AsyncRead + Unpin) {
    let mut rest = BytesMut::with_capacity(READ);
    let drained = async {
        while matches!(io.read_buf(&mut rest).await, Ok(1..)) {
            rest.clear();
        }
    };
    let _ = tokio::time::timeout(PARTING, drained).await;
}

/// Carries one switched connection to its end.
pub(crate) async fn run(
    io: impl AsyncRead + AsyncWrite + Unpin,
    protocol: Py<PyAny>,
    plan: Arc<Plan>,
    site: Arc<Site>,
    worker: usize,
    connection: Arc<ConnectionInfo>,
) {
    let tunnel = Arc::new(Tunnel {
        site,
        worker,
        connection,
        protocol,
        plan,
        out: Mutex::new(Outgoing { buffer: BytesMut::new(), end: End::Open, high: HIGH, low: LOW, paused: false }),
        writable: Notify::new(),
        unseen: AtomicUsize::new(0),
        reading_paused: AtomicBool::new(false),
        readable: Notify::new(),
    });
    tunnel.tell(|tunnel, protocol| {
        let transport = Bound::new(protocol.py(), Transport::new(Arc::clone(tunnel)))?;
        protocol.call_method1(intern!(protocol.py(), "connection_made"), (transport,)).map(drop)
    });
    let goodbye = Goodbye { tunnel: Arc::clone(&tunnel), said: false };
    let (mut reader, writer) = tokio::io::split(io);
    let (error, read_all) = {
        let reading = tunnel.read(&mut reader);
        let writing = tunnel.write_out(writer);
        tokio::pin!(reading, writing);
        let mut read_all = false;
        loop {
            tokio::select! {
                read = &mut reading, if !read_all => match read {
                    // The protocol decides whether it still has something to say.
                    Ok(()) => read_all = true,
                    Err(error) => break (Some(error), true),
                },
                written = &mut writing => break (written.err(), read_all),
            }
        }
    };
    let closed = error.is_none() && tunnel.out.lock().end == End::Closing;
    if closed && !read_all {
        tokio::join!(goodbye.say(error), linger(reader));
    } else {
        goodbye.say(error).await;
    }
}
