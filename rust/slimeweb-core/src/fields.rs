//! Names and values of queries and forms as Python objects.

use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyDict, PyList, PyType};

/// The class of `req.query`.
pub(crate) fn query_class(py: Python<'_>) -> PyResult<&Bound<'_, PyType>> {
    static CLASS: PyOnceLock<Py<PyType>> = PyOnceLock::new();
    CLASS.import(py, "slimeweb._fields", "QueryFields")
}

/// The class of `req.form`.
pub(crate) fn form_class(py: Python<'_>) -> PyResult<&Bound<'_, PyType>> {
    static CLASS: PyOnceLock<Py<PyType>> = PyOnceLock::new();
    CLASS.import(py, "slimeweb._fields", "FormFields")
}

/// One value a name, the last one winning, as a dict of this class.
pub(crate) fn to_dict<'py, T: AsRef<str>>(
    class: &Bound<'py, PyType>,
    pairs: impl IntoIterator<Item = (T, T)>,
) -> PyResult<Bound<'py, PyDict>> {
    let dict = class.call0()?.cast_into::<PyDict>()?;
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
