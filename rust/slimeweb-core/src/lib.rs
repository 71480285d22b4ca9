//! `slimeweb._core`: where the server meets Python.
//!
//! A request arrives at [`service`], which finds its [`route`] in the [`app`] and hands a [`request::context`] to one of
//! the workers. There [`request`] and [`response`] become Python objects, the [`handler`] runs, and the [`reply`] goes
//! back to the service. [`worker`] knows neither requests nor routes: it runs any [`worker::work`]. After a protocol
//! switch the connection is an [`upgrade`].
//!
//! Modules use those below them only: but for `request` and `response`, each in itself, their imports form no cycle.

mod after;
mod app;
mod argument;
mod asyncio;
mod attributes;
mod error;
mod fields;
mod guarded;
mod handler;
mod header;
mod json;
mod lazy;
mod proxies;
mod reply;
mod reporter;
mod request;
mod response;
mod root_path;
mod route;
mod sent;
mod server;
mod service;
mod settings;
mod switch;
mod upgrade;
mod worker;
mod worker_handle;

use pyo3::prelude::*;

/// Memory that large bodies take is used again without page faults, and given back to the system soon
/// (docs/decisions/011).
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// The Rust half of slimeweb: requests, responses and the server that carries them.
#[pymodule(gil_used = false)]
mod _core {
    #[pymodule_export]
    use crate::guarded::forget_server;
    #[pymodule_export]
    use crate::handler::coroutine::HandlerCoroutine;
    #[pymodule_export]
    use crate::request::SlimeRequest;
    #[pymodule_export]
    use crate::request::chunks::BodyChunks;
    #[pymodule_export]
    use crate::request::headers::Headers;
    #[pymodule_export]
    use crate::request::upload::SlimeFile;
    #[pymodule_export]
    use crate::response::SlimeResponse;
    #[pymodule_export]
    use crate::response::switch::ProtocolSwitch;
    #[pymodule_export]
    use crate::response::writer::BodyWriter;
    #[pymodule_export]
    use crate::server::Server;
    #[pymodule_export]
    use crate::upgrade::transport::Transport;
    #[pymodule_export]
    use crate::worker::callback::Handle;
    #[pymodule_export]
    use crate::worker::socket::LoopSocket;
    #[pymodule_export]
    use crate::worker::waiting::ClientWait;
    #[pymodule_export]
    use crate::worker_handle::WorkerHandle;

    use std::borrow::Cow;

    use super::*;
    use crate::worker::waiting;
    use pyo3::exceptions::{PyRuntimeError, PyValueError};
    use pyo3::pybacked::PyBackedStr;
    use pyo3::types::{PyBytes, PyTuple};
    use slimeweb_http::header::accept_encoding::AcceptEncoding;
    use slimeweb_http::header::params;
    use slimeweb_http::router::Pattern;

    type PathPart = (String, Option<(String, String)>, String);
    type Parameter<'a> = (&'a str, Option<Cow<'a, str>>);

    /// Marks the calling thread, for as long as it is entered, as waiting for a client: `with waiting_for_client(): …`.
    ///
    /// The thread does not count for `pool_threads` meanwhile, and a worker's connections are served by another one. To
    /// be left by the thread that has entered it.
    #[pyfunction]
    fn waiting_for_client() -> ClientWait {
        ClientWait::new()
    }

    /// Calls `callback(*args)` on a thread of the pool of the server that the calling thread works for. False, and
    /// nothing called, when the pool is full.
    ///
    /// Raises `RuntimeError` on a thread that is not the server's.
    #[pyfunction]
    #[pyo3(signature = (callback, *args))]
    fn call_in_pool(callback: Py<PyAny>, args: Py<PyTuple>) -> PyResult<bool> {
        let pool = waiting::pool().ok_or_else(|| {
            PyRuntimeError::new_err(
                "this thread is not one of the server's, so it has no pool: use asyncio.to_thread(…)",
            )
        })?;
        Ok(pool.call_in_pool(Box::new(move |py| {
            let result = guarded::apply(callback.bind(py), args.bind(py));
            if guarded::is_child() {
                guarded::end_child(py, result.err());
            }
            if let Err(error) = result {
                error.write_unraisable(py, Some(callback.bind(py)));
            }
        })))
    }

    /// Reads one JSON text (RFC 8259) into Python objects, keys in order.
    ///
    /// Raises `slimeweb.errors.JsonError` with line and column where the text is not JSON.
    #[pyfunction]
    #[pyo3(signature = (data, /))]
    fn json_loads<'py>(py: Python<'py>, data: &[u8]) -> PyResult<Bound<'py, PyAny>> {
        json::loads(py, data).map_err(error::json_error)
    }

    /// Writes a Python value as JSON (RFC 8259), compact, in UTF-8.
    ///
    /// `default` turns what JSON does not know into what it knows. Raises `TypeError` or `ValueError` naming the place
    /// otherwise.
    #[pyfunction]
    #[pyo3(signature = (value, default=None, /))]
    fn json_dumps<'py>(
        py: Python<'py>,
        value: &Bound<'py, PyAny>,
        default: Option<&Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyBytes>> {
        Ok(PyBytes::new(py, &json::dumps(value, default)?))
    }

    /// A path pattern, `/users/{id:int}`, as the router reads it: for what stands between two slashes, the text before
    /// the parameter, its name and kind, and the text behind it.
    ///
    /// Raises `ValueError` saying what is wrong with it.
    #[pyfunction]
    #[pyo3(signature = (pattern, /))]
    fn parse_path(pattern: &str) -> PyResult<Vec<PathPart>> {
        let pattern = Pattern::parse(pattern).map_err(|error| PyValueError::new_err(error.reason().to_owned()))?;
        let parts = pattern.parts().map(|part| {
            let param = part.param.map(|(name, kind)| (name.to_owned(), kind.to_string()));
            (part.before.into_owned(), param, part.after.into_owned())
        });
        Ok(parts.collect())
    }

    /// Which of the `offered` codings a client gets, by its Accept-Encoding, and whether it refuses a body as it is.
    #[pyfunction]
    #[pyo3(signature = (field, offered, /))]
    fn choose_encoding(field: Option<&str>, offered: Vec<PyBackedStr>) -> (Option<PyBackedStr>, bool) {
        let accepted = AcceptEncoding::parse(field);
        (accepted.choose(offered), accepted.refuses_identity())
    }

    /// A field's value before its first `;`, and the parameters behind it; `None` is the value of one without `=`.
    ///
    /// Raises `ValueError` where a quoted value has no end, or text behind its end.
    #[pyfunction]
    #[pyo3(signature = (value, /))]
    fn split_parameters(value: &str) -> PyResult<(&str, Vec<Parameter<'_>>)> {
        let (first, params) = params::split(value);
        let read = params.map(|param| param.map(|param| (param.name, param.value.map(params::Value::text))));
        let params = read.collect::<Result<_, _>>().map_err(|error| PyValueError::new_err(error.to_string()))?;
        Ok((first, params))
    }

    /// The members of a field that is a list. Empty ones are left out.
    #[pyfunction]
    #[pyo3(signature = (field, /))]
    fn split_list(field: &str) -> Vec<&str> {
        params::members(field).filter(|member| !member.is_empty()).collect()
    }

    #[pymodule_init]
    fn init(module: &Bound<'_, PyModule>) -> PyResult<()> {
        let py = module.py();
        module.add("__version__", env!("CARGO_PKG_VERSION"))?;
        py.import("collections.abc")?.getattr("Mapping")?.call_method1("register", (py.get_type::<Headers>(),))?;
        Ok(())
    }
}
