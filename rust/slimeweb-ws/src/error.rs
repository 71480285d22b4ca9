//! What a peer can do wrong.

use std::fmt;

/// A breach that ends the connection: its kind, and what to say about it.
///
/// The text is made of our own words and of numbers, never of the peer's bytes, so it may be sent back as a close reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    kind: ErrorKind,
    detail: &'static str,
}

/// The breaches, by the close code they call for (RFC 6455, section 7.4.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorKind {
    /// Framing, compression or the closing handshake: 1002.
    Protocol,
    /// A text message or a close reason that is not UTF-8: 1007.
    Text,
    /// A message or a frame above the limit: 1009.
    TooBig,
}

impl Error {
    pub(crate) const fn protocol(detail: &'static str) -> Self {
        Self { kind: ErrorKind::Protocol, detail }
    }

    pub(crate) const fn text(detail: &'static str) -> Self {
        Self { kind: ErrorKind::Text, detail }
    }

    pub(crate) const fn too_big(detail: &'static str) -> Self {
        Self { kind: ErrorKind::TooBig, detail }
    }

    /// What kind of breach it was.
    pub const fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// The close code to answer with.
    pub const fn code(&self) -> u16 {
        match self.kind {
            ErrorKind::Protocol => 1002,
            ErrorKind::Text => 1007,
            ErrorKind::TooBig => 1009,
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.detail)
    }
}

impl std::error::Error for Error {}
