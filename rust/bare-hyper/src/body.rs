//! The two kinds of body that the workloads answer.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Frame, SizeHint};

/// A body known as a whole, or the pieces of a chunked one.
pub(crate) enum Body {
    Full(Bytes),
    Chunked(std::array::IntoIter<&'static [u8], 5>),
}

impl http_body::Body for Body {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(self: Pin<&mut Self>, _context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let piece = match self.get_mut() {
            Self::Full(bytes) if bytes.is_empty() => None,
            Self::Full(bytes) => Some(std::mem::take(bytes)),
            Self::Chunked(pieces) => pieces.next().map(Bytes::from_static),
        };
        Poll::Ready(piece.map(|piece| Ok(Frame::data(piece))))
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Full(bytes) => bytes.is_empty(),
            Self::Chunked(pieces) => pieces.len() == 0,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Full(bytes) => SizeHint::with_exact(bytes.len() as u64),
            Self::Chunked(_) => SizeHint::default(),
        }
    }
}
