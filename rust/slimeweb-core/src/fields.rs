//! Names and values of queries and forms as Python objects.

use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList};

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
