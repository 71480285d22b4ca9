//! Response bodies.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body::{Body as _, Frame, SizeHint};

use super::channel::{self, BodyReceiver, BodySender};
use super::file::{FileSection, PIECE};
use crate::error::BodyError;

/// The body of a response.
pub struct Body(BodyKind);

enum BodyKind {
    Empty,
    Full(Bytes),
    /// As `Full`, handed out piece by piece.
    Pieces(Bytes),
    Channel(BodyReceiver),
    File(FileSection),
    EndCallback(Box<EndCallback>),
}

/// A body, and what is called at its end.
struct EndCallback {
    body: Body,
    size: u64,
    ended: bool,
    /// Taken when it is called.
    end: Option<Box<dyn FnOnce(u64, BodyEnd) + Send + Sync>>,
}

/// How a body has ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BodyEnd {
    /// The connection has taken all of it.
    Complete,
    /// Its source has failed.
    Failed(BodyError),
    /// The connection wants no more of it.
    Dropped,
}

impl EndCallback {
    fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(cx));
        match &frame {
            Some(Ok(frame)) => self.size += frame.data_ref().map_or(0, |data| data.len() as u64),
            Some(Err(error)) => self.tell(BodyEnd::Failed(error.clone())),
            None => self.ended = true,
        }
        Poll::Ready(frame)
    }

    fn tell(&mut self, how: BodyEnd) {
        if let Some(end) = self.end.take() {
            end(self.size, how);
        }
    }
}

impl Drop for EndCallback {
    fn drop(&mut self) {
        // hyper does not poll a body again that is known to be at its end.
        let is_complete = self.ended || self.body.is_end_stream();
        self.tell(if is_complete { BodyEnd::Complete } else { BodyEnd::Dropped });
    }
}

impl Body {
    /// No body.
    #[must_use]
    pub fn empty() -> Self {
        Self(BodyKind::Empty)
    }

    /// A body that is there as a whole.
    pub fn full(bytes: impl Into<Bytes>) -> Self {
        let bytes = bytes.into();
        Self(if bytes.is_empty() { BodyKind::Empty } else { BodyKind::Full(bytes) })
    }

    /// A body that is written piece by piece from any thread; it holds back its writer from `high_water` bytes on.
    #[must_use]
    pub fn channel(high_water: usize) -> (BodySender, Self) {
        let (sender, receiver) = channel::channel(high_water);
        (sender, Self(BodyKind::Channel(receiver)))
    }

    /// Calls `end` when the connection is done with the body: with the bytes that it has taken, and how it has ended.
    #[must_use]
    pub fn on_end(mut self, end: impl FnOnce(u64, BodyEnd) + Send + Sync + 'static) -> Self {
        // As a whole it would count as taken before the client has seen any of it.
        self.cut_up();
        Self(BodyKind::EndCallback(Box::new(EndCallback {
            body: self,
            size: 0,
            ended: false,
            end: Some(Box::new(end)),
        })))
    }

    /// Hands a long body out in pieces: a transport that takes one buffer at a time makes hyper copy what it is given.
    pub(crate) fn cut_up(&mut self) {
        if let BodyKind::Full(bytes) = &mut self.0
            && bytes.len() > PIECE
        {
            self.0 = BodyKind::Pieces(std::mem::take(bytes));
        }
    }

    pub(crate) fn file(section: FileSection) -> Self {
        Self(BodyKind::File(section))
    }
}

impl Default for Body {
    fn default() -> Self {
        Self::empty()
    }
}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (kind, size) = match &self.0 {
            BodyKind::Empty => ("empty", Some(0)),
            BodyKind::Full(bytes) | BodyKind::Pieces(bytes) => ("full", Some(bytes.len() as u64)),
            BodyKind::Channel(_) => ("channel", None),
            BodyKind::File(section) => ("file", Some(section.remaining())),
            BodyKind::EndCallback(watched) => return watched.body.fmt(f),
        };
        f.debug_struct("Body").field("kind", &kind).field("size", &size).finish()
    }
}

impl http_body::Body for Body {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        match &mut self.0 {
            BodyKind::EndCallback(watched) => watched.poll_frame(cx),
            BodyKind::Empty => Poll::Ready(None),
            BodyKind::Full(bytes) => {
                let bytes = std::mem::take(bytes);
                self.0 = BodyKind::Empty;
                Poll::Ready(Some(Ok(Frame::data(bytes))))
            }
            BodyKind::Pieces(bytes) if bytes.is_empty() => Poll::Ready(None),
            BodyKind::Pieces(bytes) => Poll::Ready(Some(Ok(Frame::data(bytes.split_to(bytes.len().min(PIECE)))))),
            BodyKind::Channel(receiver) => {
                receiver.poll_next(cx).map(|piece| piece.map(|piece| piece.map(Frame::data)))
            }
            BodyKind::File(section) => section.poll_next(cx).map(|piece| piece.map(|piece| piece.map(Frame::data))),
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.0 {
            BodyKind::Empty => true,
            BodyKind::Full(_) => false,
            BodyKind::Pieces(bytes) => bytes.is_empty(),
            BodyKind::Channel(receiver) => receiver.has_ended(),
            BodyKind::File(section) => section.remaining() == 0,
            BodyKind::EndCallback(watched) => watched.body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.0 {
            BodyKind::Empty => SizeHint::with_exact(0),
            BodyKind::Full(bytes) | BodyKind::Pieces(bytes) => SizeHint::with_exact(bytes.len() as u64),
            BodyKind::Channel(_) => SizeHint::default(),
            BodyKind::File(section) => SizeHint::with_exact(section.remaining()),
            BodyKind::EndCallback(watched) => watched.body.size_hint(),
        }
    }
}
