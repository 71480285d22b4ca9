//! `SlimeResponse`: the answer to one request, until it is sent.

pub(crate) mod after;
mod disconnect;
mod encoders;
mod filter;
mod head;
mod result;
mod send;
mod state;
mod stream;
pub(crate) mod switch;
pub(crate) mod writer;

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use http::header::{CONTENT_DISPOSITION, CONTENT_TYPE, LOCATION, SET_COOKIE};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use parking_lot::Mutex;
use pyo3::exceptions::{PyAttributeError, PyTypeError, PyValueError};
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyBytes, PyDict, PyInt, PyList, PyString, PyTuple};
use slimeweb_http::files::content_type_of;
use slimeweb_http::header::{content_disposition, location};

use crate::app::Member;
use crate::argument::{describe, text_of};
use crate::attributes::Attributes;
use crate::error;
use crate::header::{self, header_name, header_value};
use crate::reply::{InitialResponse, ReplySender};
use crate::reporter::Reporter;
use crate::request::SlimeRequest;
use crate::request::context::Workers;
use crate::response::switch::ProtocolSwitch;
use crate::response::writer::BodyWriter;
use crate::switch::Candidate;
use crate::worker::work::CallInLoop;
use after::AfterCalls;
use disconnect::Disconnect;
use result::{markup_unless_text, octets};
use state::{
    AfterState, HTML, HeadState, JSON, PLAIN, ResponseBody, ResponseState, SWITCHED, already_started, drop_file,
};
use stream::{PieceSource, TakenStream};

/// The answer to one request. Its body methods return the response itself, so `return resp.plain(…)` reads well.
#[pyclass(frozen, weakref, module = "slimeweb")]
pub(crate) struct SlimeResponse {
    request: Py<SlimeRequest>,
    state: Mutex<ResponseState>,
    reply: Mutex<Option<ReplySender>>,
    task: OnceLock<Arc<Task>>,
    /// Made when it is first asked for.
    disconnect: OnceLock<Arc<Disconnect>>,
    /// Made for the first function.
    after: OnceLock<Arc<AfterCalls>>,
    attributes: Attributes,
}

/// The task that works on an answer, while it does.
#[derive(Default)]
pub(crate) struct Task {
    object: Mutex<Option<Py<PyAny>>>,
    /// Only the end is left, which is not cut short because the client leaves.
    is_ending: AtomicBool,
}

impl Task {
    /// Another one takes over.
    fn begin(&self) {
        self.is_ending.store(false, Ordering::Release);
    }

    pub(crate) fn hold(&self, object: Py<PyAny>) {
        *self.object.lock() = Some(object);
    }

    /// Cancels it since its client has left. In the loop's thread.
    fn cancel(&self, py: Python<'_>) -> PyResult<()> {
        if self.is_ending.load(Ordering::Acquire) {
            return Ok(());
        }
        let object = self.object.lock().as_ref().map(|object| object.clone_ref(py));
        object.map_or(Ok(()), |object| object.call_method0(py, intern!(py, "cancel")).map(drop))
    }
}

impl SlimeResponse {
    pub(crate) fn new(
        request: Py<SlimeRequest>,
        initial: Option<Box<InitialResponse>>,
        reply: Option<ReplySender>,
    ) -> Self {
        Self {
            request,
            state: Mutex::new(ResponseState::new(initial)),
            reply: Mutex::new(reply),
            task: OnceLock::new(),
            disconnect: OnceLock::new(),
            after: OnceLock::new(),
            attributes: Attributes::new(),
        }
    }

    /// Where the task that works on the answer is, where one does.
    pub(crate) fn task(&self) -> &Arc<Task> {
        self.task.get_or_init(Arc::default)
    }

    pub(crate) fn take_task(&self) -> Option<Py<PyAny>> {
        self.task.get()?.object.lock().take()
    }

    /// Who waits for the client to leave.
    pub(super) fn disconnect(&self) -> Option<&Arc<Disconnect>> {
        self.disconnect.get()
    }

    pub(crate) fn request(&self) -> &Py<SlimeRequest> {
        &self.request
    }

    /// Makes it the answer to what a handler has raised, or whatever `place` names.
    pub(crate) fn fail(slf: &Bound<'_, Self>, error: PyErr, place: &str) {
        let (this, py) = (slf.get(), slf.py());
        // A response that has begun to be sent cannot become an error page: it is cut off, so that the client sees that
        // it is incomplete.
        if let Err(failure) = this.abort(py) {
            failure.write_unraisable(py, None);
        }
        let request = this.request.bind(py);
        // `into_value`, since `value` leaves the traceback behind where Python keeps it apart, before 3.12.
        let called = request.get().app.on_error.bind(py).call1((request, slf, error.into_value(py), place));
        if let Err(failure) = called {
            failure.write_unraisable(py, Some(request));
            this.forget_after();
            this.set_plain_error();
        }
    }

    /// Makes it a 500 that needs no Python, for where the error handler fails.
    fn set_plain_error(&self) {
        let mut state = self.state.lock();
        let has_started = match &state.body {
            ResponseBody::Writer(writer) => writer.get().has_started(),
            ResponseBody::Upgraded(_) | ResponseBody::Sent => true,
            _ => false,
        };
        if !has_started {
            state.headers.clear();
            state.headers.insert(CONTENT_TYPE, PLAIN);
            state.status = Some(StatusCode::INTERNAL_SERVER_ERROR);
            let page = ResponseBody::Bytes(Bytes::from_static(b"Internal Server Error"));
            let old = std::mem::replace(&mut state.body, page);
            drop(state);
            drop(old);
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
        if state.head == HeadState::BeingPrepared {
            return Err(already_started(
                "its head goes out now, of which a plugin may change status and headers alone",
            ));
        }
        // A writer that has not started and a switch that has not been answered yet can still be replaced, by an error
        // page for example.
        match &state.body {
            ResponseBody::Writer(writer) if writer.get().has_started() => {
                return Err(already_started("its body is being streamed"));
            }
            ResponseBody::Upgraded(_) => return Err(already_started(SWITCHED)),
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
        if let ResponseBody::Stream(source) = old {
            Python::attach(|py| source.discard(py));
        }
        Ok(())
    }

    /// A field that is to be sent; none where the server sets it itself, which is logged.
    fn field(
        &self,
        call: &str,
        key: &Bound<'_, PyAny>,
        value: &Bound<'_, PyAny>,
    ) -> PyResult<Option<(HeaderName, HeaderValue)>> {
        let key_text = text_of(call, "name", key)?.to_str()?;
        let value = text_of(call, "value", value)?;
        let value = header_value(key_text, value.to_str()?)?;
        self.checked(key.py(), header_name(key_text)?, value)
    }

    /// The field, unless the server sets it itself.
    fn checked(
        &self,
        py: Python<'_>,
        name: HeaderName,
        value: HeaderValue,
    ) -> PyResult<Option<(HeaderName, HeaderValue)>> {
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
        let value = header::value_text(py, value).repr()?;
        logger.call_method1(intern!(py, "warning"), (format, name.as_str(), value, method, path, reason))?;
        Ok(())
    }

    fn change_headers<T>(&self, change: impl FnOnce(&mut HeaderMap) -> T) -> PyResult<T> {
        let mut state = self.state.lock();
        match &state.body {
            ResponseBody::Sent => Err(already_started("it has been sent")),
            ResponseBody::Writer(writer) if writer.get().has_started() => {
                Err(already_started("its headers went out when the stream started"))
            }
            ResponseBody::Upgraded(_) => Err(already_started(SWITCHED)),
            _ => Ok(change(&mut state.headers)),
        }
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

#[pymethods]
impl SlimeResponse {
    /// Shows the garbage collector what a cycle can lead through. The task is left out: until the request ends, it is
    /// kept even where nothing else refers to it.
    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        self.attributes.visit(&visit)?;
        visit.call(&self.request)?;
        let state = self.state.try_lock();
        // From the handler's end on the answer keeps them.
        if let Some(calls) = self.after.get()
            && state.as_deref().is_some_and(|state| state.after == AfterState::Open)
        {
            calls.visit(&visit)?;
        }
        match state.as_deref() {
            Some(ResponseState { body: ResponseBody::Writer(writer), .. }) => visit.call(writer),
            Some(ResponseState { body: ResponseBody::Stream(source), .. }) => source.visit(&visit),
            // A locked response is in use: it is no garbage.
            _ => Ok(()),
        }
    }

    fn __clear__(&self) {
        let body = self.state.try_lock().map(|mut state| std::mem::replace(&mut state.body, ResponseBody::Sent));
        // After the lock: dropping it may run Python.
        drop(body);
        if let Some(calls) = self.after.get() {
            calls.clear();
        }
    }

    /// The status as it stands: 200 until something sets another, 101 for a protocol switch.
    #[getter]
    fn status(&self) -> u16 {
        let state = self.state.lock();
        let status = match state.body {
            ResponseBody::Switched(_) | ResponseBody::Upgraded(_) => StatusCode::SWITCHING_PROTOCOLS,
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

    /// Forgets what `after` was given: something was raised.
    fn _forget_after(&self) {
        self.forget_after();
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
        header::to_dict(py, &map)
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

    /// Adds headers given as octets, beside those that are there. Raises as `set_header` does.
    fn add_raw_headers(&self, fields: &Bound<'_, PyAny>) -> PyResult<()> {
        let py = fields.py();
        let mut checked = Vec::with_capacity(fields.len().unwrap_or_default());
        for field in fields.try_iter()? {
            let (name, value) = header::raw_field(&field?)?;
            checked.extend(self.checked(py, name, value)?);
        }
        self.change_headers(|headers| {
            for (name, value) in checked {
                headers.append(name, value);
            }
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
        header::all(py, &map, name)
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

    /// Answers with bytes as they are. `content_type` `None` leaves that of the headers, or none.
    #[pyo3(signature = (data, status=None, content_type=Some("application/octet-stream")), text_signature = "($self, data, status=None, content_type='application/octet-stream')")]
    fn bytes<'py>(
        slf: Bound<'py, Self>,
        data: &Bound<'py, PyAny>,
        status: Option<Status>,
        content_type: Option<&str>,
    ) -> PyResult<Bound<'py, Self>> {
        let kind = content_type.map(|kind| header_value("Content-Type", kind)).transpose()?;
        slf.get().set(ResponseBody::Bytes(octets(data)?), kind, status)?;
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
            ResponseBody::Upgraded(_) | ResponseBody::Sent => true,
            _ => false,
        }
    }

    /// Aborts a body that has been started, so that the client sees that it is incomplete, and closes a connection whose
    /// switch has been awaited, once what was written is out. Before that it does nothing.
    pub(crate) fn abort(&self, py: Python<'_>) -> PyResult<()> {
        let awaited = match &self.state.lock().body {
            ResponseBody::Writer(writer) if writer.get().has_started() => {
                writer.get().cut();
                return Ok(());
            }
            ResponseBody::Upgraded(awaited) => Arc::clone(awaited),
            _ => return Ok(()),
        };
        awaited.close(py)
    }

    /// Takes a handler's return value as the answer: `None`, this response, or a value that is the body. `returned_by`
    /// says who has returned it, for the error.
    #[pyo3(signature = (result, returned_by=None))]
    fn accept(slf: &Bound<'_, Self>, result: &Bound<'_, PyAny>, returned_by: Option<&str>) -> PyResult<()> {
        Self::accept_result(slf, result, returned_by)
    }

    /// Answers with the pieces of an iterable, `str` or `bytes`, as fast as the client takes them.
    ///
    /// `on_begin` is called with the writer as the iteration begins, on its thread.
    #[pyo3(signature = (iterable, status=None, content_type=None, *, on_begin=None))]
    fn stream<'py>(
        slf: Bound<'py, Self>,
        iterable: &Bound<'py, PyAny>,
        status: Option<Status>,
        content_type: Option<&str>,
        on_begin: Option<&Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, Self>> {
        let this = slf.get();
        let kind = match content_type {
            Some(kind) => Some(header_value("Content-Type", kind)?),
            None => this.default_type("application/octet-stream"),
        };
        let source = PieceSource::new(iterable, on_begin, this.request.get().route.is_async)?;
        this.set(ResponseBody::Stream(source), kind, status)?;
        Ok(slf)
    }

    /// From here on the handler's task, which only has to end, is not cancelled when the client leaves.
    fn _begin_end(&self) {
        self.task().is_ending.store(true, Ordering::Release);
    }

    /// Whether the body is the pieces of an iterable that are still to be sent.
    #[getter]
    fn _is_streamed(&self) -> bool {
        self.is_streamed()
    }

    /// Writer, iterable, whether nothing is sent of it, `on_begin`, and whether the iterable is asynchronous: for the
    /// handler's own task, which sends the pieces and calls `_end_stream`. `None` where the body is no stream.
    fn _take_stream<'py>(slf: &Bound<'py, Self>) -> PyResult<Option<TakenStream<'py>>> {
        Self::take_stream(slf)
    }

    /// Ends a stream of an asynchronous iterable, in its task: `error` is what it has raised.
    #[pyo3(signature = (error=None))]
    fn _end_stream(slf: &Bound<'_, Self>, error: Option<Bound<'_, PyAny>>) {
        Self::end_stream(slf, error.map_or(Ok(()), |error| Err(PyErr::from_value(error))));
    }

    /// A writer for a body that is sent piece by piece, at most `high_water` bytes ahead of the client. A coroutine
    /// handler is cancelled when the client leaves, unless `cancel` is false.
    #[pyo3(signature = (high_water=65536, *, cancel=true))]
    fn writer<'py>(slf: &Bound<'py, Self>, high_water: usize, cancel: bool) -> PyResult<Bound<'py, BodyWriter>> {
        let writer =
            Bound::new(slf.py(), BodyWriter::new(slf, high_water, cancel && slf.get().request.get().route.is_async))?;
        slf.get().set(ResponseBody::Writer(writer.clone().unbind()), None, None)?;
        Ok(writer)
    }

    /// Answers 101 once the handler returns, and gives the connection to `protocol` (RFC 9110, section 7.8). A
    /// coroutine handler that awaits it has the 101 go out at once, and is given the transport.
    ///
    /// `headers` are those of the 101, `Upgrade` among them; `Connection` is added. A protocol that does not get the
    /// connection after all gets `connection_lost`, and nothing else.
    #[pyo3(signature = (protocol, headers=None))]
    fn switch_protocol(
        slf: &Bound<'_, Self>,
        protocol: Py<PyAny>,
        headers: Option<Vec<(String, String)>>,
    ) -> PyResult<ProtocolSwitch> {
        let (this, py) = (slf.get(), slf.py());
        let fields = headers
            .iter()
            .flatten()
            .map(|(name, value)| Ok((header_name(name)?, header_value(name, value)?)))
            .collect::<PyResult<Vec<_>>>()?;
        let request = this.request.get();
        // From here on `connection_lost` is called on it, whatever becomes of the response.
        let workers: Arc<dyn CallInLoop> = Arc::<Workers>::clone(&request.app.workers);
        let on_exception = request.app.on_exception.as_ref();
        let reporter =
            on_exception.map(|function| Reporter::new(function.clone_ref(py), this.request.clone_ref(py).into_any()));
        let candidate = Candidate::new(protocol, workers, request.worker_id, reporter);
        if !request.can_switch() {
            drop(candidate);
            return Err(error::upgrade_required(&fields));
        }
        this.set(ResponseBody::Switched(candidate), None, None)?;
        this.change_headers(|map| {
            // What the protocol says of the switch counts, and is said once.
            for (name, _) in fields.iter().filter(|(name, _)| name != SET_COOKIE) {
                map.remove(name);
            }
            for (name, value) in fields {
                map.append(name, value);
            }
        })?;
        Ok(ProtocolSwitch::new(slf))
    }

    /// A future of the running loop that is done once the client has left, or has ended its side of the connection, and
    /// at the latest when the answer has been given. For coroutine handlers.
    fn client_disconnected<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        self.await_disconnect(py)
    }

    /// Calls `function(*args)` once the answer is out, or its client gone; not if anything is raised. In order.
    #[pyo3(signature = (function, *args))]
    fn after(slf: &Bound<'_, Self>, function: &Bound<'_, PyAny>, args: &Bound<'_, PyTuple>) -> PyResult<()> {
        Self::add_after(slf, function, args)
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
