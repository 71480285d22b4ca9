//! What an encoder does, and how to get one.

use crate::brotli::Brotli;
use crate::coding::Coding;
use crate::gzip::Gzip;
use crate::zstd::Zstd;

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

/// An encoder for one body of `length` bytes, `None` when that is not known: a stream.
///
/// A known length is binding. It keeps small bodies from costing what large ones do; see [`crate::window`].
///
/// # Errors
/// [`Error::Level`] for a level that the coding does not have, [`Error::Codec`] when there is no memory for it.
pub fn open(coding: Coding, level: u32, length: Option<u64>) -> Result<Box<dyn Encoder>, Error> {
    if !coding.levels().contains(&level) {
        return Err(Error::Level { coding, level });
    }
    Ok(match coding {
        Coding::Gzip => Box::new(Gzip::new(level)),
        Coding::Brotli => Box::new(Brotli::new(level, length)),
        Coding::Zstd => Box::new(Zstd::new(level, length)?),
    })
}
