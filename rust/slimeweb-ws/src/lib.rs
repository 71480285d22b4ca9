//! WebSocket without I/O: RFC 6455 framing and RFC 7692 compression.
//!
//! [`Decoder`] takes bytes in whatever pieces they arrive and gives [`Decoded`]s; [`Encoder`] turns messages into
//! frames. What the two agree on beforehand is in [`Deflate`], which the opening handshake negotiates. Nothing here
//! reads a socket, keeps time or allocates more than its [`Limits`] say, and no input panics.
//!
//! With the feature `python` this crate is also the extension module `slimeweb_ws._native`: a connection as a protocol
//! object in asyncio's terms, and rooms of connections.

// What PyO3's macros make of the extension module is the one place with unsafe code.
#![cfg_attr(not(feature = "python"), forbid(unsafe_code))]

mod close;
mod decoder;
mod deflate;
mod encoder;
mod error;
mod extension;
mod frame;
mod mask;
#[cfg(feature = "python")]
mod python;
mod role;
mod text;

pub use close::{Close, MAX_REASON, is_sendable};
pub use decoder::{Decoded, Decoder, Limits, Message};
pub use deflate::{Deflater, Inflater};
pub use encoder::{Encoder, MessageKind, write_frame};
pub use error::{Error, ErrorKind};
pub use extension::{Deflate, NegotiationOptions, Offer};
pub use frame::{MAX_CONTROL, Opcode};
pub use mask::apply_mask;
pub use role::Role;
