//! What an encoder does.

use crate::coding::Coding;

/// Encodes one body. After an error, or [`Flush::Finish`], nothing may follow.
pub trait Encoder: Send {
    /// Encodes `data` and flushes as `flush` says, appending the output to `out`.
    ///
    /// # Errors
    /// [`Error::Codec`] when the codec's library refuses: memory has run out, or the body is not of the length announced.
    fn encode(&mut self, data: &[u8], flush: Flush, out: &mut Vec<u8>) -> Result<(), Error>;
}

/// What an encoder is to output once it has taken its data (zlib's `Z_NO_FLUSH`, `Z_SYNC_FLUSH`, `Z_FINISH`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flush {
    /// It may hold back what compresses better together with what comes next.
    None,
    /// Everything so far can be decoded.
    Sync,
    /// The body is complete.
    Finish,
}

/// Why there is no encoder, or no output.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A level that the coding does not have.
    #[error("{} has no level {level}: use {} to {}", coding.token(), coding.levels().start(), coding.levels().end())]
    Level {
        /// The coding.
        coding: Coding,
        /// The level asked for.
        level: u32,
    },
    /// The codec's library refused.
    #[error("{} failed: {reason}", coding.token())]
    Codec {
        /// The coding.
        coding: Coding,
        /// What the library says.
        reason: String,
    },
}

impl Error {
    pub(crate) fn codec(coding: Coding, reason: impl Into<String>) -> Self {
        Self::Codec { coding, reason: reason.into() }
    }
}
