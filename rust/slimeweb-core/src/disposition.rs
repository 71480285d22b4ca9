//! Header values made from names and addresses that may hold anything.

use http::HeaderValue;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use pyo3::prelude::*;

use crate::response::header_value;

/// `attr-char` of RFC 8187, section 3.2.1.
const ATTRIBUTE: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'!')
    .remove(b'#')
    .remove(b'$')
    .remove(b'&')
    .remove(b'+')
    .remove(b'-')
    .remove(b'.')
    .remove(b'^')
    .remove(b'_')
    .remove(b'`')
    .remove(b'|')
    .remove(b'~');

/// What may stand in a URL reference as it is; the rest is escaped (RFC 3986, appendix A).
const REFERENCE: &AsciiSet = &percent_encoding::CONTROLS
    .add(b' ')
    .add(b'"')
    .add(b'<')
    .add(b'>')
    .add(b'\\')
    .add(b'^')
    .add(b'`')
    .add(b'{')
    .add(b'|')
    .add(b'}');

/// `Content-Disposition: attachment` with a name for old clients and one for all (RFC 6266, section 5).
pub(crate) fn attachment(name: &str) -> PyResult<HeaderValue> {
    let plain: String = name
        .chars()
        .map(|c| if c.is_ascii_graphic() && !matches!(c, '"' | '\\') || c == ' ' { c } else { '_' })
        .collect();
    let full = utf8_percent_encode(name, ATTRIBUTE);
    header_value("Content-Disposition", &format!("attachment; filename=\"{plain}\"; filename*=UTF-8''{full}"))
}

/// A `Location`: characters that a URL cannot hold are escaped; a line break is refused, never sent.
pub(crate) fn location(target: &str) -> PyResult<HeaderValue> {
    if target.contains(|c: char| c.is_ascii_control()) {
        return header_value("Location", target);
    }
    header_value("Location", &utf8_percent_encode(target, REFERENCE).to_string())
}
