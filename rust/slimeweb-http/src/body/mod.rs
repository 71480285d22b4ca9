//! Response bodies.

mod channel;
mod file;

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Frame, SizeHint};

pub use channel::{BodySender, Closed};

use crate::error::BodyError;
use channel::BodyReceiver;
pub(crate) use file::{FileSection, PIECE, read_at_once};

/// The body of a response.
pub struct Body(Kind);

enum Kind {
    Empty,
    Full(Bytes),
    Channel(BodyReceiver),
    File(FileSection),
}

impl Body {
    /// No body.
    #[must_use]
    pub fn empty() -> Self {
        Self(Kind::Empty)
    }

    /// A body that is there as a whole.
    pub fn full(bytes: impl Into<Bytes>) -> Self {
        let bytes = bytes.into();
        Self(if bytes.is_empty() { Kind::Empty } else { Kind::Full(bytes) })
    }

    /// A body that is written piece by piece from any thread; it holds back its writer from `high_water` bytes on.
    #[must_use]
    pub fn channel(high_water: usize) -> (BodySender, Self) {
        let (sender, receiver) = channel::channel(high_water);
        (sender, Self(Kind::Channel(receiver)))
    }

    pub(crate) fn file(section: FileSection) -> Self {
        Self(Kind::File(section))
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
            Kind::Empty => ("empty", Some(0)),
            Kind::Full(bytes) => ("full", Some(bytes.len() as u64)),
            Kind::Channel(_) => ("channel", None),
            Kind::File(section) => ("file", Some(section.remaining())),
        };
        f.debug_struct("Body").field("kind", &kind).field("size", &size).finish()
    }
}

impl http_body::Body for Body {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        match &mut self.0 {
            Kind::Empty => Poll::Ready(None),
            Kind::Full(bytes) => {
                let bytes = std::mem::take(bytes);
                self.0 = Kind::Empty;
                Poll::Ready(Some(Ok(Frame::data(bytes))))
            }
            Kind::Channel(receiver) => receiver.poll_next(cx).map(|piece| piece.map(|piece| piece.map(Frame::data))),
            Kind::File(section) => section.poll_next(cx).map(|piece| piece.map(|piece| piece.map(Frame::data))),
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.0 {
            Kind::Empty => true,
            Kind::Full(_) => false,
            Kind::Channel(receiver) => receiver.has_ended(),
            Kind::File(section) => section.remaining() == 0,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.0 {
            Kind::Empty => SizeHint::with_exact(0),
            Kind::Full(bytes) => SizeHint::with_exact(bytes.len() as u64),
            Kind::Channel(_) => SizeHint::default(),
            Kind::File(section) => SizeHint::with_exact(section.remaining()),
        }
    }
}
