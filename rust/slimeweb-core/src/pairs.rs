//! Names and values of queries and forms: `application/x-www-form-urlencoded` (WHATWG URL, section 5).

use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList};

use crate::failure::FormError;

pub(crate) type Pairs = Vec<(String, String)>;

/// A query string. What is not UTF-8 reads as U+FFFD: a link somebody else made must not break a page.
pub(crate) fn query(input: &str) -> form_urlencoded::Parse<'_> {
    form_urlencoded::parse(input.as_bytes())
}

/// A form body, which may have `limit` fields. What is not UTF-8 reads as U+FFFD, as browsers and the URL standard have it.
pub(crate) fn form(input: &[u8], limit: usize) -> PyResult<Pairs> {
    let mut fields = form_urlencoded::parse(input);
    let pairs: Pairs =
        fields.by_ref().take(limit).map(|(name, value)| (name.into_owned(), value.into_owned())).collect();
    match fields.next() {
        None => Ok(pairs),
        Some(_) => {
            Err(FormError::new_err(format!("the form has more than the {limit} fields that form_fields allows")))
        }
    }
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
