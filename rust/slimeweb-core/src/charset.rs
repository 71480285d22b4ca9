//! Text in the charset that its Content-Type names.

use encoding_rs::{Encoding, UTF_8};
use http::StatusCode;
use pyo3::prelude::*;

use crate::failure::http_error;

/// The `charset` parameter of a media type (RFC 9110, section 8.3.2), unquoted.
pub(crate) fn parameter(content_type: &str) -> Option<&str> {
    content_type.split(';').skip(1).find_map(|part| {
        let (name, value) = part.split_once('=')?;
        name.trim().eq_ignore_ascii_case("charset").then(|| value.trim().trim_matches('"'))
    })
}

/// The bytes as text: UTF-8 unless the type says otherwise. 415 for an unknown charset, 400 for bytes that are not in it.
pub(crate) fn decode(bytes: &[u8], content_type: Option<&str>) -> PyResult<String> {
    let label = content_type.and_then(parameter).unwrap_or("utf-8");
    let encoding = Encoding::for_label(label.as_bytes()).ok_or_else(|| {
        http_error(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "the charset of the body is not one that this server knows".to_owned(),
        )
    })?;
    let text = if encoding == UTF_8 {
        std::str::from_utf8(bytes).ok().map(str::to_owned)
    } else {
        encoding.decode_without_bom_handling_and_without_replacement(bytes).map(|text| text.into_owned())
    };
    text.ok_or_else(|| http_error(StatusCode::BAD_REQUEST, format!("the body is not valid {}", encoding.name())))
}
