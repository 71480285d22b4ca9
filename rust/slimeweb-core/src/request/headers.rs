//! `req.header`: a view of the request's fields, not a copy.

use http::header::{HeaderMap, HeaderName};
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::prelude::*;
use pyo3::types::{PyIterator, PyList, PyString};

use crate::argument::text_of;
use crate::error::MissingField;
use crate::header::{joined, to_dict};
use crate::request::SlimeRequest;

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
        joined(py, self.map(), name).ok_or_else(|| MissingField::new_err((name.to_owned(), "header")))
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
