//! `resp.stream`: a body of the pieces of an iterable, which are asked for once the route's middleware is done.

use http::Method;
use pyo3::exceptions::PyTypeError;
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyByteArray, PyBytes, PyDict, PyModule, PyString};
use slimeweb_http::is_without_content;

use super::SlimeResponse;
use super::filter::FILTER;
use super::state::ResponseBody;
use super::writer::BodyWriter;
use crate::argument::describe;
use crate::error::overloaded;
use crate::guarded;
use crate::worker::work::PoolWork;
use crate::worker::{contextvars, waiting};

/// The place of what an iterable raises, to those who observe exceptions.
pub(super) const STREAM: &str = "stream";

/// Bytes that the iterable may be ahead of the client.
const HIGH_WATER: usize = 64 * 1024;

/// An iterable that is to be the body.
pub(crate) struct PieceSource {
    pub(super) iterable: Py<PyAny>,
    /// What is called with the writer as the iteration begins.
    pub(super) on_begin: Option<Py<PyAny>>,
    /// Whether it is iterated over by `async for`.
    is_async: bool,
}

impl PieceSource {
    /// For a response of a route whose handler is a coroutine function, or not: what can be iterated over both ways is
    /// iterated over as the handler would.
    pub(super) fn new(
        iterable: &Bound<'_, PyAny>,
        on_begin: Option<&Bound<'_, PyAny>>,
        is_async_route: bool,
    ) -> PyResult<Self> {
        let py = iterable.py();
        let kind = iterable.get_type();
        let is_whole = iterable.is_instance_of::<PyString>()
            || iterable.is_instance_of::<PyBytes>()
            || iterable.is_instance_of::<PyByteArray>()
            || iterable.is_instance_of::<PyDict>();
        let is_async_iterable = kind.hasattr(intern!(py, "__aiter__"))?;
        let is_iterable = kind.hasattr(intern!(py, "__iter__"))?;
        if is_whole || !(is_iterable || is_async_iterable) {
            let advice = if iterable.is_callable() { "call the function" } else { "write [data]" };
            return Err(PyTypeError::new_err(format!(
                "resp.stream takes an iterable of str or bytes, such as a generator, not {}: {advice}",
                describe(iterable)
            )));
        }
        let is_async = is_async_iterable && (is_async_route || !is_iterable);
        let on_begin = on_begin.map(|callback| callback.clone().unbind());
        Ok(Self { iterable: iterable.clone().unbind(), on_begin, is_async })
    }

    pub(super) fn visit(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.iterable)?;
        visit.call(&self.on_begin)
    }

    /// Closes an iterable that is not asked for any piece. One that is asynchronous has begun nothing.
    pub(super) fn discard(self, py: Python<'_>) {
        if self.is_async {
            return;
        }
        if let Err(error) = module(py).and_then(|module| module.call_method1(intern!(py, "close"), (&self.iterable,))) {
            error.write_unraisable(py, Some(self.iterable.bind(py)));
        }
    }
}

/// Writer, iterable, whether nothing is sent of it, what is called as it begins, whether it is asynchronous.
pub(super) type TakenStream<'py> = (Bound<'py, BodyWriter>, Bound<'py, PyAny>, bool, Option<Bound<'py, PyAny>>, bool);

/// Iterates over the pieces and writes them.
fn module(py: Python<'_>) -> PyResult<Bound<'_, PyModule>> {
    py.import(intern!(py, "slimeweb._streaming"))
}

impl SlimeResponse {
    /// Has the pieces sent, with the status and headers that have been set: by this thread where it is one of the
    /// pool's, else by one of those; by the loop where the iterable is asynchronous.
    pub(super) fn begin_stream(slf: &Bound<'_, Self>, source: PieceSource) {
        if let Err(error) = Self::try_stream(slf, source) {
            let error = Self::end_resources(slf, error);
            Self::end_stream(slf, Err(error));
        }
    }

    /// The writer for the pieces, and whether none are to be sent.
    fn writer_for(slf: &Bound<'_, Self>, source: &PieceSource) -> PyResult<(Py<BodyWriter>, bool)> {
        let (this, py) = (slf.get(), slf.py());
        let writer = Bound::new(py, BodyWriter::new(slf, HIGH_WATER, source.is_async))?.unbind();
        let status = {
            let mut state = this.state.lock();
            state.body = ResponseBody::Writer(writer.clone_ref(py));
            state.status
        };
        let is_head = this.request.get().head.method == Method::HEAD;
        Ok((writer, is_head || status.is_some_and(is_without_content)))
    }

    /// What a task that sends the pieces by itself needs for that. `None` where the body is no stream.
    pub(super) fn take_stream<'py>(slf: &Bound<'py, Self>) -> PyResult<Option<TakenStream<'py>>> {
        let py = slf.py();
        let source = {
            let mut state = slf.get().state.lock();
            match std::mem::replace(&mut state.body, ResponseBody::Unset) {
                ResponseBody::Stream(source) => source,
                body => {
                    // What was put there for a moment is nothing that Python has to drop.
                    state.body = body;
                    return Ok(None);
                }
            }
        };
        let (writer, has_no_content) = Self::writer_for(slf, &source)?;
        let PieceSource { iterable, on_begin, is_async } = source;
        Ok(Some((
            writer.into_bound(py),
            iterable.into_bound(py),
            has_no_content,
            on_begin.map(|callback| callback.into_bound(py)),
            is_async,
        )))
    }

    /// Ends the request's resources since its stream is not sent: what is the error then.
    pub(super) fn end_resources(slf: &Bound<'_, Self>, error: PyErr) -> PyErr {
        let py = slf.py();
        let Some(resources) = slf.get().request.get().parsed.own_resources(py) else { return error };
        let ended = resources
            .getattr(intern!(py, "_finish"))
            .and_then(|finish| guarded::apply(&finish, &(error.into_value(py),).into_pyobject(py)?));
        ended.map_or_else(|failure| failure, PyErr::from_value)
    }

    fn try_stream(slf: &Bound<'_, Self>, source: PieceSource) -> PyResult<()> {
        let py = slf.py();
        let request = slf.get().request.get();
        let (writer, has_no_content) = Self::writer_for(slf, &source)?;
        let response = slf.clone().unbind();
        if source.is_async && request.route.is_async && request.is_on_worker() {
            return Self::start_stream_task(slf, &writer, source, has_no_content);
        }
        let is_async = source.is_async;
        if !is_async && waiting::is_in_pool() {
            Self::run_stream(slf, &writer, source, has_no_content);
            return Ok(());
        }
        let unused = PieceSource { iterable: source.iterable.clone_ref(py), on_begin: None, is_async };
        let context = contextvars::copy(py)?;
        let run = move |py: Python<'_>| {
            let response = response.bind(py);
            let outcome = contextvars::within(context.bind(py), || {
                if is_async {
                    return Self::start_stream_task(response, &writer, source, has_no_content);
                }
                Self::run_stream(response, &writer, source, has_no_content);
                Ok(())
            });
            if let Err(error) = outcome {
                Self::end_stream(response, Err(error));
            }
        };
        if is_async {
            request.app.workers.call_in_loop(request.worker_id, run);
        } else if request.app.workers.pool.submit(PoolWork::Native(Box::new(run))).is_err() {
            unused.discard(py);
            return Err(overloaded());
        }
        Ok(())
    }

    /// Iterates on this thread.
    fn run_stream(slf: &Bound<'_, Self>, writer: &Py<BodyWriter>, source: PieceSource, has_no_content: bool) {
        let py = slf.py();
        let outcome = module(py).and_then(|module| module.getattr(intern!(py, "send"))).and_then(|send| {
            let resources = slf.get().request.get().parsed.own_resources(py);
            guarded::apply(
                &send,
                &(writer, source.iterable, has_no_content, source.on_begin, resources).into_pyobject(py)?,
            )
        });
        if guarded::is_child() {
            guarded::end_child(py, outcome.err());
        }
        Self::end_stream(slf, outcome.map(drop));
    }

    /// Starts a task of the running loop that iterates, and calls `_end_stream`.
    fn start_stream_task(
        slf: &Bound<'_, Self>,
        writer: &Py<BodyWriter>,
        source: PieceSource,
        has_no_content: bool,
    ) -> PyResult<()> {
        let py = slf.py();
        let start = module(py)?.getattr(intern!(py, "start"))?;
        slf.get().task().begin();
        let resources = slf.get().request.get().parsed.own_resources(py);
        let task = guarded::apply(
            &start,
            &(slf, writer, source.iterable, has_no_content, source.on_begin, resources).into_pyobject(py)?,
        )?;
        if !task.call_method0(intern!(py, "done"))?.is_truthy()? {
            // asyncio itself only holds it weakly.
            slf.get().task().hold(task.unbind());
        }
        Ok(())
    }

    /// Ends the response after its stream.
    pub(super) fn end_stream(slf: &Bound<'_, Self>, outcome: PyResult<()>) {
        let (this, py) = (slf.get(), slf.py());
        let task = this.take_task();
        if let Err(error) = outcome {
            // An error handler may answer with a stream of its own, whose failure gets no third one.
            let (has_failed, place) = {
                let mut state = this.state.lock();
                let place = if state.has_failed_filter { FILTER } else { STREAM };
                (std::mem::replace(&mut state.has_failed_stream, true), place)
            };
            if has_failed && !this.started() {
                error.write_unraisable(py, Some(slf));
                this.set_plain_error();
            } else {
                Self::fail(slf, error, place);
            }
        }
        this.request.get().release(py);
        Self::send(slf);
        drop(task);
    }

    /// Whether the body is the pieces of an iterable that are still to be sent.
    pub(crate) fn is_streamed(&self) -> bool {
        matches!(self.state.lock().body, ResponseBody::Stream(_))
    }
}
