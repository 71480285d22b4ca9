//! The I/O object given to hyper.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};

use smallvec::SmallVec;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::observer::{Event, Observer};
use super::pulse::{Order, Pulse};
use super::transport::Transport;
use crate::acceptor::Permit;

/// Pieces that are together no longer than this are written as one, in bytes.
const JOINED: usize = 2048;

/// A connection's bytes on their way to hyper, watched.
pub(crate) struct Wire {
    // Taken only by `drop`.
    transport: Option<(Transport, Permit)>,
    /// None for HTTP/2, whose framing is h2's own.
    observer: Option<Observer>,
    pulse: Arc<Pulse>,
    parting: Arc<Parting>,
    ended: bool,
}

/// Where a connection is left that hyper is done with but its client may not be: closing it while bytes come in would make
/// the system send a reset, which can overtake the answer.
#[derive(Default)]
pub(crate) struct Parting(Mutex<Option<(Transport, Permit)>>);

impl Parting {
    pub(crate) fn take(&self) -> Option<(Transport, Permit)> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

impl Wire {
    pub(crate) fn http1(
        transport: Transport,
        permit: Permit,
        pulse: Arc<Pulse>,
        parting: Arc<Parting>,
        head_size: usize,
    ) -> Self {
        let observer = Some(Observer::new(head_size));
        Self { transport: Some((transport, permit)), observer, pulse, parting, ended: false }
    }

    pub(crate) fn http2(transport: Transport, permit: Permit, pulse: Arc<Pulse>) -> Self {
        Self { transport: Some((transport, permit)), observer: None, pulse, parting: Arc::default(), ended: false }
    }

    fn transport(&mut self) -> io::Result<Pin<&mut Transport>> {
        match &mut self.transport {
            Some((transport, _)) => Ok(Pin::new(transport)),
            None => Err(io::ErrorKind::NotConnected.into()),
        }
    }

    fn observe(&mut self, bytes: &[u8]) {
        let (Some(observer), pulse) = (&mut self.observer, &self.pulse) else { return };
        if bytes.is_empty() {
            self.ended = true;
        }
        if pulse.is_tunnel() {
            self.observer = None;
            return;
        }
        observer.feed(bytes, |event| match event {
            Event::HeadBegan => pulse.head_began(),
            Event::HeadEnded => pulse.head_ended(),
            Event::Faulty(head, fault) => pulse.set_fault(head, fault),
        });
    }

    /// Whether the client may still be sending what nobody will read.
    fn is_talking(&self) -> bool {
        let unread = self.observer.as_ref().is_some_and(|observer| !observer.is_between());
        let order = self.pulse.order();
        !self.ended && !self.pulse.is_tunnel() && order != Order::Cut && (unread || self.pulse.has_fault())
            // A half-written answer must not be followed by something else.
            && !(order == Order::Expire && self.pulse.is_write_blocked())
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        if self.is_talking() {
            *self.parting.0.lock().unwrap_or_else(PoisonError::into_inner) = self.transport.take();
        }
    }
}

impl AsyncRead for Wire {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        let before = buf.filled().len();
        let outcome = ready!(this.transport()?.poll_read(cx, buf));
        match &outcome {
            Ok(()) => this.observe(buf.filled().get(before..).unwrap_or_default()),
            Err(_) => this.ended = true,
        }
        Poll::Ready(outcome)
    }
}

impl AsyncWrite for Wire {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, data: &[u8]) -> Poll<io::Result<usize>> {
        let outcome = self.transport()?.poll_write(cx, data);
        self.pulse.writing(outcome.is_pending());
        outcome
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        data: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let outcome = match joined(data) {
            // One buffer costs the system less than several, and TLS makes one record of it.
            Some(joined) => self.transport()?.poll_write(cx, &joined),
            None => self.transport()?.poll_write_vectored(cx, data),
        };
        self.pulse.writing(outcome.is_pending());
        outcome
    }

    fn is_write_vectored(&self) -> bool {
        self.transport.as_ref().is_some_and(|(transport, _)| transport.is_write_vectored())
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let outcome = self.transport()?.poll_flush(cx);
        self.pulse.writing(outcome.is_pending());
        outcome
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.transport()?.poll_shutdown(cx)
    }
}

/// The pieces as one, where they are small.
fn joined(data: &[io::IoSlice<'_>]) -> Option<SmallVec<[u8; JOINED]>> {
    if data.iter().map(|piece| piece.len()).sum::<usize>() > JOINED {
        return None;
    }
    let mut joined = SmallVec::new();
    data.iter().for_each(|piece| joined.extend_from_slice(piece));
    Some(joined)
}
