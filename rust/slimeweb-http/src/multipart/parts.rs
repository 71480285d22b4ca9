//! The parts of a form, one after another (RFC 2046, section 5.1). multer finds them; what it may gather is limited
//! here.
//!
//! multer takes whatever its stream has ready, and keeps it until the head of a part is complete, however long that is.
//! So its stream has one block at a time, and that only after multer has asked; a head that takes too many of them is
//! refused.

use std::convert::Infallible;
use std::future::poll_fn;
use std::mem;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use bytes::Bytes;
use futures_core::Stream;
use memchr::memmem;
use multer::{Field, Multipart};

use super::blocks::{Blocks, Source};
use super::error::FormError;
use super::part_head::{self, PartHead};

/// The bytes that may be read in search of the end of a part's head; what stands before the first part counts as well.
/// A head can be longer by the part of a block that had been read with what was before it.
const HEAD_LIMIT: usize = 16 * 1024;

/// The parts of a body.
pub(super) struct Parts<S> {
    blocks: Blocks<S>,
    inlet: Inlet,
    multipart: Multipart<'static>,
    /// What came until the first part was found; none after it.
    start: Option<Start>,
}

/// The start of a body.
struct Start {
    delimiter: Vec<u8>,
    bytes: Vec<u8>,
}

impl Start {
    /// What is wrong with what stands before the first part, or before the end where there is none. RFC 2046 lets a
    /// text stand there for readers; a part whose delimiter is not the form's is no such text, and must not be lost
    /// silently.
    fn fault(&self, is_empty: bool) -> Option<&'static str> {
        let end = memmem::find(&self.bytes, &self.delimiter).unwrap_or(self.bytes.len());
        let preamble = self.bytes.get(..end).unwrap_or_default().trim_ascii();
        let holds_a_part = || {
            preamble.split(|byte| *byte == b'\n').any(|line| {
                line.split_at_checked(PART.len()).is_some_and(|(start, _)| start.eq_ignore_ascii_case(PART))
            })
        };
        (!preamble.is_empty() && (is_empty || holds_a_part())).then_some("it does not begin with its boundary")
    }
}

/// How the head of a part begins.
const PART: &[u8] = b"content-disposition:";

/// One part.
pub(super) struct Part {
    pub(super) head: PartHead,
    pub(super) data: Field<'static>,
}

impl<S: Source> Parts<S> {
    pub(super) fn new(source: S, boundary: &str) -> Self {
        let inlet = Inlet::default();
        let start = Some(Start { delimiter: format!("--{boundary}").into_bytes(), bytes: Vec::new() });
        Self { blocks: Blocks::new(source), multipart: Multipart::new(inlet.clone(), boundary), inlet, start }
    }

    /// The next part; none after the last. The part before it has to be read to its end and dropped.
    pub(super) async fn next(&mut self) -> Result<Option<Part>, FormError> {
        let mut searched = 0;
        let field = loop {
            match poll_fn(|cx| Poll::Ready(self.multipart.poll_next_field(cx))).await {
                Poll::Ready(field) => break field.map_err(|error| reason(&error))?,
                Poll::Pending if searched >= HEAD_LIMIT => {
                    return Err(FormError::Malformed(
                        "the head of a part, or what stands before the first, is too long",
                    ));
                }
                Poll::Pending => searched += self.feed().await?,
            }
        };
        if let Some(fault) = self.start.take().and_then(|start| start.fault(field.is_none())) {
            return Err(FormError::Malformed(fault));
        }
        let Some(data) = field else {
            // What follows the last delimiter is ignored, but read, so that the connection can be used again.
            self.blocks.skip().await?;
            return Ok(None);
        };
        let head = part_head::parse(data.headers()).map_err(FormError::Malformed)?;
        Ok(Some(Part { head, data }))
    }

    /// The next piece of a part, which may be empty; none at its end.
    pub(super) async fn piece(&mut self, data: &mut Field<'static>) -> Result<Option<Bytes>, FormError> {
        loop {
            match poll_fn(|cx| Poll::Ready(Pin::new(&mut *data).poll_next(cx))).await {
                Poll::Ready(piece) => return piece.transpose().map_err(|error| reason(&error)),
                Poll::Pending => self.feed().await?,
            };
        }
    }

    /// Gives multer a block, or the end. Returns the number of bytes.
    async fn feed(&mut self) -> Result<usize, FormError> {
        match self.blocks.next().await? {
            Some(block) => {
                let length = block.len();
                if let Some(start) = &mut self.start {
                    start.bytes.extend_from_slice(&block);
                }
                self.inlet.put(Supply::Block(block));
                Ok(length)
            }
            // It has had the end, and still waits.
            None if self.inlet.has_ended() => Err(FormError::Malformed("it ends too early")),
            None => {
                self.inlet.put(Supply::End);
                Ok(0)
            }
        }
    }
}

/// The stream that multer reads from. It wakes no task: whatever puts a block in polls multer next.
#[derive(Clone, Default)]
struct Inlet(Arc<Mutex<Supply>>);

#[derive(Default)]
enum Supply {
    #[default]
    Nothing,
    Block(Bytes),
    End,
}

impl Inlet {
    fn put(&self, supply: Supply) {
        self.exchange(supply);
    }

    fn has_ended(&self) -> bool {
        matches!(*self.0.lock().unwrap_or_else(PoisonError::into_inner), Supply::End)
    }

    fn exchange(&self, supply: Supply) -> Supply {
        mem::replace(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner), supply)
    }
}

impl Stream for Inlet {
    type Item = Result<Bytes, Infallible>;

    fn poll_next(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        match self.exchange(Supply::Nothing) {
            Supply::Nothing => Poll::Pending,
            Supply::Block(block) => Poll::Ready(Some(Ok(block))),
            Supply::End => {
                self.put(Supply::End);
                Poll::Ready(None)
            }
        }
    }
}

fn reason(error: &multer::Error) -> FormError {
    FormError::Malformed(match error {
        multer::Error::IncompleteFieldData { .. } => "it ends before its last delimiter",
        multer::Error::IncompleteStream => "it ends too early, or a delimiter is followed by something else",
        multer::Error::IncompleteHeaders
        | multer::Error::ReadHeaderFailed(_)
        | multer::Error::DecodeHeaderName { .. }
        | multer::Error::DecodeHeaderValue { .. } => "the head of a part is no list of header fields",
        _ => "it cannot be read",
    })
}
