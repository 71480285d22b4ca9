//! `req.header`: a view of the request's fields, not a copy.

use http::header::{COOKIE, HeaderMap, HeaderName, HeaderValue};
use pyo3::exceptions::PyKeyError;
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyIterator, PyList, PyString};

use crate::request::SlimeRequest;
use crate::response::text_of;

/// A case-insensitive, read-only view of header fields (RFC 9110, section 5).
///
/// A field that came several times reads as one value joined by ", " (cookies by "; ").
#[pyclass(frozen, mapping, module = "slimeweb._core")]
pub(crate) struct Headers {
    request: Py<SlimeRequest>,
}

impl Headers {
    pub(crate) fn of(request: &Bound<'_, SlimeRequest>) -> Self {
        Self { request: request.clone().unbind() }
    }

    fn map(&self) -> &HeaderMap {
        &self.request.get().head.headers
    }
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

fn names<'py>(py: Python<'py>, map: &HeaderMap) -> PyResult<Bound<'py, PyList>> {
    PyList::new(py, map.keys().map(HeaderName::as_str).collect::<Vec<_>>())
}

#[pymethods]
impl Headers {
    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.request)
    }

    fn __getitem__<'py>(&self, py: Python<'py>, name: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyString>> {
        let name = text_of("req.header[…]", "name", name)?.to_str()?;
        joined(py, self.map(), name).ok_or_else(|| PyKeyError::new_err(name.to_owned()))
    }

    fn __contains__(&self, name: &Bound<'_, PyAny>) -> bool {
        name.extract::<&str>().is_ok_and(|name| self.map().contains_key(name))
    }

    fn __len__(&self) -> usize {
        self.map().keys_len()
    }

    fn __iter__<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyIterator>> {
        names(py, self.map())?.try_iter()
    }

    fn __eq__(&self, py: Python<'_>, other: &Bound<'_, PyAny>) -> PyResult<bool> {
        to_dict(py, self.map())?.eq(other
            .cast::<Self>()
            .map_or_else(|_| Ok(other.clone()), |headers| to_dict(py, headers.get().map()).map(Bound::into_any))?)
    }

    fn __repr__(&self, py: Python<'_>) -> PyResult<String> {
        Ok(format!("Headers({})", to_dict(py, self.map())?.repr()?))
    }

    /// The value of the field `key`, else `default`.
    #[pyo3(signature = (key, default=None))]
    fn get<'py>(
        &self,
        py: Python<'py>,
        key: &Bound<'py, PyAny>,
        default: Option<Bound<'py, PyAny>>,
    ) -> PyResult<Option<Bound<'py, PyAny>>> {
        let key = text_of("req.header.get", "name", key)?.to_str()?;
        Ok(joined(py, self.map(), key).map(Bound::into_any).or(default))
    }

    fn keys<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyList>> {
        names(py, self.map())
    }

    fn values<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyList>> {
        Ok(to_dict(py, self.map())?.values())
    }

    fn items<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyList>> {
        Ok(to_dict(py, self.map())?.items())
    }
}
