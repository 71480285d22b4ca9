//! A body in blocks of one size.

use std::future::Future;

use bytes::{Bytes, BytesMut};

use crate::body::RequestBody;
use crate::error::BodyError;

/// A block's bytes; the last one of a body may have fewer.
pub(super) const BLOCK: usize = 16 * 1024;

/// Where a body comes from, in pieces that the client has cut.
pub(super) trait Source: Send {
    /// The next piece; none at the end, nor ever after.
    fn chunk(&mut self) -> impl Future<Output = Option<Result<Bytes, BodyError>>> + Send;
}

impl Source for RequestBody {
    fn chunk(&mut self) -> impl Future<Output = Option<Result<Bytes, BodyError>>> + Send {
        RequestBody::chunk(self)
    }
}

/// Cuts a body anew. What comes of it cannot depend on how the client cut it, and a body of tiny chunks costs no more
/// than another.
pub(super) struct Blocks<S> {
    source: S,
    rest: Bytes,
}

impl<S: Source> Blocks<S> {
    pub(super) fn new(source: S) -> Self {
        Self { source, rest: Bytes::new() }
    }

    /// The next block, never an empty one; none at the end.
    pub(super) async fn next(&mut self) -> Result<Option<Bytes>, BodyError> {
        let mut gathered = BytesMut::new();
        while gathered.len() < BLOCK {
            if self.rest.is_empty() {
                match self.source.chunk().await {
                    Some(piece) => self.rest = piece?,
                    None => break,
                }
            }
            if gathered.is_empty() && self.rest.len() >= BLOCK {
                return Ok(Some(self.rest.split_to(BLOCK)));
            }
            let wanted = self.rest.len().min(BLOCK - gathered.len());
            gathered.extend_from_slice(&self.rest.split_to(wanted));
        }
        Ok((!gathered.is_empty()).then(|| gathered.freeze()))
    }

    /// Reads to the end and keeps nothing.
    pub(super) async fn skip(&mut self) -> Result<(), BodyError> {
        self.rest.clear();
        while let Some(piece) = self.source.chunk().await {
            piece?;
        }
        Ok(())
    }
}
