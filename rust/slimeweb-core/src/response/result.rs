//! What a handler returns, and what else can be the body, as the body.

use bytes::Bytes;
use http::HeaderValue;
use http::header::CONTENT_TYPE;
use pyo3::exceptions::PyTypeError;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::pybacked::{PyBackedBytes, PyBackedStr};
use pyo3::types::{PyByteArray, PyBytes, PyDict, PyList, PyMemoryView, PyString, PyTuple};

use super::SlimeResponse;
use super::Status;
use super::state::{HTML, JSON, PLAIN, ResponseBody};
use super::switch::ProtocolSwitch;
use crate::argument::describe;
use crate::json;

impl SlimeResponse {
    /// Takes what a handler returned: nothing, the response itself, or a value that is the body. `returned_by` is who it
    /// was where it was not the handler.
    pub(crate) fn accept_result(
        slf: &Bound<'_, Self>,
        value: &Bound<'_, PyAny>,
        returned_by: Option<&str>,
    ) -> PyResult<()> {
        if value.is_none() || value.is(slf) {
            return Ok(());
        }
        let this = slf.get();
        if let Ok(text) = value.cast_exact::<PyString>() {
            this.set_text(text, PLAIN, None)
        } else if value.is_instance_of::<PyBytes>()
            || value.is_instance_of::<PyByteArray>()
            || value.is_instance_of::<PyMemoryView>()
        {
            this.set(ResponseBody::Bytes(octets(value)?), this.default_type("application/octet-stream"), None)
        } else if value.is_exact_instance_of::<PyDict>() || value.is_exact_instance_of::<PyList>() {
            this.set_json(value, None)
        } else if let Some(markup) = markup(value)? {
            this.set_text(&markup, HTML, None)
        } else if let Ok(text) = value.cast::<PyString>() {
            this.set_text(text, PLAIN, None)
        } else if value.is_instance_of::<PyDict>() || value.is_instance_of::<PyList>() || is_model(value)? {
            this.set_json(value, None)
        } else if value.is_instance_of::<ProtocolSwitch>() {
            // It is in place already.
            Ok(())
        } else if value.is_instance_of::<Self>() {
            let who = this.source(returned_by);
            Err(PyTypeError::new_err(format!("{who} returned another request's response: return the one it was given")))
        } else {
            Err(unusable(value, &this.source(returned_by)))
        }
    }

    /// Who has returned what is no answer.
    #[cold]
    fn source(&self, returned_by: Option<&str>) -> String {
        match (returned_by, self.request.get().route.made_by.as_str()) {
            (Some(who), _) => who.to_owned(),
            (None, "") => "the handler".to_owned(),
            (None, plugins) => format!("the handler, inside of {plugins},"),
        }
    }

    pub(super) fn set_text(
        &self,
        data: &Bound<'_, PyString>,
        content_type: HeaderValue,
        status: Option<Status>,
    ) -> PyResult<()> {
        let text = data.to_str()?;
        let bytes = if text.len() < SHARED {
            Bytes::copy_from_slice(text.as_bytes())
        } else {
            // As `octets` does: a text keeps its UTF-8 once it has been asked for.
            Bytes::from_owner(Utf8(PyBackedStr::try_from(data.clone())?))
        };
        self.set(ResponseBody::Bytes(bytes), Some(content_type), status)
    }

    pub(super) fn set_json(&self, data: &Bound<'_, PyAny>, status: Option<Status>) -> PyResult<()> {
        let default = self.request.get().app.json_default.bind(data.py());
        let bytes = json::dumps(data, Some(default))?;
        self.set(ResponseBody::Bytes(bytes.into()), Some(JSON), status)
    }

    /// The type given, unless one has been set already.
    pub(super) fn default_type(&self, kind: &'static str) -> Option<HeaderValue> {
        let known = self.state.lock().headers.contains_key(CONTENT_TYPE);
        (!known).then(|| HeaderValue::from_static(kind))
    }
}

/// From this length on a `bytes` object or a text is sent as it is instead of a copy, in bytes.
const SHARED: usize = 64 * 1024;

/// The UTF-8 of a text.
struct Utf8(PyBackedStr);

impl AsRef<[u8]> for Utf8 {
    fn as_ref(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

pub(super) fn octets(value: &Bound<'_, PyAny>) -> PyResult<Bytes> {
    if let Ok(bytes) = value.cast::<PyBytes>() {
        if bytes.as_bytes().len() < SHARED {
            return Ok(Bytes::copy_from_slice(bytes.as_bytes()));
        }
        // Not copied for each answer. The reference goes wherever the body is dropped: without the GIL pyo3 keeps it
        // for later.
        return Ok(Bytes::from_owner(PyBackedBytes::from(bytes.clone())));
    }
    let copy = value.py().get_type::<PyBytes>().call1((value,))?;
    Ok(Bytes::copy_from_slice(copy.cast::<PyBytes>()?.as_bytes()))
}

/// What `markup` gives for what is no text.
pub(super) fn markup_unless_text<'py>(value: &Bound<'py, PyAny>) -> PyResult<Option<Bound<'py, PyString>>> {
    if value.is_instance_of::<PyString>() { Ok(None) } else { markup(value) }
}

/// The HTML of a value that knows its own (`__html__`, as libraries for markup have it); none for any other.
fn markup<'py>(value: &Bound<'py, PyAny>) -> PyResult<Option<Bound<'py, PyString>>> {
    let name = intern!(value.py(), "__html__");
    // Looked up on the type, as Python does for special methods.
    if !value.get_type().hasattr(name)? {
        return Ok(None);
    }
    let html = value.call_method0(name)?;
    html.cast_into::<PyString>().map(Some).map_err(|error| {
        let (owner, html) = (describe(value), describe(&error.into_inner()));
        PyTypeError::new_err(format!(
            "{owner} was to be the body, and its __html__() gave {html}: it has to give a str"
        ))
    })
}

/// A dataclass, a pydantic model or a msgspec Struct: known by what they carry, so that neither has to be imported.
fn is_model(value: &Bound<'_, PyAny>) -> PyResult<bool> {
    let py = value.py();
    let kind = value.get_type();
    Ok(kind.hasattr(intern!(py, "__dataclass_fields__"))?
        || kind.hasattr(intern!(py, "model_dump"))?
        || kind.hasattr(intern!(py, "__struct_fields__"))?)
}

/// Why what `who` has returned is no answer, and what to do instead.
#[cold]
fn unusable(value: &Bound<'_, PyAny>, who: &str) -> PyErr {
    let advice = if value.hasattr(intern!(value.py(), "cr_await")).unwrap_or(false) {
        // It is not awaited any more, which Python would warn of.
        if let Err(error) = value.call_method0(intern!(value.py(), "close")) {
            error.write_unraisable(value.py(), Some(value));
        }
        "nobody awaits it, since the handler or its decorator is a plain def: make it async def, and await what it wraps"
    } else if value.hasattr(intern!(value.py(), "__next__")).unwrap_or(false)
        || value.hasattr(intern!(value.py(), "__anext__")).unwrap_or(false)
    {
        "to send its pieces one by one, return resp.stream(…) of it"
    } else if value.is_instance_of::<PyTuple>() {
        "a status goes into the response, as in resp.plain(…, status=201), and a tuple as JSON is resp.json(…)"
    } else {
        "return resp.plain(…) or the like, str, bytes, dict, list, a dataclass, a pydantic model or None"
    };
    PyTypeError::new_err(format!("{who} returned {}: {advice}", describe(value)))
}
