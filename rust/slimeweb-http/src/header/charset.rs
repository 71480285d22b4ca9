//! The `charset` of a Content-Type (RFC 9110, section 8.3.2), and text in it.

use std::borrow::Cow;

use encoding_rs::{Encoding, UTF_8, UTF_16BE, UTF_16LE};
use http::StatusCode;

use super::params;

/// Why a body is no text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CharsetError {
    /// The label is none of the WHATWG's.
    #[error("the charset of the body is not one that this server knows")]
    Unknown,
    /// The bytes are not in the charset.
    #[error("the body is not valid {}", .0.name())]
    Invalid(&'static Encoding),
}

impl CharsetError {
    /// The status of the response: 415 or 400.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        match self {
            Self::Unknown => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::Invalid(_) => StatusCode::BAD_REQUEST,
        }
    }
}

/// The charset that a Content-Type names.
#[must_use]
pub fn label(content_type: &str) -> Option<Cow<'_, str>> {
    let (_, params) = params::split(content_type);
    let value = params.flatten().find(|param| param.is("charset") && param.value.is_some())?.value?;
    Some(match value.text() {
        // Half of the quotes, as some clients have it.
        Cow::Borrowed(label) => Cow::Borrowed(label.trim_matches('"')),
        label => label,
    })
}

/// The charset that a Content-Type names, where it is known here (WHATWG Encoding).
#[must_use]
pub fn encoding(content_type: &str) -> Option<&'static Encoding> {
    label(content_type).and_then(|label| Encoding::for_label(label.as_bytes()))
}

/// The bytes as text: UTF-8 unless the Content-Type says otherwise.
///
/// # Errors
/// [`CharsetError`] for a charset that is not known, and for bytes that are not in it.
pub fn decode(bytes: &[u8], content_type: Option<&str>) -> Result<String, CharsetError> {
    let encoding = match content_type.and_then(label) {
        None => UTF_8,
        Some(label) => Encoding::for_label(label.as_bytes()).ok_or(CharsetError::Unknown)?,
    };
    // The mark at the beginning says which of the two UTF-16 it is, and is no part of the text (RFC 2781, section 3.2).
    let is_wide = |encoding| encoding == UTF_16LE || encoding == UTF_16BE;
    let (encoding, bytes) = match Encoding::for_bom(bytes) {
        Some((marked, length)) if is_wide(encoding) && is_wide(marked) => {
            (marked, bytes.get(length..).unwrap_or_default())
        }
        _ => (encoding, bytes),
    };
    let text = if encoding == UTF_8 {
        std::str::from_utf8(bytes).ok().map(str::to_owned)
    } else {
        encoding.decode_without_bom_handling_and_without_replacement(bytes).map(Cow::into_owned)
    };
    text.ok_or(CharsetError::Invalid(encoding))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn charsets() {
        for (content_type, expected) in [
            ("text/plain; charset=\"ISO-8859-1\"", Some("windows-1252")),
            ("text/plain; Charset = utf-8", Some("UTF-8")),
            ("text/plain; x=\"; charset=latin1\"; charset=utf-8", Some("UTF-8")),
            ("text/plain; charset=utf-8\"", Some("UTF-8")),
            ("text/plain; charset=\"utf\\-8\"", Some("UTF-8")),
            ("text/plain; charset; charset=utf-8", Some("UTF-8")),
            ("text/plain; charset=x", None),
            ("text/plain", None),
        ] {
            assert_eq!(encoding(content_type).map(Encoding::name), expected, "{content_type}");
        }
    }

    #[test]
    fn text_is_decoded_from_the_charset_that_is_named() {
        assert_eq!(decode("é".as_bytes(), None).as_deref(), Ok("é"));
        assert_eq!(decode(b"\xe9", Some("text/plain; charset=latin1")).as_deref(), Ok("é"));
        assert_eq!(decode(b"\xfe\xff\x00e", Some("text/plain; charset=utf-16")).as_deref(), Ok("e"));
        assert_eq!(decode(b"e", Some("text/plain; charset=x")), Err(CharsetError::Unknown));
        let invalid = decode(b"\xe9", None).unwrap_err();
        assert_eq!((invalid.status().as_u16(), invalid.to_string()), (400, "the body is not valid UTF-8".to_owned()));
    }
}
