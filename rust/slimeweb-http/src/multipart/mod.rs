//! Forms with files: `multipart/form-data` (RFC 7578).

mod disposition;
mod error;
mod form;
mod parts;
mod upload_dir;

pub use error::FormError;
pub use form::{Content, Form, FormLimits, Upload, read};
pub use upload_dir::UploadDir;
