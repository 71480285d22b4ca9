//! Why a form was not read.

use std::io;

use http::StatusCode;

use crate::error::{BodyError, is_exhausted};

/// Why a form was not read. What had been stored of it is gone. No message holds anything of this machine's.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FormError {
    /// The body itself could not be read.
    #[error(transparent)]
    Body(#[from] BodyError),
    /// The form breaks RFC 7578 or RFC 2046, section 5.1.
    #[error("the form is malformed: {0}")]
    Malformed(&'static str),
    /// More parts than [`FormLimits::parts`](super::FormLimits::parts).
    #[error("the form has more than the {limit} parts that form_parts allows")]
    TooManyParts {
        /// The limit.
        limit: usize,
    },
    /// More text than [`FormLimits::fields`](super::FormLimits::fields).
    #[error("the form's fields are larger than the {limit} bytes that form_field_size allows")]
    FieldsTooLarge {
        /// The limit in bytes.
        limit: usize,
    },
    /// An upload did not fit on the disk, or into its quota.
    #[error("there is no room to store the upload")]
    DiskFull(#[source] io::Error),
    /// An upload could not be stored for another reason.
    #[error("the upload could not be stored")]
    Storage(#[source] io::Error),
}

impl FormError {
    /// The status that answers it: 400, 408 (too slow), 507 (disk full), 503 (no file to be had for now) or 500.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        match self {
            Self::Body(error) => error.status(),
            Self::Malformed(_) | Self::TooManyParts { .. } | Self::FieldsTooLarge { .. } => StatusCode::BAD_REQUEST,
            Self::DiskFull(_) => StatusCode::INSUFFICIENT_STORAGE,
            Self::Storage(error) if is_exhausted(error) => StatusCode::SERVICE_UNAVAILABLE,
            Self::Storage(_) => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// Whether the client went away while it sent the form.
    #[must_use]
    pub fn is_disconnected(&self) -> bool {
        matches!(self, Self::Body(BodyError::Disconnected))
    }

    pub(super) fn storage(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::DiskFull(error),
            _ => Self::Storage(error),
        }
    }
}
