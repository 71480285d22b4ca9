//! Arguments of the wrong type, as errors that say what to write instead.

use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyList, PyString};

/// An argument that has to be text. `TypeError` with what to write instead.
pub(crate) fn text_of<'a, 'py>(
    call: &str,
    what: &str,
    value: &'a Bound<'py, PyAny>,
) -> PyResult<&'a Bound<'py, PyString>> {
    value.cast::<PyString>().map_err(|_| not_text(call, what, value))
}

#[cold]
fn not_text(call: &str, what: &str, wrong: &Bound<'_, PyAny>) -> PyErr {
    let shown = wrong.repr().map(|repr| repr.to_string()).unwrap_or_default();
    // All of a large value would hide what is wrong with it.
    let shown = match shown.char_indices().nth(80) {
        Some((end, _)) => format!("{}…", shown.get(..end).unwrap_or_default()),
        None => shown,
    };
    let is_body = what == "body";
    let advice = if wrong.is_instance_of::<PyBytes>() {
        if is_body { "decode it, or use resp.bytes(…)" } else { "decode it" }
    } else if is_body && (wrong.is_instance_of::<PyDict>() || wrong.is_instance_of::<PyList>()) {
        "use resp.json(…)"
    } else {
        "write it as text, such as str(…)"
    };
    PyTypeError::new_err(format!("{call}: the {what} is {}, {shown}, not a str: {advice}", describe(wrong)))
}

/// A type as a sentence has it: "a str", "an int".
pub(crate) fn describe(value: &Bound<'_, PyAny>) -> String {
    let name = value.get_type().name().map(|name| name.to_string()).unwrap_or_else(|_| "an object".to_owned());
    match name.chars().next() {
        Some('a' | 'e' | 'i' | 'o' | 'u') => format!("an {name}"),
        _ => format!("a {name}"),
    }
}
