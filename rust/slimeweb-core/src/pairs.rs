//! Names and values of queries and forms: `application/x-www-form-urlencoded` (WHATWG URL, section 5).

use std::borrow::Cow;

use percent_encoding::percent_decode;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList};

use crate::failure::FormError;

pub(crate) type Pairs = Vec<(String, String)>;

/// A query string. What is not UTF-8 reads as U+FFFD: a link somebody else made must not break a page.
pub(crate) fn query(input: &str) -> form_urlencoded::Parse<'_> {
    form_urlencoded::parse(input.as_bytes())
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
pub(crate) fn to_dict<'py, T: AsRef<str>>(
    py: Python<'py>,
    pairs: impl IntoIterator<Item = (T, T)>,
) -> PyResult<Bound<'py, PyDict>> {
    let dict = PyDict::new(py);
    for (name, value) in pairs {
        dict.set_item(name.as_ref(), value.as_ref())?;
    }
    Ok(dict)
}

/// Every value of one name, in the order they came.
pub(crate) fn all<'py, T: AsRef<str>>(
    py: Python<'py>,
    pairs: impl IntoIterator<Item = (T, T)>,
    name: &str,
) -> PyResult<Bound<'py, PyList>> {
    let list = PyList::empty(py);
    for (_, value) in pairs.into_iter().filter(|(key, _)| key.as_ref() == name) {
        list.append(value.as_ref())?;
    }
    Ok(list)
}

/// Borrowed, as the functions above take them.
pub(crate) fn borrowed(pairs: &Pairs) -> impl Iterator<Item = (&str, &str)> {
    pairs.iter().map(|(name, value)| (name.as_str(), value.as_str()))
}
