//! A compiled route, as `slimeweb._compiled.CompiledRoute` describes it.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use http::HeaderMap;
use pyo3::prelude::*;

use crate::header::{header_name, header_value};
use crate::worker::inline_policy::InlinePolicy;
use crate::worker::work::Policies;

/// A route, compiled: how to answer what it matches. Immutable while the server runs.
#[derive(FromPyObject)]
pub(crate) struct CompiledRoute {
    #[pyo3(from_py_with = shared)]
    pub(crate) pattern: Arc<str>,
    pub(crate) methods: Vec<String>,
    pub(crate) endpoint: Py<PyAny>,
    pub(crate) is_async: bool,
    pub(crate) one_loop: bool,
    pub(crate) body_size: u64,
    pub(crate) stream_body: bool,
    #[pyo3(attribute("blocking"), from_py_with = inline_policy)]
    pub(crate) inline_policy: Arc<InlinePolicy>,
    /// Of sync functions that are called after a protocol switch.
    #[pyo3(attribute("blocking"), from_py_with = inline_policy)]
    pub(crate) upgraded_policy: Arc<InlinePolicy>,
    pub(crate) filters: Vec<Py<PyAny>>,
    /// How many of the filters, the first ones, change the content; the others code it.
    pub(crate) content_filters: usize,
    /// Bodies from this size on are not run through a filter on an event loop's thread, in bytes.
    pub(crate) filter_limit: usize,
    /// Answers what is refused before the handler is called, where middleware or error handlers are to see it.
    #[pyo3(from_py_with = other)]
    pub(crate) refusal: Option<Arc<CompiledRoute>>,
    /// Of the OPTIONS of a path: answers the methods that the path does not have, where its middleware has a say in
    /// that.
    #[pyo3(from_py_with = other)]
    pub(crate) wrong_method: Option<Arc<CompiledRoute>>,
    /// Answers where the client waits with the body until it is asked for it, and there is middleware to be asked
    /// first.
    #[pyo3(from_py_with = other)]
    pub(crate) expecting: Option<Arc<CompiledRoute>>,
    /// Called with request and response just before a head goes out.
    pub(crate) on_head: Option<Py<PyAny>>,
    /// The plugins that have wrapped the handler: named where what it returns is no answer.
    pub(crate) made_by: String,
    /// Such a compiled route's middleware has been seen to read the body on an event loop's thread.
    #[pyo3(attribute("blocking"), from_py_with = not_yet)]
    pub(crate) body_first: Arc<AtomicBool>,
}

impl CompiledRoute {
    /// The same route for another worker. What has been measured of its speed, all workers share.
    pub(crate) fn clone_ref(&self, py: Python<'_>) -> Self {
        Self {
            pattern: Arc::clone(&self.pattern),
            methods: self.methods.clone(),
            endpoint: self.endpoint.clone_ref(py),
            inline_policy: Arc::clone(&self.inline_policy),
            upgraded_policy: Arc::clone(&self.upgraded_policy),
            filters: self.filters.iter().map(|filter| filter.clone_ref(py)).collect(),
            refusal: self.refusal.as_ref().map(|route| Arc::new(route.clone_ref(py))),
            wrong_method: self.wrong_method.as_ref().map(|route| Arc::new(route.clone_ref(py))),
            expecting: self.expecting.as_ref().map(|route| Arc::new(route.clone_ref(py))),
            on_head: self.on_head.as_ref().map(|function| function.clone_ref(py)),
            made_by: self.made_by.clone(),
            body_first: Arc::clone(&self.body_first),
            ..*self
        }
    }
}

impl Policies for CompiledRoute {
    fn is_async(&self) -> bool {
        self.is_async
    }

    fn one_loop(&self) -> bool {
        self.one_loop
    }

    fn inline_policy(&self) -> &Arc<InlinePolicy> {
        &self.inline_policy
    }

    fn upgraded_policy(&self) -> &Arc<InlinePolicy> {
        &self.upgraded_policy
    }
}

fn shared(text: &Bound<'_, PyAny>) -> PyResult<Arc<str>> {
    text.extract::<String>().map(Arc::from)
}

fn other(route: &Bound<'_, PyAny>) -> PyResult<Option<Arc<CompiledRoute>>> {
    if route.is_none() { Ok(None) } else { route.extract().map(Arc::new).map(Some) }
}

#[expect(clippy::unnecessary_wraps, reason = "what a derived conversion calls can fail")]
fn not_yet(_: &Bound<'_, PyAny>) -> PyResult<Arc<AtomicBool>> {
    Ok(Arc::default())
}

fn inline_policy(blocking: &Bound<'_, PyAny>) -> PyResult<Arc<InlinePolicy>> {
    blocking.extract().map(InlinePolicy::new).map(Arc::new)
}

/// A directory served below a prefix, as `slimeweb._compiled.StaticMount` describes it.
#[derive(FromPyObject)]
pub(crate) struct StaticMount {
    pub(crate) prefix: String,
    pub(crate) directory: std::path::PathBuf,
    pub(crate) headers: Vec<(String, String)>,
}

impl StaticMount {
    /// What its answers have besides their own fields. `ValueError` for what cannot be a field.
    pub(crate) fn fields(&self) -> PyResult<HeaderMap> {
        let field = |(name, value): &(String, String)| Ok((header_name(name)?, header_value(name, value)?));
        self.headers.iter().map(field).collect()
    }
}
