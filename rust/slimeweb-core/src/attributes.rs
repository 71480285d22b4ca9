//! What an application sets on a request or a response: an instance dictionary, made when the first attribute is set.
//!
//! It replaces the one that pyo3 would give a class with `dict`, for two reasons. CPython 3.11 and 3.12 make that
//! one for every object, between showing the object to the garbage collector and letting pyo3 write what is in it: the
//! allocation may start a collection, which then traverses an object that is all zeros. And pyo3 0.28, the last for
//! 3.13t, never frees it.

use std::os::raw::c_int;
use std::ptr;

use pyo3::exceptions::PySystemError;
use pyo3::ffi;
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyString};

use crate::lazy::Lazy;

unsafe extern "C" {
    /// `object.__getattribute__` with `dict` as the instance's dictionary, or none for NULL. With `suppress`, NULL
    /// without an exception where there is no such attribute.
    fn _PyObject_GenericGetAttrWithDict(
        object: *mut ffi::PyObject,
        name: *mut ffi::PyObject,
        dict: *mut ffi::PyObject,
        suppress: c_int,
    ) -> *mut ffi::PyObject;

    /// `object.__setattr__`, or `object.__delattr__` for NULL as `value`, with `dict` as the instance's dictionary.
    fn _PyObject_GenericSetAttrWithDict(
        object: *mut ffi::PyObject,
        name: *mut ffi::PyObject,
        value: *mut ffi::PyObject,
        dict: *mut ffi::PyObject,
    ) -> c_int;
}

/// The attributes of one object.
pub(crate) struct Attributes(Lazy<PyDict>);

impl Attributes {
    pub(crate) const fn new() -> Self {
        Self(Lazy::new())
    }

    /// The dictionary itself: `__dict__`.
    pub(crate) fn dict<'py>(&self, py: Python<'py>) -> PyResult<&Bound<'py, PyDict>> {
        self.0.get_or_make(py, || Ok(PyDict::new(py)))
    }

    /// The attribute `name` of `object`, to which these belong: one of its type, or one that was set. None where there
    /// is none.
    pub(crate) fn get<'py>(
        &self,
        object: &Bound<'py, PyAny>,
        name: &Bound<'py, PyString>,
    ) -> PyResult<Option<Bound<'py, PyAny>>> {
        let py = object.py();
        let dict = self.0.get(py).map_or(ptr::null_mut(), Bound::as_ptr);
        // SAFETY: attached, and all are alive; the result is a new reference, or NULL.
        let found = unsafe {
            let found = _PyObject_GenericGetAttrWithDict(object.as_ptr(), name.as_ptr(), dict, 1);
            Bound::from_owned_ptr_or_opt(py, found)
        };
        match found {
            Some(found) => Ok(Some(found)),
            None => PyErr::take(py).map_or(Ok(None), Err),
        }
    }

    /// Sets the attribute `name` of `object`, to which these belong, or deletes it where there is no `value`.
    /// `AttributeError` where its type refuses, as it does for read-only attributes.
    pub(crate) fn set(
        &self,
        object: &Bound<'_, PyAny>,
        name: &Bound<'_, PyString>,
        value: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<()> {
        let py = object.py();
        let dict = self.dict(py)?.as_ptr();
        let value = value.map_or(ptr::null_mut(), Bound::as_ptr);
        // SAFETY: attached, and all are alive.
        match unsafe { _PyObject_GenericSetAttrWithDict(object.as_ptr(), name.as_ptr(), value, dict) } {
            0 => Ok(()),
            _ => Err(PyErr::take(py).unwrap_or_else(|| PySystemError::new_err("an attribute was not set"))),
        }
    }

    /// Shows the dictionary to the garbage collector, which can empty it.
    pub(crate) fn visit(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        self.0.visit(visit)
    }
}
