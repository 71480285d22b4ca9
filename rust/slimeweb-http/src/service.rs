//! What a server calls for each request, and what it gives it.

use std::fmt;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::task::{Context, Poll};

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::request::Parts;
use http::{HeaderValue, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::address::{Address, Peer};
use crate::body::{Body, RequestBody};
use crate::conn::{CloseMode, ConnectionState};

/// Answers requests. There is one per worker.
pub trait Service: Send + Sync + 'static {
    /// Answers one request. A panic becomes a 500; the future is dropped when the client leaves before the answer.
    ///
    /// The future is moved around, and kept with its connection, so it should be small: what can be done before it is
    /// made costs no room in it, and what is seldom needed can be in a box.
    fn call(
        self: &Arc<Self>,
        exchange: Exchange,
    ) -> impl Future<Output = Response<Body>> + Send + Unpin + 'static + use<Self>;

    /// Answers a request that breaks HTTP with `status`; `explanation` says how, for the client to read. Over HTTP/1.1
    /// the connection ends with it, and its body is not read.
    fn refuse(
        self: &Arc<Self>,
        head: Parts,
        connection: Arc<ConnectionInfo>,
        status: StatusCode,
        explanation: &'static str,
    ) -> Pin<Box<dyn Future<Output = Response<Body>> + Send>> {
        drop((head, connection));
        Box::pin(std::future::ready(plain(status, explanation)))
    }

    /// Called after a response that the server sent without a request: for a head that was malformed, too large or too
    /// slow. `size` is the bytes of its body, 0 where the client has not taken it.
    fn answered(self: &Arc<Self>, connection: &Arc<ConnectionInfo>, status: StatusCode, size: u64) {
        let _ = (connection, status, size);
    }

    /// Called, at intervals, while connections cannot be accepted, such as for want of file descriptors. They wait in
    /// the system's backlog, and are accepted as soon as that is possible.
    fn accept_failed(self: &Arc<Self>, error: &io::Error) {
        let _ = error;
    }
}

/// A short plain answer.
pub(crate) fn plain(status: StatusCode, text: &'static str) -> Response<Body> {
    let mut response = Response::new(Body::full(Bytes::from_static(text.as_bytes())));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    response
}

/// One request with what surrounds it.
#[derive(Debug)]
#[non_exhaustive]
pub struct Exchange {
    /// Method, target, version and header fields.
    pub head: Parts,
    /// The body, not read yet.
    pub body: RequestBody,
    /// The connection it came on.
    pub connection: Arc<ConnectionInfo>,
}

impl Exchange {
    /// The connection after a 101 (or a 2xx to CONNECT), where this request allows for one. Only the first call gets
    /// it.
    pub fn on_upgrade(head: &mut Parts) -> Option<OnUpgrade> {
        head.extensions.remove::<hyper::upgrade::OnUpgrade>().map(OnUpgrade)
    }
}

/// What stays the same for all requests of a connection.
#[derive(Debug)]
#[non_exhaustive]
pub struct ConnectionInfo {
    /// The other end.
    pub peer: Peer,
    /// The listener's address; for a wildcard one, the address that the client connected to.
    pub local: Address,
    /// Whether TLS is spoken.
    pub tls: bool,
    /// Unique within the server.
    pub id: u64,
    /// The client's end of it.
    pub client_eof: ClientEof,
    pub(crate) state: Arc<ConnectionState>,
}

impl ConnectionInfo {
    /// Why the server closes it at once, if it does.
    #[must_use]
    pub fn cut(&self) -> Option<ConnectionCut> {
        match self.state.close_mode() {
            CloseMode::Open | CloseMode::Drain | CloseMode::Expire => None,
            CloseMode::Abort => Some(ConnectionCut::Timeout),
            CloseMode::Stop => Some(ConnectionCut::ServerStops),
        }
    }
}

/// Why the server closes a connection, whatever is in flight.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConnectionCut {
    /// The client has exceeded a timeout.
    Timeout,
    /// The server stops, and there is no time left.
    ServerStops,
}

/// The end of what a client sends over HTTP/1.1. It may still read (RFC 9112, section 9.6), or have closed the
/// connection: that shows only when something is written. Over HTTP/2 a request ends with its connection.
#[derive(Default)]
pub struct ClientEof {
    is_seen: AtomicBool,
    watchers: Mutex<Vec<Weak<dyn Fn() + Send + Sync>>>,
}

impl ClientEof {
    /// Calls `watcher` once there is an end, unless it has been dropped: at once if it is there already, else from the
    /// connection's task.
    pub fn watch(&self, watcher: &Arc<dyn Fn() + Send + Sync>) {
        let mut watchers = self.watchers.lock().unwrap_or_else(PoisonError::into_inner);
        if self.is_seen.load(Ordering::Acquire) {
            drop(watchers);
            watcher();
            return;
        }
        // Those of requests that are over.
        watchers.retain(|watcher| watcher.strong_count() > 0);
        watchers.push(Arc::downgrade(watcher));
    }

    /// The client sends no more.
    pub(crate) fn set(&self) {
        let watchers = {
            let mut watchers = self.watchers.lock().unwrap_or_else(PoisonError::into_inner);
            self.is_seen.store(true, Ordering::Release);
            std::mem::take(&mut *watchers)
        };
        for watcher in watchers.iter().filter_map(Weak::upgrade) {
            watcher();
        }
    }
}

impl fmt::Debug for ClientEof {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientEof").field("is_seen", &self.is_seen).finish_non_exhaustive()
    }
}

/// Waits until the answer that agrees to the upgrade is out.
#[derive(Debug)]
pub struct OnUpgrade(hyper::upgrade::OnUpgrade);

impl Future for OnUpgrade {
    type Output = io::Result<Upgraded>;

    /// An error means that the client has gone, or that the answer did not agree to the upgrade.
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.0).poll(cx).map(|outcome| match outcome {
            Ok(upgraded) => Ok(Upgraded(TokioIo::new(upgraded))),
            Err(error) => Err(io::Error::other(error)),
        })
    }
}

/// A connection that has left HTTP: bytes in, bytes out, beginning with those that came early. Counts against
/// [`Limits::connections`](crate::Limits::connections) until it is dropped.
#[derive(Debug)]
pub struct Upgraded(TokioIo<hyper::upgrade::Upgraded>);

impl AsyncRead for Upgraded {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, buf)
    }
}

impl AsyncWrite for Upgraded {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, data: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, data)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        data: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write_vectored(cx, data)
    }

    fn is_write_vectored(&self) -> bool {
        self.0.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}
