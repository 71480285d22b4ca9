//! What can go wrong before a server runs, and while a body is read.

use std::io;
use std::path::PathBuf;

use http::StatusCode;

/// Why a server could not be set up.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The address cannot be listened on.
    #[error("cannot listen on {address}: {source}")]
    Bind {
        /// The address as it was asked for.
        address: String,
        /// What the system said.
        source: io::Error,
    },
    /// A certificate or key cannot be used.
    #[error("cannot use {path:?} for TLS: {reason}")]
    Tls {
        /// The file.
        path: PathBuf,
        /// What is wrong with it, and what it should hold.
        reason: String,
    },
    /// A thread, a runtime or a socket could not be had.
    #[error("cannot start the server: {0}")]
    Start(#[source] io::Error),
}

impl Error {
    /// The system's error behind this one, or this error where the system has no part in it.
    ///
    /// # Errors
    /// `self`, when there is no I/O error in it.
    pub fn into_io(self) -> Result<io::Error, Self> {
        match self {
            Self::Bind { source, .. } | Self::Start(source) => Ok(source),
            Self::Tls { .. } => Err(self),
        }
    }

    /// The system's error number, where there is one.
    #[must_use]
    pub fn raw_os_error(&self) -> Option<i32> {
        match self {
            Self::Bind { source, .. } | Self::Start(source) => source.raw_os_error(),
            Self::Tls { .. } => None,
        }
    }
}

/// Whether the system has run out of something that is free again later: file descriptors (of the process or of all),
/// memory.
#[must_use]
pub fn is_exhausted(error: &io::Error) -> bool {
    #[cfg(unix)]
    {
        use rustix::io::Errno;
        let number = error.raw_os_error();
        [Errno::MFILE, Errno::NFILE, Errno::NOMEM].into_iter().any(|errno| number == Some(errno.raw_os_error()))
    }
    #[cfg(not(unix))]
    {
        error.kind() == io::ErrorKind::OutOfMemory
    }
}

/// Why a body ended before its time.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BodyError {
    /// More bytes than allowed, announced or sent.
    #[error("the request body is larger than the {limit} bytes allowed here")]
    TooLarge {
        /// The limit in bytes.
        limit: u64,
    },
    /// The client paused for longer than [`Limits::body_timeout`](crate::Limits::body_timeout).
    #[error("the request body did not arrive in time")]
    Timeout,
    /// The body's framing breaks RFC 9112, section 7.
    #[error("the request body is malformed")]
    Malformed,
    /// The client went away.
    #[error("the client disconnected")]
    Disconnected,
    /// The source of a response body has been aborted; the connection is closed so that the client sees that it is
    /// incomplete.
    #[error("the response body was aborted")]
    Aborted,
    /// A file that is being sent could not be read on.
    #[error("the file that is being sent cannot be read: {0}")]
    File(io::ErrorKind),
}

impl BodyError {
    /// The status that answers it: 400 for too large (as slimeweb has always answered it, not 413) or malformed, 408
    /// for too slow.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        match self {
            Self::TooLarge { .. } | Self::Malformed | Self::Disconnected => StatusCode::BAD_REQUEST,
            Self::Timeout => StatusCode::REQUEST_TIMEOUT,
            Self::Aborted | Self::File(_) => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }
}
