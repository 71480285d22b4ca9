//! Names and values of queries and forms: `application/x-www-form-urlencoded` (WHATWG URL, section 5).

use std::borrow::Cow;

use percent_encoding::percent_decode;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList, PyString};

use crate::failure::FormError;

pub(crate) type Pairs = Vec<(String, String)>;

/// A query string. What is not UTF-8 reads as U+FFFD: a link somebody else made must not break a page.
pub(crate) fn query(input: &str) -> Pairs {
    form_urlencoded::parse(input.as_bytes()).into_owned().collect()
}

/// A form body. What is not UTF-8 is the sender's mistake: 400.
pub(crate) fn form(input: &[u8]) -> PyResult<Pairs> {
    input
        .split(|byte| *byte == b'&')
        .filter(|piece| !piece.is_empty())
        .map(|piece| {
            let (name, value) = match memchr::memchr(b'=', piece) {
                Some(at) => (&piece[..at], &piece[at + 1..]),
                None => (piece, &[][..]),
            };
            Ok((unescape(name)?, unescape(value)?))
        })
        .collect()
}

fn unescape(input: &[u8]) -> PyResult<String> {
    let spaced: Cow<'_, [u8]> = match memchr::memchr(b'+', input) {
        Some(_) => input.iter().map(|byte| if *byte == b'+' { b' ' } else { *byte }).collect(),
        None => Cow::Borrowed(input),
    };
    percent_decode(&spaced)
        .decode_utf8()
        .map(Cow::into_owned)
        .map_err(|_| FormError::new_err("the form is not valid UTF-8"))
}

/// One value a name, the last one winning.
pub(crate) fn to_dict<'py>(py: Python<'py>, pairs: &[(String, String)]) -> PyResult<Bound<'py, PyDict>> {
    let dict = PyDict::new(py);
    for (name, value) in pairs {
        dict.set_item(name, value)?;
    }
    Ok(dict)
}

/// Every value of one name, in the order they came.
pub(crate) fn all<'py>(py: Python<'py>, pairs: &[(String, String)], name: &str) -> PyResult<Bound<'py, PyList>> {
    PyList::new(
        py,
        pairs.iter().filter(|(key, _)| key == name).map(|(_, value)| PyString::new(py, value)).collect::<Vec<_>>(),
    )
}
