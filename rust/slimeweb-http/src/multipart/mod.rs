//! Forms with files: `multipart/form-data` (RFC 7578).

mod blocks;
mod boundary;
mod error;
mod form;
mod part_head;
mod parts;
#[cfg(test)]
mod properties;
mod upload_dir;

pub use error::FormError;
pub use form::{Content, Form, FormLimits, Upload, read};
pub use upload_dir::UploadDir;
