//! The bodies of requests and responses.

mod channel;
mod collected;
mod file;
mod incoming;
mod outgoing;

pub use channel::{BodySender, Closed};
pub use collected::Collected;
pub(crate) use file::{FileSection, PIECE, read_at_once};
pub use incoming::RequestBody;
pub use outgoing::{Body, BodyEnd};
