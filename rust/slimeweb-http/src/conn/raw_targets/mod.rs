//! Request targets that hold what belongs percent-encoded, over HTTP/2.
//!
//! Clients send `?f={"a":1}`. Over HTTP/1.1 `FramingValidator` finds such bytes in the query, and they are
//! percent-encoded before hyper reads them. Over HTTP/2 the target comes in a compressed header block (RFC 7541). h2
//! decodes it, makes an `http::Uri` of it, and resets the stream or ends the connection where that fails; it has no hook
//! before.
//!
//! `RawTargets` follows the frames of a client as they are read. In a header block it looks at the values of `:path`
//! only. One with such bytes, or that does not begin with a slash, is replaced by a harmless one of the same length, since
//! that counts in the dynamic tables; the block gets a field more that holds the target, its query in percent-encoding, and
//! `restore` puts that into the request. Nobody else can send this field: its name is random, made for the connection when
//! it is first needed, and never leaves the server.
//!
//! What is guaranteed:
//!
//! - A request has either the target that its client has sent, percent-encoded as over HTTP/1.1, or is refused.
//! - All other bytes reach h2 as they came, malformed ones too: it says what is wrong with them. DATA frames are not
//!   copied.
//! - At most one header block is held back, and of the table no more than its size of 4096 bytes is kept.
//! - After a block that is malformed, or larger than all that h2 takes, nothing is looked at any more. Targets are again
//!   as strict as h2 is; where one that was replaced may be left in the table, the connection ends.

mod block;
mod frames;
mod huffman;
mod target;

pub(super) use block::TABLE_SIZE;
pub(super) use frames::{MAX_FRAME_SIZE, RawTargets};
pub(super) use target::restore;
