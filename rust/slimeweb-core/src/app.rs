//! A compiled application: what all requests of a worker share. Immutable, but for counters.
//!
//! Each worker has its own copy: every request counts a reference to it, and to its route, and a count that several
//! cores write to costs each of them more than most of what else is done for a request.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use http::HeaderMap;
use pyo3::exceptions::PyAttributeError;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyMapping, PyString};
use slimeweb_http::files::StaticDir;
use slimeweb_http::multipart::{FormLimits, UploadDir};
use slimeweb_http::router::Router;

use crate::proxies::TrustedProxies;
use crate::route::CompiledRoute;
use crate::sent::{SentQueue, request_id};
use crate::worker::Workers;
use crate::worker::work::Work;

/// An application, compiled for one worker.
pub(crate) struct CompiledApp<W: Work> {
    pub(crate) slime: Py<PyAny>,
    pub(crate) router: Router<Arc<CompiledRoute>>,
    /// Directories, and the header fields that their responses have in addition.
    pub(crate) mounts: Vec<(StaticDir, HeaderMap)>,
    /// Answers what no route matches, where middleware or error handlers are to see it.
    pub(crate) fallback: Option<Arc<CompiledRoute>>,
    /// Answers for static files, where middleware covers them.
    pub(crate) files: Option<Arc<CompiledRoute>>,
    pub(crate) on_error: Py<PyAny>,
    /// Answers in the place of a file that a handler has answered with, and that is not sent.
    pub(crate) refuse_file: Py<PyAny>,
    /// Starts a task that calls what `resp.after` was given: a request, functions with their arguments, and a context.
    pub(crate) call_after: Py<PyAny>,
    /// Shows an exception to plugins, where any observe them.
    pub(crate) on_exception: Option<Py<PyAny>>,
    /// `slimeweb.json.default`: what JSON does not know, in terms that it does.
    pub(crate) json_default: Py<PyAny>,
    /// `types.MethodType`: binds a member to its object.
    pub(crate) method: Py<PyAny>,
    pub(crate) request_members: Py<PyDict>,
    pub(crate) response_members: Py<PyDict>,
    /// `slimeweb.resources.Resources` of each worker.
    pub(crate) resources: Vec<Py<PyAny>>,
    /// `slimeweb._members.missing_attribute`: the error for a name that nothing brings.
    pub(crate) missing: Py<PyAny>,
    pub(crate) workers: Arc<Workers<W>>,
    pub(crate) proxies: TrustedProxies,
    /// What a proxy has put before the paths of this application; empty for nothing.
    pub(crate) root_path: Box<str>,
    pub(crate) uploads: Arc<UploadDir>,
    /// What a multipart form may use up; its body's size is the route's.
    pub(crate) form_limits: FormLimits,
    /// Most fields of a urlencoded form.
    pub(crate) form_fields: usize,
    /// How long a client may take nothing of what a upgraded connection sends.
    pub(crate) send_timeout: Duration,
    /// Where the ends of answers are told, where somebody wants to know.
    pub(crate) sent: Option<Arc<SentQueue>>,
    pub(crate) counters: Arc<Counters>,
}

/// Counters: for names that are unique in this process, and of open connections.
#[derive(Default)]
pub(crate) struct Counters {
    requests: AtomicU64,
    files: AtomicU64,
    /// Plain handlers that wait, or will, for a body that the client holds back.
    pub(crate) expected: AtomicUsize,
    /// Connections that have switched protocols and are open.
    pub(crate) upgraded: AtomicUsize,
}

/// Which object a member is looked up for.
#[derive(Clone, Copy)]
pub(crate) enum Member {
    Request,
    Response,
}

impl Member {
    fn owner(self) -> &'static str {
        match self {
            Self::Request => "SlimeRequest",
            Self::Response => "SlimeResponse",
        }
    }
}

/// A copy of a mapping, not shared with anything else.
pub(crate) fn frozen(mapping: &Bound<'_, PyMapping>) -> PyResult<Py<PyDict>> {
    let dict = PyDict::new(mapping.py());
    dict.update(mapping)?;
    Ok(dict.unbind())
}

impl<W: Work> CompiledApp<W> {
    /// The member `name` of `owner`, bound to it as a method is. None where there is none.
    pub(crate) fn member<'py>(
        &self,
        kind: Member,
        owner: &Bound<'py, PyAny>,
        name: &Bound<'py, PyString>,
    ) -> PyResult<Option<Bound<'py, PyAny>>> {
        let py = owner.py();
        let table = match kind {
            Member::Request => &self.request_members,
            Member::Response => &self.response_members,
        };
        let function = table.bind(py).get_item(name)?;
        function.map(|function| self.method.bind(py).call1((function, owner))).transpose()
    }

    /// The error for a name that nothing brings.
    pub(crate) fn missing(&self, kind: Member, name: &Bound<'_, PyString>) -> PyErr {
        let explain = || {
            // Protocols are probed by name all the time: nothing to explain there.
            if name.to_str()?.starts_with("__") {
                return Ok(PyAttributeError::new_err(name.clone().unbind()));
            }
            self.missing.bind(name.py()).call1((kind.owner(), name)).map(PyErr::from_value)
        };
        explain().unwrap_or_else(|error| error)
    }

    pub(crate) fn next_request_number(&self) -> u64 {
        self.counters.requests.fetch_add(1, Ordering::Relaxed)
    }

    /// The id of the request with this number.
    pub(crate) fn request_id(&self, number: u64) -> String {
        request_id(self.uploads.token(), number)
    }

    pub(crate) fn next_file(&self) -> u64 {
        self.counters.files.fetch_add(1, Ordering::Relaxed)
    }
}
