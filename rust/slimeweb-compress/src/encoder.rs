//! What an encoder does, and how to get one.

use thiserror::Error;

use crate::brotli::Brotli;
use crate::coding::Coding;
use crate::gzip::Gzip;
use crate::zstd::Zstd;

/// Encodes one body. After a failure, or [`Step::Finish`], nothing may follow.
pub trait Encoder: Send {
    /// Takes `data` and goes on to `step`, appending what there is to send to `out`.
    ///
    /// # Errors
    /// [`Failure::Codec`] when the codec's library refuses: memory has run out, or the body is not of the length announced.
    fn encode(&mut self, data: &[u8], step: Step, out: &mut Vec<u8>) -> Result<(), Failure>;
}

/// How far an encoder goes once it has taken its data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// It may hold back what compresses better together with what comes next.
    Push,
    /// Everything so far can be decoded.
    Flush,
    /// The body is complete.
    Finish,
}

/// Why there is no encoder, or no output.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum Failure {
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

impl Failure {
    pub(crate) fn codec(coding: Coding, reason: impl Into<String>) -> Self {
        Self::Codec { coding, reason: reason.into() }
    }
}

/// An encoder for one body of `length` bytes, `None` when that is not known: a stream.
///
/// A known length is binding. It keeps small bodies from costing what large ones do; see [`crate::window`].
///
/// # Errors
/// [`Failure::Level`] for a level that the coding does not have, [`Failure::Codec`] when there is no memory for it.
pub fn open(coding: Coding, level: u32, length: Option<u64>) -> Result<Box<dyn Encoder>, Failure> {
    if !coding.levels().contains(&level) {
        return Err(Failure::Level { coding, level });
    }
    Ok(match coding {
        Coding::Gzip => Box::new(Gzip::new(level)),
        Coding::Brotli => Box::new(Brotli::new(level, length)),
        Coding::Zstd => Box::new(Zstd::new(level, length)?),
    })
}
