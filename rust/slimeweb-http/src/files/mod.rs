//! Files as responses: conditions (RFC 9110, section 13), ranges (section 14), directories of static files.

mod cached;
mod conditions;
mod negotiation;
mod open;
mod range;
mod response;
mod static_dir;

pub use response::{content_type_of, serve_file};
pub use static_dir::StaticDir;
