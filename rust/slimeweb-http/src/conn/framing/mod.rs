//! Where the messages of a connection begin and end (RFC 9112): of requests as they come in, and of responses.

mod error;
mod head;
mod host;
mod query;
mod response;
mod validator;

pub(crate) use error::HeadError;
pub(crate) use host::is_valid as is_host;
pub(crate) use query::{percent_encoded, raw_places};
pub use response::is_without_content;
pub(crate) use response::{MethodKind, finalize};
pub(crate) use validator::{FramingValidator, HeadEvent};
