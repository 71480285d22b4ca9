//! JSON between bytes and Python objects, with no tree in between (RFC 8259).

mod decode;
mod encode;
mod error;
mod escape;
mod keys;

pub(crate) use decode::{DecodeError, loads};
pub(crate) use encode::dumps;
pub(crate) use escape::write_string;
