//! Which precompressed file to send (RFC 9110, section 12.5.3).

use http::HeaderMap;
use http::header::ACCEPT_ENCODING;

use crate::header::accept_encoding::AcceptEncoding;

/// An encoding with the extension of the files that are in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Encoding {
    pub(super) name: &'static str,
    pub(super) extension: &'static str,
}

impl AsRef<str> for Encoding {
    fn as_ref(&self) -> &str {
        self.name
    }
}

/// The best first, among those that the client likes equally.
pub(super) const ENCODINGS: [Encoding; 3] = [
    Encoding { name: "br", extension: ".br" },
    Encoding { name: "zstd", extension: ".zst" },
    Encoding { name: "gzip", extension: ".gz" },
];

/// The one of the `available` encodings that the client wants most, of equals the first.
pub(super) fn wanted(request: &HeaderMap, available: &[Encoding]) -> Option<Encoding> {
    if available.is_empty() {
        return None;
    }
    let lines = request.get_all(ACCEPT_ENCODING).iter().filter_map(|value| value.to_str().ok());
    AcceptEncoding::parse(lines).choose(available.iter().copied())
}
