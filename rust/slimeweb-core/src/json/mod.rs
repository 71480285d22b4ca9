//! JSON between bytes and Python objects, with no tree in between (RFC 8259).

mod decode;
mod encode;
mod error;
mod escape;
mod keys;

pub(crate) use decode::{DecodeError, loads};
pub(crate) use encode::dumps;

/// How many lists and objects may lie inside one another, in either direction.
///
/// Both halves recurse, and a worker's stack may be as small as 512 KiB: this is a bound on that stack.
const MAX_DEPTH: usize = 200;
