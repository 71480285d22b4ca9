//! The way to an encoder.

use crate::brotli::Brotli;
use crate::coding::Coding;
use crate::encoder::{Encoder, Error};
use crate::gzip::Gzip;
use crate::zstd::Zstd;

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
