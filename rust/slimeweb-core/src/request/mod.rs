//! `SlimeRequest`: one request, as its handler sees it.

pub(crate) mod body;
pub(crate) mod chunks;
pub(crate) mod context;
pub(crate) mod expected;
pub(crate) mod headers;
mod large_body;
pub(crate) mod payload;
pub(crate) mod upload;

use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use bytes::Bytes;
use http::header::{CONNECTION, CONTENT_TYPE, HOST, UPGRADE};
use http::uri::PathAndQuery;
use http::{StatusCode, Version};
use pyo3::exceptions::{PyAttributeError, PyRuntimeError};
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedBytes;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyBytes, PyDict, PyList, PyString};
use pyo3::{intern, types::PyFloat};
use slimeweb_http::header::urlencoded::Pairs;
use slimeweb_http::header::{accept, charset, params, urlencoded};
use slimeweb_http::router::ParamKind;

use crate::app::Member;
use crate::argument::text_of;
use crate::asyncio::new_future;
use crate::attributes::Attributes;
use crate::error::{self, FormError, http_error};
use crate::header;
use crate::lazy::Lazy;
use crate::request::body::is_multipart;
use crate::request::chunks::BodyChunks;
use crate::request::context::RequestContext;
use crate::request::headers::Headers;
use crate::request::large_body::concatenated;
use crate::request::payload::RequestPayload;
use crate::request::upload::SlimeFile;
use crate::sent::RequestNumber;
use crate::{fields, json, reply};

/// One request, as its handler sees it. Everything is parsed when first asked for, once.
#[pyclass(frozen, weakref, module = "slimeweb")]
pub(crate) struct SlimeRequest(Box<RequestContext>);

impl Deref for SlimeRequest {
    type Target = RequestContext;

    fn deref(&self) -> &RequestContext {
        &self.0
    }
}

/// What has been asked for so far, and what has been set.
pub(crate) struct Parsed {
    attributes: Attributes,
    /// With resources of the request itself.
    resources: Lazy<PyAny>,
    id: Lazy<PyString>,
    query: Lazy<PyDict>,
    params: Lazy<PyDict>,
    body: Lazy<PyBytes>,
    text: Lazy<PyString>,
    json: Lazy<PyAny>,
    form: Lazy<PyDict>,
    form_pairs: PyOnceLock<Pairs>,
    /// Made by one thread alone: the files are taken out of the payload.
    files: PyOnceLock<Py<PyList>>,
}

impl Parsed {
    pub(crate) fn new() -> Self {
        Self {
            attributes: Attributes::new(),
            resources: Lazy::new(),
            id: Lazy::new(),
            query: Lazy::new(),
            params: Lazy::new(),
            body: Lazy::new(),
            text: Lazy::new(),
            json: Lazy::new(),
            form: Lazy::new(),
            form_pairs: PyOnceLock::new(),
            files: PyOnceLock::new(),
        }
    }

    /// The resources of the request itself, where it has any.
    pub(crate) fn own_resources<'py>(&self, py: Python<'py>) -> Option<&Bound<'py, PyAny>> {
        self.resources.get(py)
    }
}

impl SlimeRequest {
    pub(crate) fn new(context: Box<RequestContext>) -> Self {
        Self(context)
    }

    /// Whether there may be uploads to delete.
    pub(crate) fn has_files(&self) -> bool {
        matches!(self.payload, RequestPayload::Form { .. } | RequestPayload::Expected(_))
    }

    /// Deletes uploads that no handler has saved.
    pub(crate) fn release(&self, py: Python<'_>) {
        let payload = match &self.payload {
            RequestPayload::Expected(expected) => expected.get(),
            payload => Some(payload),
        };
        if let Some(RequestPayload::Form { uploads, .. }) = payload {
            let unseen = std::mem::take(&mut *uploads.lock());
            let seen = self.parsed.files.get(py).map(|files| files.bind(py));
            let seen: Vec<_> =
                seen.into_iter().flatten().filter_map(|file| file.cast_into::<SlimeFile>().ok()).collect();
            let seen: Vec<_> = seen.iter().map(Bound::get).collect();
            py.detach(|| {
                drop(unseen);
                seen.iter().for_each(|file| file.discard());
            });
        }
    }

    fn content_type(&self) -> Option<&str> {
        self.head.headers.get(CONTENT_TYPE)?.to_str().ok()
    }

    /// What came with the request, which is waited for where the client has held it back so far.
    fn payload(&self, py: Python<'_>) -> PyResult<&RequestPayload> {
        match &self.payload {
            RequestPayload::Expected(expected) => expected.wait(py, self),
            payload => Ok(payload),
        }
    }

    fn bytes_of_body<'a>(&'a self, py: Python<'a>) -> PyResult<&'a [u8]> {
        match self.payload(py)? {
            RequestPayload::Whole(body) => Ok(body.joined()),
            RequestPayload::Object(body) => Ok(body.as_bytes(py)),
            RequestPayload::Empty | RequestPayload::Form { .. } | RequestPayload::Expected(_) => Ok(&[]),
            RequestPayload::Refused(refused) => Err(refused.error()),
            RequestPayload::Stream(_) => Err(PyRuntimeError::new_err(
                "this route reads its body as a stream (stream_body=True): iterate over req.chunks()",
            )),
        }
    }

    fn form_pairs(&self, py: Python<'_>) -> PyResult<&Pairs> {
        match self.payload(py)? {
            RequestPayload::Form { fields, .. } => return Ok(fields),
            RequestPayload::Refused(refused) => return Err(refused.error()),
            _ => {}
        }
        self.parsed.form_pairs.get_or_try_init(py, || match self.content_type() {
            Some(kind) if is_urlencoded(kind) => {
                urlencoded::form(self.bytes_of_body(py)?, self.content_type(), self.app.form_fields)
                    .map_err(|error| FormError::new_err(error.to_string()))
            }
            _ => Ok(Pairs::new()),
        })
    }

    /// Whether the caller is the thread that reads and writes for this request's connection.
    pub(crate) fn is_on_worker(&self) -> bool {
        self.app.workers.get(self.worker_id).is_here()
    }

    /// Whether the connection can leave HTTP for this request: HTTP/1.1, and the client asks for it (RFC 9110, section
    /// 7.8).
    pub(crate) fn can_switch(&self) -> bool {
        let headers = &self.head.headers;
        let mut options = headers.get_all(CONNECTION).iter().filter_map(|field| field.to_str().ok());
        self.head.version == Version::HTTP_11
            && headers.contains_key(UPGRADE)
            && options.any(|field| params::members(field).any(|option| option.eq_ignore_ascii_case("upgrade")))
    }

    fn files(&self, py: Python<'_>) -> PyResult<&Py<PyList>> {
        self.parsed.files.get_or_try_init(py, || {
            let uploads = match self.payload(py)? {
                RequestPayload::Form { uploads, .. } => std::mem::take(&mut *uploads.lock()),
                RequestPayload::Refused(refused) => return Err(refused.error()),
                _ => Vec::new(),
            };
            let files = uploads
                .into_iter()
                .map(|upload| {
                    Bound::new(py, SlimeFile::new(upload, Arc::clone(&self.app.uploads), self.app.next_file()))
                })
                .collect::<PyResult<Vec<_>>>()?;
            Ok(PyList::new(py, files)?.unbind())
        })
    }
}

/// A media type without its parameters.
fn media_type(content_type: &str) -> &[u8] {
    params::essence(content_type.as_bytes())
}

fn is_json(content_type: &str) -> bool {
    accept::is_json(media_type(content_type))
}

fn is_urlencoded(content_type: &str) -> bool {
    media_type(content_type).eq_ignore_ascii_case(b"application/x-www-form-urlencoded")
}

#[pymethods]
impl SlimeRequest {
    /// Shows the garbage collector what a cycle can lead through: the containers that have been made. It can empty each
    /// of them, so there is no `__clear__`.
    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        let parsed = &self.parsed;
        parsed.attributes.visit(&visit)?;
        parsed.resources.visit(&visit)?;
        parsed.query.visit(&visit)?;
        parsed.params.visit(&visit)?;
        parsed.json.visit(&visit)?;
        parsed.form.visit(&visit)?;
        // SAFETY: the collector runs in an attached thread. Nothing is done with Python but to read the cell.
        let py = unsafe { Python::assume_attached() };
        visit.call(parsed.files.get(py))
    }

    /// A name for this request, unique in this process, for logs.
    #[getter]
    fn id<'py>(&self, py: Python<'py>) -> PyResult<&Bound<'py, PyString>> {
        self.parsed.id.get_or_make(py, || {
            let number = self.head.extensions.get::<RequestNumber>().map(|number| number.0);
            let number = number.unwrap_or_else(|| self.app.next_request_number());
            Ok(PyString::new(py, &self.app.request_id(number)))
        })
    }

    /// The application this request came to.
    #[getter]
    fn app<'py>(&self, py: Python<'py>) -> Bound<'py, PyAny> {
        self.app.slime.bind(py).clone()
    }

    /// The application's shared state: `app.state`.
    #[getter]
    fn state<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        self.app.slime.bind(py).getattr(intern!(py, "state"))
    }

    /// The resources of the request, where it has any; else those of its worker.
    #[getter]
    fn resources<'py>(&self, py: Python<'py>) -> PyResult<&Bound<'py, PyAny>> {
        self.parsed
            .resources
            .get(py)
            .or_else(|| self.app.resources.get(self.worker_id).map(|resources| resources.bind(py)))
            .ok_or_else(|| PyRuntimeError::new_err("this request has no worker"))
    }

    /// Sets what `resources` is, once.
    fn _set_resources<'py>(&self, py: Python<'py>, resources: Bound<'py, PyAny>) -> PyResult<()> {
        self.parsed.resources.get_or_make(py, || Ok(resources)).map(drop)
    }

    /// The key that cookies are signed with.
    #[getter]
    fn secret_key<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        self.app.slime.bind(py).getattr(intern!(py, "secret_key"))
    }

    #[getter]
    fn method(&self) -> &str {
        self.head.method.as_str()
    }

    /// The path without the query, percent-decoded.
    #[getter]
    fn path(&self) -> &str {
        self.path.as_deref().unwrap_or_else(|| self.head.uri.path())
    }

    /// The path as it came.
    #[getter]
    fn raw_path(&self) -> &str {
        self.head.uri.path()
    }

    /// What stands behind the `?`, as it came.
    #[getter]
    fn query_string(&self) -> &str {
        self.head.uri.query().unwrap_or_default()
    }

    /// `http` or `https`, behind a trusted proxy the client's own.
    #[getter]
    fn scheme(&self) -> &'static str {
        self.app.proxies.scheme(&self.connection, &self.head.headers)
    }

    /// The host that the client asked for, with a port where it named one.
    #[getter]
    fn host(&self, py: Python<'_>) -> PyResult<String> {
        match self.head.headers.get(HOST) {
            Some(host) if !host.is_empty() => header::value_text(py, host).extract(),
            _ => self.app.slime.bind(py).getattr(intern!(py, "_own_host"))?.extract(),
        }
    }

    /// The whole URL of the request.
    #[getter]
    fn url(&self, py: Python<'_>) -> PyResult<String> {
        let target = self.head.uri.path_and_query().map_or("/", PathAndQuery::as_str);
        Ok(format!("{}://{}{}{target}", self.scheme(), self.host(py)?, self.app.root_path))
    }

    /// `1.0`, `1.1` or `2`.
    #[getter]
    fn http_version(&self) -> &'static str {
        match self.head.version {
            Version::HTTP_10 => "1.0",
            Version::HTTP_2 => "2",
            _ => "1.1",
        }
    }

    /// The client's address; behind a trusted proxy, the one it forwards for.
    #[getter]
    fn client(&self) -> String {
        self.app.proxies.client(&self.connection, &self.head.headers)
    }

    /// The port that the client's connection comes from; `None` behind a trusted proxy and for a Unix socket.
    #[getter]
    fn client_port(&self) -> Option<u16> {
        self.app.proxies.client_port(&self.connection, &self.head.headers)
    }

    /// The pattern of the route that matched, `None` where none did.
    #[getter]
    fn route(&self) -> Option<&str> {
        (!self.route.pattern.is_empty()).then_some(&*self.route.pattern)
    }

    /// Header fields by name, whatever the case.
    #[getter]
    fn header(slf: &Bound<'_, Self>) -> Headers {
        Headers::of(slf)
    }

    /// The header fields as octets, one pair for each line.
    #[getter]
    fn raw_headers<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyList>> {
        header::pairs(py, &self.head.headers)
    }

    /// Every line of one header field, in the order they came.
    fn header_all<'py>(&self, py: Python<'py>, name: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyList>> {
        let name = text_of("req.header_all", "name", name)?.to_str()?;
        header::all(py, &self.head.headers, name)
    }

    /// Query parameters; of several with one name the last.
    #[getter]
    fn query<'py>(&self, py: Python<'py>) -> PyResult<&Bound<'py, PyDict>> {
        self.parsed
            .query
            .get_or_make(py, || fields::to_dict(fields::query_class(py)?, urlencoded::query(self.query_string())))
    }

    /// Every value of one query parameter.
    fn query_all<'py>(&self, py: Python<'py>, name: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyList>> {
        let name = text_of("req.query_all", "name", name)?.to_str()?;
        fields::all(py, urlencoded::query(self.query_string()), name)
    }

    /// Path parameters, those of a typed pattern converted: `{id:int}` gives an `int`.
    #[getter]
    fn params<'py>(&self, py: Python<'py>) -> PyResult<&Bound<'py, PyDict>> {
        self.parsed.params.get_or_make(py, || {
            let dict = PyDict::new(py);
            for (name, kind, value) in self.path_params.iter(self.path()) {
                dict.set_item(name, convert(py, kind, &value)?)?;
            }
            Ok(dict)
        })
    }

    /// The body. Empty for a multipart form, whose parts are in `form` and `file`.
    #[getter]
    fn body<'py>(&self, py: Python<'py>) -> PyResult<&Bound<'py, PyBytes>> {
        self.parsed.body.get_or_make(py, || match self.payload(py)? {
            RequestPayload::Whole(body) => concatenated(py, body.pieces()),
            RequestPayload::Object(body) => Ok(body.bind(py).clone()),
            _ => Ok(PyBytes::new(py, self.bytes_of_body(py)?)),
        })
    }

    /// The same as `body`.
    #[getter]
    fn bytes<'py>(&self, py: Python<'py>) -> PyResult<&Bound<'py, PyBytes>> {
        self.body(py)
    }

    /// The body as text in the charset of its Content-Type. 400 where it is not, 415 for an unknown charset.
    #[getter]
    fn text<'py>(&self, py: Python<'py>) -> PyResult<&Bound<'py, PyString>> {
        self.parsed.text.get_or_make(py, || {
            let text = charset::decode(self.bytes_of_body(py)?, self.content_type())
                .map_err(|error| http_error(error.status(), error.to_string()))?;
            Ok(PyString::new(py, &text))
        })
    }

    /// The JSON body, parsed; `None` when the Content-Type is not JSON. `JsonError` (400) when it is malformed.
    #[getter]
    fn json<'py>(&self, py: Python<'py>) -> PyResult<&Bound<'py, PyAny>> {
        self.parsed.json.get_or_make(py, || {
            if !self.content_type().is_some_and(is_json) {
                return Ok(py.None().into_bound(py));
            }
            json::loads(py, self.bytes_of_body(py)?).map_err(error::json_error)
        })
    }

    /// Form fields; of several with one name the last. `FormError` (400) when the form is malformed.
    #[getter]
    fn form<'py>(&self, py: Python<'py>) -> PyResult<&Bound<'py, PyDict>> {
        self.parsed
            .form
            .get_or_make(py, || fields::to_dict(fields::form_class(py)?, urlencoded::borrowed(self.form_pairs(py)?)))
    }

    /// Every value of one form field.
    fn form_all<'py>(&self, py: Python<'py>, name: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyList>> {
        let name = text_of("req.form_all", "name", name)?.to_str()?;
        fields::all(py, urlencoded::borrowed(self.form_pairs(py)?), name)
    }

    /// The uploaded files, in the order they came.
    #[getter]
    fn file<'py>(&self, py: Python<'py>) -> PyResult<&Bound<'py, PyList>> {
        self.files(py).map(|files| files.bind(py))
    }

    /// What the body is by its Content-Type: `json`, `form`, or neither.
    #[getter]
    fn _body_kind(&self) -> &'static str {
        match self.content_type() {
            Some(kind) if is_json(kind) => "json",
            Some(kind) if is_urlencoded(kind) || is_multipart(kind.as_bytes()) => "form",
            _ => "",
        }
    }

    /// Names and values of a form's text fields, in the order they came. As `form`; on a route with `stream_body=True` as
    /// `body`.
    fn _form_pairs<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyList>> {
        if matches!(self.payload(py)?, RequestPayload::Stream(_)) {
            self.bytes_of_body(py)?;
        }
        PyList::new(py, urlencoded::borrowed(self.form_pairs(py)?).collect::<Vec<_>>())
    }

    /// Whether the client asks for JSON by name.
    #[getter]
    fn _names_json(&self) -> bool {
        reply::names_json(&self.head.headers)
    }

    /// Why the server refuses the request before a handler sees it, where it says more than the status.
    #[getter]
    fn _refusal(&self) -> Option<&str> {
        match &self.payload {
            RequestPayload::Refused(refused) => Some(&refused.detail),
            _ => None,
        }
    }

    /// Waits for the body that the client has held back until now. `HttpError` where it does not come, or is not taken.
    fn _wait_for_body(&self, py: Python<'_>) -> PyResult<()> {
        self.payload(py).map(drop)
    }

    /// A future of the running loop that has the result `None` when `_wait_for_body` does not wait any more.
    fn _body_arrival<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let future = new_future(py)?;
        match &self.payload {
            RequestPayload::Expected(expected) => expected.tell(self, &future)?,
            _ => drop(future.call_method1(intern!(py, "set_result"), (py.None(),))?),
        }
        Ok(future)
    }

    /// Whether the route's middleware is known to read the body, so that it cannot be asked before the body is there.
    #[getter]
    fn _is_body_first(&self) -> bool {
        self.route.body_first.load(Ordering::Acquire)
    }

    /// How many files were uploaded.
    fn no_of_files_available(&self, py: Python<'_>) -> PyResult<usize> {
        Ok(self.files(py)?.bind(py).len())
    }

    /// The body piece by piece, for `for` or `async for`; on a `stream_body=True` route as it arrives.
    fn chunks(&self, py: Python<'_>) -> PyResult<BodyChunks> {
        let worker = Arc::clone(self.app.workers.get(self.worker_id));
        match self.payload(py)? {
            RequestPayload::Stream(arriving) => arriving
                .lock()
                .take()
                .map(|arriving| BodyChunks::new(arriving.begin(), worker))
                .ok_or_else(|| PyRuntimeError::new_err("req.chunks() was called before: the body can be read once")),
            RequestPayload::Whole(body) => Ok(BodyChunks::ready(body.pieces(), worker)),
            RequestPayload::Object(body) => {
                // Without a copy: the piece keeps the object.
                let whole = Bytes::from_owner(PyBackedBytes::from(body.bind(py).clone()));
                Ok(BodyChunks::ready(&[whole], worker))
            }
            RequestPayload::Empty | RequestPayload::Form { .. } | RequestPayload::Expected(_) => {
                Ok(BodyChunks::ready(&[], worker))
            }
            RequestPayload::Refused(refused) => Err(refused.error()),
        }
    }

    /// What the class has, then what was set, then the members that plugins, and slimeweb's own Python half, add.
    fn __getattribute__<'py>(slf: &Bound<'py, Self>, name: &Bound<'py, PyString>) -> PyResult<Bound<'py, PyAny>> {
        if let Some(found) = slf.get().parsed.attributes.get(slf, name)? {
            return Ok(found);
        }
        slf.get().app.member(Member::Request, slf, name)?.ok_or_else(|| PyAttributeError::new_err(()))
    }

    /// What `__getattribute__` has not found.
    fn __getattr__(&self, name: &Bound<'_, PyString>) -> PyResult<()> {
        Err(self.app.missing(Member::Request, name))
    }

    fn __setattr__(slf: &Bound<'_, Self>, name: &Bound<'_, PyString>, value: &Bound<'_, PyAny>) -> PyResult<()> {
        slf.get().parsed.attributes.set(slf, name, Some(value))
    }

    fn __delattr__(slf: &Bound<'_, Self>, name: &Bound<'_, PyString>) -> PyResult<()> {
        slf.get().parsed.attributes.set(slf, name, None)
    }

    /// What was set.
    #[getter]
    fn __dict__<'py>(&self, py: Python<'py>) -> PyResult<&Bound<'py, PyDict>> {
        self.parsed.attributes.dict(py)
    }

    fn __repr__(&self) -> String {
        format!("<SlimeRequest {} {}>", self.head.method, self.path())
    }
}

fn convert<'py>(py: Python<'py>, kind: ParamKind, value: &str) -> PyResult<Bound<'py, PyAny>> {
    let converted = match kind {
        ParamKind::Int => py.get_type::<pyo3::types::PyInt>().call1((value,)),
        ParamKind::Float => py.get_type::<PyFloat>().call1((value,)),
        ParamKind::Uuid => py.import(intern!(py, "uuid"))?.call_method1(intern!(py, "UUID"), (value,)),
        ParamKind::Str | ParamKind::Path => return Ok(PyString::new(py, value).into_any()),
    };
    // The router has checked the form; what is left is an integer beyond Python's digit limit.
    converted.map_err(|_| http_error(StatusCode::NOT_FOUND, "no such page".to_owned()))
}
