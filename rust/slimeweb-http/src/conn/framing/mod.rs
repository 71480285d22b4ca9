//! Where the messages of a connection begin and end (RFC 9112): of requests as they come in, and of responses.

mod error;
mod head;
mod host;
mod response;
mod validator;

pub(crate) use error::HeadError;
pub(crate) use host::is_valid as is_host;
pub use response::is_without_content;
pub(crate) use response::{MethodKind, finalize};
pub(crate) use validator::{FramingValidator, HeadEvent, is_raw_in_query};
