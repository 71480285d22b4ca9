//! Text in the charset that its Content-Type names.

use encoding_rs::{Encoding, UTF_8, UTF_16BE, UTF_16LE};
use http::StatusCode;
use pyo3::prelude::*;

use crate::error::http_error;

/// The `charset` parameter of a media type (RFC 9110, section 8.3.2), unquoted.
pub(crate) fn parameter(content_type: &str) -> Option<&str> {
    content_type.split(';').skip(1).find_map(|part| {
        let (name, value) = part.split_once('=')?;
        name.trim().eq_ignore_ascii_case("charset").then(|| value.trim().trim_matches('"'))
    })
}

/// The bytes as text: UTF-8 unless the type says otherwise. 415 for an unknown charset, 400 for bytes that are not in
/// it.
pub(crate) fn decode(bytes: &[u8], content_type: Option<&str>) -> PyResult<String> {
    let label = content_type.and_then(parameter).unwrap_or("utf-8");
    let encoding = Encoding::for_label(label.as_bytes()).ok_or_else(|| {
        http_error(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "the charset of the body is not one that this server knows".to_owned(),
        )
    })?;
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
        encoding.decode_without_bom_handling_and_without_replacement(bytes).map(|text| text.into_owned())
    };
    text.ok_or_else(|| http_error(StatusCode::BAD_REQUEST, format!("the body is not valid {}", encoding.name())))
}
