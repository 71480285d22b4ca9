//! Names and values of queries and forms: `application/x-www-form-urlencoded` (WHATWG URL, section 5).

use encoding_rs::{Encoding, UTF_8};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList};

use crate::charset;
use crate::error::FormError;

pub(crate) type Pairs = Vec<(String, String)>;

/// A query string. What is not UTF-8 reads as U+FFFD: a link from elsewhere must not break a page.
pub(crate) fn query(input: &str) -> form_urlencoded::Parse<'_> {
    form_urlencoded::parse(input.as_bytes())
}

/// A form body, which may have `limit` fields: in the charset that its Content-Type names, else in that of its field
/// `_charset_` (HTML, "form submission"), else in UTF-8. What is not in it reads as U+FFFD, as browsers and the URL
/// standard have it.
pub(crate) fn form(input: &[u8], content_type: Option<&str>, limit: usize) -> PyResult<Pairs> {
    let encoding = content_type
        .and_then(charset::parameter)
        .and_then(|label| Encoding::for_label(label.as_bytes()))
        .or_else(|| named_encoding(input))
        .map_or(UTF_8, Encoding::output_encoding);
    let pairs = if encoding == UTF_8 {
        let fields = form_urlencoded::parse(input).map(|(name, value)| (name.into_owned(), value.into_owned()));
        at_most(limit, fields)
    } else {
        at_most(limit, raw_pairs(input).map(|(name, value)| (decoded(name, encoding), decoded(value, encoding))))
    };
    pairs
        .ok_or_else(|| FormError::new_err(format!("the form has more than the {limit} fields that form_fields allows")))
}

/// All pairs; none where there are more than `limit`.
fn at_most(limit: usize, mut fields: impl Iterator<Item = (String, String)>) -> Option<Pairs> {
    let pairs = fields.by_ref().take(limit).collect();
    fields.next().is_none().then_some(pairs)
}

fn named_encoding(input: &[u8]) -> Option<&'static Encoding> {
    const NAME: &[u8] = b"_charset_";
    memchr::memmem::find(input, NAME)?;
    let (_, label) = raw_pairs(input).find(|(name, _)| *name == NAME)?;
    Encoding::for_label(label)
}

/// Names and values as they were sent.
fn raw_pairs(input: &[u8]) -> impl Iterator<Item = (&[u8], &[u8])> {
    input.split(|byte| *byte == b'&').filter(|pair| !pair.is_empty()).map(|pair| {
        let end = memchr::memchr(b'=', pair).unwrap_or(pair.len());
        (pair.get(..end).unwrap_or_default(), pair.get(end + 1..).unwrap_or_default())
    })
}

fn decoded(raw: &[u8], encoding: &'static Encoding) -> String {
    let spaced: Vec<u8> = raw.iter().map(|byte| if *byte == b'+' { b' ' } else { *byte }).collect();
    let bytes: Vec<u8> = percent_encoding::percent_decode(&spaced).collect();
    encoding.decode_without_bom_handling(&bytes).0.into_owned()
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
