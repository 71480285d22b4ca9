//! Header fields between Rust and Python: names and values from text, and back.

use http::header::COOKIE;
use http::{HeaderMap, HeaderName, HeaderValue};
use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyList, PyString};

pub(crate) fn header_name(name: &str) -> PyResult<HeaderName> {
    name_of(name.as_bytes())
}

/// Without the whitespace around it, which is no part of a value (RFC 9110, section 5.5) and may not be sent over
/// HTTP/2.
pub(crate) fn header_value(name: &str, value: &str) -> PyResult<HeaderValue> {
    value_of(name.as_bytes(), value.as_bytes())
}

/// A field given as a pair of octets, `(b"name", b"value")`. ASGI has lists for pairs as well.
pub(crate) fn raw_field(field: &Bound<'_, PyAny>) -> PyResult<(HeaderName, HeaderValue)> {
    let pair = match field.cast::<PyList>() {
        Ok(list) => list.to_tuple().into_any(),
        Err(_) => field.clone(),
    };
    let Ok((name, value)) = pair.extract::<(Bound<'_, PyBytes>, Bound<'_, PyBytes>)>() else {
        let field = field.repr()?;
        return Err(PyTypeError::new_err(format!(
            "a raw header is a pair of bytes, (b\"name\", b\"value\"), not {field}"
        )));
    };
    let name = name.as_bytes();
    Ok((name_of(name)?, value_of(name, value.as_bytes())?))
}

fn name_of(name: &[u8]) -> PyResult<HeaderName> {
    HeaderName::from_bytes(name).map_err(|_| {
        let name = String::from_utf8_lossy(name);
        PyValueError::new_err(format!("{name:?} is not a header name: letters, digits and !#$%&'*+-.^_`|~ are allowed"))
    })
}

fn trimmed(mut value: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] | [rest @ .., b' ' | b'\t'] = value {
        value = rest;
    }
    value
}

fn value_of(name: &[u8], value: &[u8]) -> PyResult<HeaderValue> {
    HeaderValue::from_bytes(trimmed(value)).map_err(|_| {
        let (name, value) = (String::from_utf8_lossy(name), String::from_utf8_lossy(value));
        PyValueError::new_err(format!(
            "the value of header {name:?} holds a line break or another control character: {value:?}"
        ))
    })
}

/// Field values are octets; those outside ASCII read as ISO-8859-1, which loses none.
pub(crate) fn value_text<'py>(py: Python<'py>, value: &HeaderValue) -> Bound<'py, PyString> {
    PyString::new(py, &latin1(value))
}

fn latin1(value: &HeaderValue) -> std::borrow::Cow<'_, str> {
    match value.to_str() {
        Ok(text) => text.into(),
        Err(_) => encoding_rs::mem::decode_latin1(value.as_bytes()),
    }
}

/// The value of a field, all of its lines joined.
pub(crate) fn joined<'py>(py: Python<'py>, map: &HeaderMap, name: &str) -> Option<Bound<'py, PyString>> {
    let mut values = map.get_all(name).into_iter();
    let first = values.next()?;
    let Some(second) = values.next() else {
        return Some(value_text(py, first));
    };
    let separator = if name.eq_ignore_ascii_case(COOKIE.as_str()) { "; " } else { ", " };
    let mut text = latin1(first).into_owned();
    for value in std::iter::once(second).chain(values) {
        text.push_str(separator);
        text.push_str(&latin1(value));
    }
    Some(PyString::new(py, &text))
}

/// Every line of a field, in order.
pub(crate) fn all<'py>(py: Python<'py>, map: &HeaderMap, name: &str) -> PyResult<Bound<'py, PyList>> {
    PyList::new(py, map.get_all(name).into_iter().map(|value| value_text(py, value)).collect::<Vec<_>>())
}

/// Every line as a pair of octets, names in lower case, in the order they came.
pub(crate) fn pairs<'py>(py: Python<'py>, map: &HeaderMap) -> PyResult<Bound<'py, PyList>> {
    let pair = |(name, value): (&HeaderName, &HeaderValue)| {
        (PyBytes::new(py, name.as_str().as_bytes()), PyBytes::new(py, value.as_bytes()))
    };
    PyList::new(py, map.iter().map(pair).collect::<Vec<_>>())
}

/// All fields as a `dict`, names in lower case.
pub(crate) fn to_dict<'py>(py: Python<'py>, map: &HeaderMap) -> PyResult<Bound<'py, PyDict>> {
    let dict = PyDict::new(py);
    for name in map.keys() {
        if let Some(value) = joined(py, map, name.as_str()) {
            dict.set_item(name.as_str(), value)?;
        }
    }
    Ok(dict)
}
