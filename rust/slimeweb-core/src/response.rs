//! `SlimeResponse`: the answer to one request, until it is sent.

use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use http::header::{
    ACCEPT_RANGES, ALLOW, CONTENT_DISPOSITION, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, ETAG,
    LAST_MODIFIED, LOCATION, RETRY_AFTER, SET_COOKIE,
};
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode};
use parking_lot::Mutex;
use pyo3::exceptions::{PyAttributeError, PyRuntimeError, PyTypeError, PyValueError};
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::pybacked::{PyBackedBytes, PyBackedStr};
use pyo3::types::{PyBool, PyByteArray, PyBytes, PyDict, PyInt, PyList, PyMemoryView, PyString, PyTuple};
use slimeweb_http::Body;
use slimeweb_http::files::content_type_of;
use slimeweb_http::header::{content_disposition, location};

use crate::app::Member;
use crate::attributes::Attributes;
use crate::reply::{FileReply, Reply, ReplySender, SwitchReply};
use crate::request::SlimeRequest;
use crate::upgraded::Candidate;
use crate::worker::pool::PoolWork;
use crate::writer::BodyWriter;
use crate::{error, headers, json};

const PLAIN: HeaderValue = HeaderValue::from_static("text/plain; charset=utf-8");
const HTML: HeaderValue = HeaderValue::from_static("text/html; charset=utf-8");
const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// The answer to one request. Its body methods return the response itself, so `return resp.plain(…)` reads well.
#[pyclass(frozen, weakref, module = "slimeweb")]
pub(crate) struct SlimeResponse {
    request: Py<SlimeRequest>,
    state: Mutex<ResponseState>,
    reply: Mutex<Option<ReplySender>>,
    task: OnceLock<Task>,
    attributes: Attributes,
}

/// A task, while it works on an answer.
pub(crate) type Task = Arc<Mutex<Option<Py<PyAny>>>>;

/// A response as it is set so far: status, headers and body.
pub(crate) struct ResponseState {
    status: Option<StatusCode>,
    headers: HeaderMap,
    body: ResponseBody,
    /// Whether the Content-Type was set by name for a body that is still to come.
    is_typed: bool,
    /// Whether a Content-Length was set by name.
    has_length: bool,
    /// The cookies that befores have set, which outlast what the handler raises.
    befores_cookies: Vec<HeaderValue>,
}

enum ResponseBody {
    Unset,
    Empty,
    Bytes(Bytes),
    File(PathBuf),
    /// A static file that the server has found, sent unless something else becomes the body.
    StaticFile(Body),
    Writer(Py<BodyWriter>),
    Switched(Candidate),
    Sent,
}

impl ResponseState {
    pub(crate) fn new(status: Option<StatusCode>) -> Self {
        Self {
            status,
            headers: HeaderMap::new(),
            body: ResponseBody::Unset,
            is_typed: false,
            has_length: false,
            befores_cookies: Vec::new(),
        }
    }

    /// A response that the server begins with: a 404, a 405 with its methods, and the like.
    pub(crate) fn refusal(status: StatusCode, allow: Option<HeaderValue>) -> Self {
        let mut state = Self::new(Some(status));
        if let Some(allow) = allow {
            state.headers.insert(ALLOW, allow);
        }
        state
    }

    /// An answer that the server has begun, with these fields.
    pub(crate) fn refusal_with(status: StatusCode, fields: HeaderMap) -> Self {
        Self { headers: fields, ..Self::new(Some(status)) }
    }

    /// A 503 for a handler that there is no thread for.
    pub(crate) fn overloaded() -> Self {
        let mut state = Self::new(Some(StatusCode::SERVICE_UNAVAILABLE));
        state.headers.insert(RETRY_AFTER, HeaderValue::from_static("1"));
        state
    }

    /// A static file, for middleware to add to.
    pub(crate) fn static_file(response: Response<Body>) -> Self {
        let (head, body) = response.into_parts();
        let mut state = Self::new(Some(head.status));
        state.headers = head.headers;
        state.body = ResponseBody::StaticFile(body);
        state
    }
}

impl SlimeResponse {
    pub(crate) fn new(
        request: Py<SlimeRequest>,
        state: Option<Box<ResponseState>>,
        reply: Option<ReplySender>,
    ) -> Self {
        let state = state.map_or_else(|| ResponseState::new(None), |state| *state);
        Self {
            request,
            state: Mutex::new(state),
            reply: Mutex::new(reply),
            task: OnceLock::new(),
            attributes: Attributes::new(),
        }
    }

    /// Where the task that works on the answer is, where one does.
    pub(crate) fn task(&self) -> &Task {
        self.task.get_or_init(Task::default)
    }

    pub(crate) fn take_task(&self) -> Option<Py<PyAny>> {
        self.task.get()?.lock().take()
    }

    pub(crate) fn request(&self) -> &Py<SlimeRequest> {
        &self.request
    }

    /// Makes it the answer to what a handler or a filter has raised.
    pub(crate) fn fail(slf: &Bound<'_, Self>, error: PyErr) {
        let (this, py) = (slf.get(), slf.py());
        // A response that has begun to be sent cannot become an error page: it is cut off, so that the client sees that
        // it is incomplete.
        this.abort();
        let request = this.request.bind(py);
        // `into_value`, since `value` leaves the traceback behind where Python keeps it apart, before 3.12.
        let called = request.get().app.on_error.bind(py).call1((request, slf, error.into_value(py)));
        if let Err(failure) = called {
            failure.write_unraisable(py, Some(request));
            this.set_plain_error();
        }
    }

    /// Makes it a 500 that needs no Python, for where the error handler fails.
    fn set_plain_error(&self) {
        let mut state = self.state.lock();
        if !matches!(state.body, ResponseBody::Writer(_) | ResponseBody::Sent) {
            state.headers.clear();
            state.headers.insert(CONTENT_TYPE, PLAIN);
            state.status = Some(StatusCode::INTERNAL_SERVER_ERROR);
            state.body = ResponseBody::Bytes(Bytes::from_static(b"Internal Server Error"));
        }
    }

    /// Takes status and headers for a body that a writer sends. They can be taken once.
    pub(crate) fn take_head(&self, writer: &Bound<'_, BodyWriter>) -> PyResult<(StatusCode, HeaderMap)> {
        let mut state = self.state.lock();
        if !matches!(&state.body, ResponseBody::Writer(current) if current.is(writer)) {
            return Err(already_started("something else became its body after the writer was made"));
        }
        let status = state.status.unwrap_or(StatusCode::OK);
        Ok((status, std::mem::take(&mut state.headers)))
    }

    pub(crate) fn take_reply(&self) -> Option<ReplySender> {
        self.reply.lock().take()
    }

    fn set(&self, body: ResponseBody, content_type: Option<HeaderValue>, status: Option<Status>) -> PyResult<()> {
        let mut state = self.state.lock();
        // A writer that has not started and a switch that has not been answered yet can still be replaced, by an error
        // page for example.
        match &state.body {
            ResponseBody::Writer(writer) if writer.get().has_started() => {
                return Err(already_started("its body is being streamed"));
            }
            ResponseBody::Sent => return Err(already_started("it has been sent")),
            _ => {}
        }
        if matches!(state.body, ResponseBody::File(_) | ResponseBody::StaticFile(_)) {
            drop_file(&mut state);
        }
        if let Some(value) = content_type {
            let is_typed = std::mem::replace(&mut state.is_typed, false);
            if !(is_typed && (value == PLAIN || value == HTML || value == JSON)) {
                state.headers.insert(CONTENT_TYPE, value);
            }
        }
        if let Some(Status(status)) = status {
            state.status = Some(status);
        }
        // What the body was before goes after the lock: dropping it may run Python.
        let old = std::mem::replace(&mut state.body, body);
        drop(state);
        drop(old);
        Ok(())
    }

    /// A field that is to be sent; none where the server sets it itself, which is logged.
    fn field(
        &self,
        call: &str,
        key: &Bound<'_, PyAny>,
        value: &Bound<'_, PyAny>,
    ) -> PyResult<Option<(HeaderName, HeaderValue)>> {
        let py = key.py();
        let key = text_of(call, "name", key)?.to_str()?;
        let value = text_of(call, "value", value)?;
        let (name, value) = (header_name(key)?, header_value(key, value.to_str()?)?);
        match name.as_str() {
            "content-length" => self.state.lock().has_length = true,
            "content-type" => {
                let mut state = self.state.lock();
                state.is_typed = matches!(state.body, ResponseBody::Unset | ResponseBody::Empty);
            }
            "transfer-encoding" | "trailer" | "keep-alive" | "proxy-connection" => {
                let reason = "the server alone decides how a response is framed: leave it out";
                self.log_dropped(py, &name, &value, reason)?;
                return Ok(None);
            }
            _ => {}
        }
        Ok(Some((name, value)))
    }

    /// Logs a field that is not sent.
    #[cold]
    fn log_dropped(&self, py: Python<'_>, name: &HeaderName, value: &HeaderValue, reason: &str) -> PyResult<()> {
        let head = &self.request.get().head;
        let (method, path) = (head.method.as_str(), format!("{:?}", head.uri.path()));
        let logger = py.import(intern!(py, "logging"))?.call_method1(intern!(py, "getLogger"), ("slimeweb",))?;
        let format = "%s: %s in the answer to %s %s is not sent: %s";
        let value = headers::value_text(py, value).repr()?;
        logger.call_method1(intern!(py, "warning"), (format, name.as_str(), value, method, path, reason))?;
        Ok(())
    }

    /// Logs a Content-Length that is not that of the body. The server drops it.
    #[cold]
    fn check_length(&self, py: Python<'_>, headers: &HeaderMap, size: usize) {
        for value in headers.get_all(CONTENT_LENGTH) {
            if value.as_bytes() != size.to_string().as_bytes() {
                let reason = format!("the body has {size} bytes, and the server counts them itself");
                if let Err(error) = self.log_dropped(py, &CONTENT_LENGTH, value, &reason) {
                    error.write_unraisable(py, None);
                }
                return;
            }
        }
    }

    fn change_headers<T>(&self, change: impl FnOnce(&mut HeaderMap) -> T) -> PyResult<T> {
        let mut state = self.state.lock();
        match &state.body {
            ResponseBody::Sent => Err(already_started("it has been sent")),
            ResponseBody::Writer(writer) if writer.get().has_started() => {
                Err(already_started("its headers went out when the stream started"))
            }
            _ => Ok(change(&mut state.headers)),
        }
    }

    /// Takes what a handler returned: nothing, the response itself, or a value that is the body.
    pub(crate) fn accept_result(slf: &Bound<'_, Self>, value: &Bound<'_, PyAny>) -> PyResult<()> {
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
        } else if value.is_instance_of::<Self>() {
            Err(PyTypeError::new_err("the handler returned another request's response: return the one it was given"))
        } else {
            Err(unusable(value))
        }
    }

    fn set_text(&self, data: &Bound<'_, PyString>, content_type: HeaderValue, status: Option<Status>) -> PyResult<()> {
        let text = data.to_str()?;
        let bytes = if text.len() < SHARED {
            Bytes::copy_from_slice(text.as_bytes())
        } else {
            // As `octets` does: a text keeps its UTF-8 once it has been asked for.
            Bytes::from_owner(Utf8(PyBackedStr::try_from(data.clone())?))
        };
        self.set(ResponseBody::Bytes(bytes), Some(content_type), status)
    }

    fn set_json(&self, data: &Bound<'_, PyAny>, status: Option<Status>) -> PyResult<()> {
        let default = self.request.get().app.json_default.bind(data.py());
        let bytes = json::dumps(data, Some(default))?;
        self.set(ResponseBody::Bytes(bytes.into()), Some(JSON), status)
    }

    /// A file as the body. A type that is given counts, then one that was set by name, then that of the file's name for
    /// the client.
    fn set_file(&self, path: PathBuf, kind: Option<HeaderValue>, filename: Option<&str>) -> PyResult<()> {
        let is_typed = kind.is_none() && self.state.lock().is_typed;
        self.set(ResponseBody::File(path), None, None)?;
        if is_typed {
            return Ok(());
        }
        let kind = kind.or_else(|| content_type_of(Path::new(filename?)));
        self.change_headers(|headers| match kind {
            Some(kind) => headers.insert(CONTENT_TYPE, kind),
            // That of another body.
            None => headers.remove(CONTENT_TYPE),
        })?;
        Ok(())
    }

    /// The type given, unless one has been set already.
    fn default_type(&self, kind: &'static str) -> Option<HeaderValue> {
        let known = self.state.lock().headers.contains_key(CONTENT_TYPE);
        (!known).then(|| HeaderValue::from_static(kind))
    }

    /// Sends what there is. Nothing more can be changed afterwards.
    pub(crate) fn send(slf: &Bound<'_, Self>) {
        let this = slf.get();
        let route = &this.request.get().route;
        if !route.filters.is_empty() {
            let length = match &this.state.lock().body {
                ResponseBody::Bytes(bytes) => Some(bytes.len()),
                // No body, but what a filter says in the headers belongs to this answer as well.
                ResponseBody::Empty | ResponseBody::Unset => Some(0),
                _ => None,
            };
            match length {
                Some(length) if length >= route.filter_limit && this.request.get().is_on_worker() => {
                    let response = slf.clone().unbind();
                    let filter = move |py: Python<'_>| Self::filter_and_send(response.bind(py));
                    let Err(full) = this.request.get().app.workers.pool.submit(PoolWork::Native(Box::new(filter)))
                    else {
                        return;
                    };
                    if let PoolWork::Native(call) = full.0 {
                        // No thread is free for it: slow is better than not at all.
                        call(slf.py());
                    }
                }
                Some(_) => Self::filter_and_send(slf),
                None => this.deliver(slf.py()),
            }
            return;
        }
        this.deliver(slf.py());
    }

    fn filter_and_send(slf: &Bound<'_, Self>) {
        let this = slf.get();
        if let Err(error) = Self::filter(slf) {
            // Sent unfiltered: what has failed for one body may fail for the next.
            Self::fail(slf, error);
        }
        this.deliver(slf.py());
    }

    /// Runs the body through the route's filters, in their order.
    fn filter(slf: &Bound<'_, Self>) -> PyResult<()> {
        let (this, py) = (slf.get(), slf.py());
        let request = this.request.bind(py);
        for filter in &request.get().route.filters {
            let (body, empty) = match &this.state.lock().body {
                ResponseBody::Bytes(bytes) => (bytes.clone(), false),
                ResponseBody::Empty | ResponseBody::Unset => (Bytes::new(), true),
                _ => return Ok(()),
            };
            let encoder = filter.bind(py).call_method1(intern!(py, "begin"), (request, slf, body.len()))?;
            if encoder.is_none() || empty {
                continue;
            }
            let mut encoded = Vec::with_capacity(body.len() / 2);
            let pieces = [
                encoder.call_method1(intern!(py, "push"), (PyBytes::new(py, &body),))?,
                encoder.call_method0(intern!(py, "finish"))?,
            ];
            for piece in pieces {
                encoded.extend_from_slice(piece.extract::<&[u8]>()?);
            }
            this.set(ResponseBody::Bytes(encoded.into()), None, None)?;
        }
        Ok(())
    }

    fn deliver(&self, py: Python<'_>) {
        let (status, mut headers, body, has_length) = {
            let mut state = self.state.lock();
            let body = std::mem::replace(&mut state.body, ResponseBody::Sent);
            (state.status, std::mem::take(&mut state.headers), body, state.has_length)
        };
        if has_length && let ResponseBody::Bytes(bytes) = &body {
            self.check_length(py, &headers, bytes.len());
        }
        let head = |status: StatusCode, headers: HeaderMap, body: Body| {
            let mut response = Response::new(body);
            *response.status_mut() = status;
            *response.headers_mut() = headers;
            Reply::Response(response)
        };
        let reply = match body {
            ResponseBody::Bytes(bytes) => head(status.unwrap_or(StatusCode::OK), headers, Body::full(bytes)),
            ResponseBody::Empty => head(status.unwrap_or(StatusCode::NO_CONTENT), headers, Body::empty()),
            ResponseBody::StaticFile(body) => head(status.unwrap_or(StatusCode::OK), headers, body),
            ResponseBody::Unset => {
                // The handler has set no body; without a status either, the response has none.
                head(status.unwrap_or(StatusCode::NO_CONTENT), headers, Body::empty())
            }
            ResponseBody::File(path) => {
                let request = self.request.get();
                Reply::File(Box::new(FileReply {
                    app: Arc::clone(&request.app),
                    worker_id: request.worker_id,
                    uri: request.head.uri.clone(),
                    path,
                    status: status.unwrap_or(StatusCode::OK),
                    headers,
                    method: request.head.method.clone(),
                    conditions: request.head.headers.clone(),
                }))
            }
            ResponseBody::Switched(candidate) => {
                let request = self.request.get();
                let (route, app) = (Arc::clone(&request.route), Arc::clone(&request.app));
                Reply::Switch(Box::new(SwitchReply { headers, candidate, route, app }))
            }
            ResponseBody::Writer(writer) => {
                let writer = writer.get();
                if writer.has_started() {
                    if let Err(error) = writer.finish(py) {
                        error.write_unraisable(py, None);
                    }
                    return;
                }
                headers.remove(http::header::TRANSFER_ENCODING);
                head(status.unwrap_or(StatusCode::NO_CONTENT), headers, Body::empty())
            }
            ResponseBody::Sent => return,
        };
        let sender = self.take_reply();
        if let Some(sender) = sender {
            // The connection may be gone; then the reply is dropped.
            let _ = sender.send(reply);
        }
    }
}

fn already_started(why: &str) -> PyErr {
    PyRuntimeError::new_err(format!("the response cannot be changed any more: {why}"))
}

/// Removes what is about a file that is not sent after all.
#[cold]
fn drop_file(state: &mut ResponseState) {
    state.headers.remove(CONTENT_DISPOSITION);
    if matches!(state.body, ResponseBody::StaticFile(_)) {
        for name in [ACCEPT_RANGES, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, ETAG, LAST_MODIFIED]
        {
            state.headers.remove(name);
        }
    }
}

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

/// A status as an argument. `TypeError` for what is no whole number, `ValueError` for what no response can have.
struct Status(StatusCode);

impl<'py> FromPyObject<'_, 'py> for Status {
    type Error = PyErr;

    fn extract(value: Borrowed<'_, 'py, PyAny>) -> PyResult<Self> {
        if !value.is_instance_of::<PyInt>() || value.is_instance_of::<PyBool>() {
            let (kind, repr) = (describe(&value), value.repr()?);
            return Err(PyTypeError::new_err(format!("the status is {kind}, {repr}, not a number: write it like 404")));
        }
        // 1xx are the server's own, and nothing above 599 is defined (RFC 9110, section 15).
        let status = value.extract().ok().filter(|status| (200..600).contains(status));
        status.and_then(|status: u16| StatusCode::from_u16(status).ok()).map(Self).ok_or_else(|| {
            PyValueError::new_err(format!("{} is not a status that a response can have: use 200 to 599", &*value))
        })
    }
}

pub(crate) fn header_name(name: &str) -> PyResult<HeaderName> {
    HeaderName::try_from(name).map_err(|_| {
        PyValueError::new_err(format!("{name:?} is not a header name: letters, digits and !#$%&'*+-.^_`|~ are allowed"))
    })
}

/// Without the whitespace around it, which is no part of a value (RFC 9110, section 5.5) and may not be sent over
/// HTTP/2.
pub(crate) fn header_value(name: &str, value: &str) -> PyResult<HeaderValue> {
    HeaderValue::try_from(value.trim_matches([' ', '\t'])).map_err(|_| {
        PyValueError::new_err(format!(
            "the value of header {name:?} holds a line break or another control character: {value:?}"
        ))
    })
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

fn octets(value: &Bound<'_, PyAny>) -> PyResult<Bytes> {
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

/// An error for a file that is not there, or not a file: here and not when it is sent, so that error handlers and
/// middleware see it.
fn check_file(py: Python<'_>, path: &Path) -> PyResult<()> {
    // The file system may take its time.
    match py.detach(|| path.metadata()) {
        Ok(found) if found.is_file() => Ok(()),
        Err(error) if error.kind() == std::io::ErrorKind::PermissionDenied => Err(error.into()),
        // Whatever else is wrong with the path (too long, a NUL, through a file), there is nothing at it.
        _ => Err(error::file_missing(path)),
    }
}

/// What `markup` gives for what is no text.
fn markup_unless_text<'py>(value: &Bound<'py, PyAny>) -> PyResult<Option<Bound<'py, PyString>>> {
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

/// A dataclass or a pydantic model: known by what they carry, so that neither has to be imported.
fn is_model(value: &Bound<'_, PyAny>) -> PyResult<bool> {
    let py = value.py();
    let kind = value.get_type();
    Ok(kind.hasattr(intern!(py, "__dataclass_fields__"))? || kind.hasattr(intern!(py, "model_dump"))?)
}

/// Why a handler's return value is no answer, and what to do instead.
#[cold]
fn unusable(value: &Bound<'_, PyAny>) -> PyErr {
    let advice = if value.hasattr(intern!(value.py(), "cr_await")).unwrap_or(false) {
        // It is not awaited any more, which Python would warn of.
        if let Err(error) = value.call_method0(intern!(value.py(), "close")) {
            error.write_unraisable(value.py(), Some(value));
        }
        "nobody awaits it, since the handler or its decorator is a plain def: make it async def, and await what it wraps"
    } else if value.is_instance_of::<PyTuple>() {
        "a status goes into the response, as in resp.plain(…, status=201), and a tuple as JSON is resp.json(…)"
    } else {
        "return resp.plain(…) or the like, str, bytes, dict, list, a dataclass, a pydantic model or None"
    };
    PyTypeError::new_err(format!("the handler returned {}: {advice}", describe(value)))
}

fn describe(value: &Bound<'_, PyAny>) -> String {
    let name = value.get_type().name().map(|name| name.to_string()).unwrap_or_else(|_| "an object".to_owned());
    match name.chars().next() {
        Some('a' | 'e' | 'i' | 'o' | 'u') => format!("an {name}"),
        _ => format!("a {name}"),
    }
}

#[pymethods]
impl SlimeResponse {
    /// Shows the garbage collector what a cycle can lead through. The task is left out: until the request ends, it is
    /// kept even where nothing else refers to it.
    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        self.attributes.visit(&visit)?;
        visit.call(&self.request)?;
        match self.state.try_lock().as_deref() {
            Some(ResponseState { body: ResponseBody::Writer(writer), .. }) => visit.call(writer),
            // A locked response is in use: it is no garbage.
            _ => Ok(()),
        }
    }

    fn __clear__(&self) {
        let body = self.state.try_lock().map(|mut state| std::mem::replace(&mut state.body, ResponseBody::Sent));
        // After the lock: dropping it may run Python.
        drop(body);
    }

    /// The status as it stands: 200 until something sets another, 101 for a protocol switch.
    #[getter]
    fn status(&self) -> u16 {
        let state = self.state.lock();
        let status = match state.body {
            ResponseBody::Switched(_) => StatusCode::SWITCHING_PROTOCOLS,
            _ => state.status.unwrap_or(StatusCode::OK),
        };
        status.as_u16()
    }

    /// Whether the response has a body, so that nothing else needs to answer.
    #[getter]
    fn is_set(&self) -> bool {
        !matches!(self.state.lock().body, ResponseBody::Unset | ResponseBody::StaticFile(_))
    }

    /// As `is_set`, for a before that has returned. The cookies that there are now are middleware's, and outlast
    /// errors.
    ///
    /// One attribute for both, since it is read in every request with a before.
    #[getter]
    fn _is_set_by_before(&self) -> bool {
        let mut state = self.state.lock();
        if state.headers.contains_key(SET_COOKIE) {
            state.befores_cookies = state.headers.get_all(SET_COOKIE).iter().cloned().collect();
        }
        !matches!(state.body, ResponseBody::Unset | ResponseBody::StaticFile(_))
    }

    /// Removes the cookies that are not of befores.
    fn _drop_cookies(&self) -> PyResult<()> {
        let cookies = std::mem::take(&mut self.state.lock().befores_cookies);
        self.change_headers(|headers| {
            headers.remove(SET_COOKIE);
            for cookie in &cookies {
                headers.append(SET_COOKIE, cookie.clone());
            }
        })?;
        self.state.lock().befores_cookies = cookies;
        Ok(())
    }

    /// The path of the file that is to be sent; `None` where the body is not a file.
    #[getter]
    fn file_path(&self) -> Option<PathBuf> {
        match &self.state.lock().body {
            ResponseBody::File(path) => Some(path.clone()),
            _ => None,
        }
    }

    /// The body as it stands; `None` where there is none in memory.
    #[getter]
    fn body<'py>(&self, py: Python<'py>) -> Option<Bound<'py, PyBytes>> {
        let bytes = match &self.state.lock().body {
            ResponseBody::Bytes(bytes) => bytes.clone(),
            _ => return None,
        };
        Some(PyBytes::new(py, &bytes))
    }

    /// The headers as they stand, names in lower case.
    #[getter]
    fn headers<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let map = self.state.lock().headers.clone();
        headers::to_dict(py, &map)
    }

    /// The Content-Type as it stands, empty where none is set.
    #[getter]
    fn content_type(&self) -> String {
        let state = self.state.lock();
        let value = state.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
        value.unwrap_or_default().to_owned()
    }

    /// Sets the status, 200 to 599. `ValueError` for any other.
    fn set_status(&self, status_id: Status) -> PyResult<()> {
        self.change_headers(|_| ())?;
        self.state.lock().status = Some(status_id.0);
        Ok(())
    }

    /// Sets a header, in place of all there are of that name. `ValueError` where name or value could not be sent as
    /// they are.
    ///
    /// The server alone frames responses: Transfer-Encoding, Trailer, Keep-Alive and Proxy-Connection are dropped with
    /// a line in the log, and so is a Content-Length that is not that of the body.
    fn set_header(&self, key: &Bound<'_, PyAny>, value: &Bound<'_, PyAny>) -> PyResult<()> {
        let Some((name, value)) = self.field("set_header", key, value)? else { return Ok(()) };
        self.change_headers(|headers| {
            headers.insert(name, value);
        })
    }

    /// Adds a header beside those of that name. `ValueError` as for `set_header`.
    fn add_header(&self, key: &Bound<'_, PyAny>, value: &Bound<'_, PyAny>) -> PyResult<()> {
        let Some((name, value)) = self.field("add_header", key, value)? else { return Ok(()) };
        self.change_headers(|headers| {
            headers.append(name, value);
        })
    }

    /// Removes every header of that name.
    fn remove_header(&self, key: &Bound<'_, PyAny>) -> PyResult<()> {
        let name = header_name(text_of("remove_header", "name", key)?.to_str()?)?;
        if name == CONTENT_TYPE {
            self.state.lock().is_typed = false;
        }
        self.change_headers(|headers| {
            headers.remove(name);
        })
    }

    /// Every value that a header has so far, in order.
    fn header_all<'py>(&self, py: Python<'py>, name: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyList>> {
        let name = text_of("header_all", "name", name)?.to_str()?;
        let map = self.state.lock().headers.clone();
        headers::all(py, &map, name)
    }

    /// Answers with text.
    #[pyo3(signature = (data, status=None))]
    fn plain<'py>(
        slf: Bound<'py, Self>,
        data: &Bound<'py, PyAny>,
        status: Option<Status>,
    ) -> PyResult<Bound<'py, Self>> {
        slf.get().set_text(text_of("resp.plain", "body", data)?, PLAIN, status)?;
        Ok(slf)
    }

    /// Answers with HTML: text, or a value with `__html__()`.
    #[pyo3(signature = (data, status=None))]
    fn html<'py>(
        slf: Bound<'py, Self>,
        data: &Bound<'py, PyAny>,
        status: Option<Status>,
    ) -> PyResult<Bound<'py, Self>> {
        match markup_unless_text(data)? {
            Some(html) => slf.get().set_text(&html, HTML, status)?,
            None => slf.get().set_text(text_of("resp.html", "body", data)?, HTML, status)?,
        }
        Ok(slf)
    }

    /// Answers with JSON: what `json.dumps` takes, dataclasses, pydantic models, dates, UUIDs and the like.
    #[pyo3(signature = (data, status=None))]
    fn json<'py>(
        slf: Bound<'py, Self>,
        data: &Bound<'py, PyAny>,
        status: Option<Status>,
    ) -> PyResult<Bound<'py, Self>> {
        slf.get().set_json(data, status)?;
        Ok(slf)
    }

    /// Answers with bytes as they are.
    #[pyo3(signature = (data, status=None, content_type="application/octet-stream"))]
    fn bytes<'py>(
        slf: Bound<'py, Self>,
        data: &Bound<'py, PyAny>,
        status: Option<Status>,
        content_type: &str,
    ) -> PyResult<Bound<'py, Self>> {
        let kind = header_value("Content-Type", content_type)?;
        slf.get().set(ResponseBody::Bytes(octets(data)?), Some(kind), status)?;
        Ok(slf)
    }

    /// Sends the client elsewhere. `ValueError` for a status that does not redirect.
    #[pyo3(signature = (location, status=Status(StatusCode::FOUND)), text_signature = "($self, location, status=302)")]
    fn redirect<'py>(
        slf: Bound<'py, Self>,
        location: &Bound<'py, PyAny>,
        status: Status,
    ) -> PyResult<Bound<'py, Self>> {
        let code = status.0.as_u16();
        if !matches!(code, 301 | 302 | 303 | 307 | 308) {
            return Err(PyValueError::new_err(format!("{code} does not redirect: use 301, 302, 303, 307 or 308")));
        }
        let target = text_of("resp.redirect", "location", location)?.to_str()?;
        let location = header_value("Location", &location::escaped(target))?;
        slf.get().set(ResponseBody::Empty, None, Some(status))?;
        slf.get().change_headers(|headers| headers.insert(LOCATION, location))?;
        Ok(slf)
    }

    /// Answers with a file: in parts (Range) and only if changed (ETag, Last-Modified) where the client asks so.
    ///
    /// `filename` makes it a download of that name, which also says of what type it is unless `content_type` or a
    /// header does. A file that is not there raises what becomes a 404.
    #[pyo3(signature = (path, filename=None, content_type=None))]
    fn file<'py>(
        slf: Bound<'py, Self>,
        path: PathBuf,
        filename: Option<&str>,
        content_type: Option<&str>,
    ) -> PyResult<Bound<'py, Self>> {
        let kind = content_type.map(|kind| header_value("Content-Type", kind)).transpose()?;
        let disposition = filename
            .map(|name| header_value("Content-Disposition", &content_disposition::attachment(name)))
            .transpose()?;
        check_file(slf.py(), &path)?;
        slf.get().set_file(path, kind, filename)?;
        if let Some(value) = disposition {
            slf.get().change_headers(|headers| headers.insert(CONTENT_DISPOSITION, value))?;
        }
        Ok(slf)
    }

    /// Answers without a body.
    #[pyo3(signature = (status=Status(StatusCode::NO_CONTENT)), text_signature = "($self, status=204)")]
    fn empty<'py>(slf: Bound<'py, Self>, status: Status) -> PyResult<Bound<'py, Self>> {
        slf.get().set(ResponseBody::Empty, None, Some(status))?;
        Ok(slf)
    }

    /// Whether the head has been sent, so that only the body can still be added to.
    #[getter]
    fn started(&self) -> bool {
        match &self.state.lock().body {
            ResponseBody::Writer(writer) => writer.get().has_started(),
            ResponseBody::Sent => true,
            _ => false,
        }
    }

    /// Aborts a body that has been started, so that the client sees that it is incomplete. Before that it does
    /// nothing.
    pub(crate) fn abort(&self) {
        if let ResponseBody::Writer(writer) = &self.state.lock().body
            && writer.get().has_started()
        {
            writer.get().cut();
        }
    }

    /// Takes a handler's return value as the answer: `None`, this response, or a value that is the body.
    fn accept(slf: &Bound<'_, Self>, result: &Bound<'_, PyAny>) -> PyResult<()> {
        Self::accept_result(slf, result)
    }

    /// A writer for a body that is sent piece by piece, at most `high_water` bytes ahead of the client.
    #[pyo3(signature = (high_water=65536))]
    fn writer<'py>(slf: &Bound<'py, Self>, high_water: usize) -> PyResult<Bound<'py, BodyWriter>> {
        let writer = Bound::new(slf.py(), BodyWriter::new(slf, high_water))?;
        slf.get().set(ResponseBody::Writer(writer.clone().unbind()), None, None)?;
        Ok(writer)
    }

    /// Answers 101 once the handler returns, and gives the connection to `protocol` (RFC 9110, section 7.8).
    ///
    /// `headers` are those of the 101, `Upgrade` among them; `Connection` is added. A protocol that does not get the
    /// connection after all gets `connection_lost`, and nothing else.
    #[pyo3(signature = (protocol, headers=None))]
    fn switch_protocol(&self, protocol: Py<PyAny>, headers: Option<Vec<(String, String)>>) -> PyResult<()> {
        let fields = headers
            .iter()
            .flatten()
            .map(|(name, value)| Ok((header_name(name)?, header_value(name, value)?)))
            .collect::<PyResult<Vec<_>>>()?;
        let request = self.request.get();
        // From here on `connection_lost` is called on it, whatever becomes of the response.
        let candidate = Candidate::new(protocol, Arc::clone(&request.app), request.worker_id);
        if !request.can_switch() {
            drop(candidate);
            return Err(error::upgrade_required(&fields));
        }
        self.set(ResponseBody::Switched(candidate), None, None)?;
        self.change_headers(|map| {
            for (name, value) in fields {
                map.append(name, value);
            }
        })
    }

    /// What the class has, then what was set, then the members that plugins, and slimeweb's own Python half, add.
    fn __getattribute__<'py>(slf: &Bound<'py, Self>, name: &Bound<'py, PyString>) -> PyResult<Bound<'py, PyAny>> {
        let this = slf.get();
        if let Some(found) = this.attributes.get(slf, name)? {
            return Ok(found);
        }
        this.request.get().app.member(Member::Response, slf, name)?.ok_or_else(|| PyAttributeError::new_err(()))
    }

    /// What `__getattribute__` has not found.
    fn __getattr__(&self, name: &Bound<'_, PyString>) -> PyResult<()> {
        Err(self.request.get().app.missing(Member::Response, name))
    }

    fn __setattr__(slf: &Bound<'_, Self>, name: &Bound<'_, PyString>, value: &Bound<'_, PyAny>) -> PyResult<()> {
        slf.get().attributes.set(slf, name, Some(value))
    }

    fn __delattr__(slf: &Bound<'_, Self>, name: &Bound<'_, PyString>) -> PyResult<()> {
        slf.get().attributes.set(slf, name, None)
    }

    /// What was set.
    #[getter]
    fn __dict__<'py>(&self, py: Python<'py>) -> PyResult<&Bound<'py, PyDict>> {
        self.attributes.dict(py)
    }

    fn __repr__(&self) -> String {
        format!("<SlimeResponse {}>", self.status())
    }
}

impl ResponseState {
    /// The answer as it is, with the status's name for a body. For what needs no Python.
    pub(crate) fn into_response(self) -> Response<Body> {
        let status = self.status.unwrap_or(StatusCode::OK);
        let mut response = crate::service::text(status, status.canonical_reason().unwrap_or_default());
        response.headers_mut().extend(self.headers);
        response
    }
}
