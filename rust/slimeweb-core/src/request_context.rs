//! One request from its dispatch to its reply: from Rust's parts to Python's objects, and from the handler's result to
//! the reply.

use std::sync::Arc;

use http::StatusCode;
use http::request::Parts;
use pyo3::prelude::*;
use slimeweb_http::ConnectionInfo;
use slimeweb_http::router::Params;

use crate::app::CompiledApp;
use crate::coroutine::HandlerCoroutine;
use crate::guarded;
use crate::payload::{Refused, RequestPayload};
use crate::reply::{Reply, ReplySender};
use crate::request::{Parsed, SlimeRequest};
use crate::response::{ResponseState, SlimeResponse};
use crate::route::CompiledRoute;
use crate::service::{OVERLOADED, overloaded};
use crate::worker::asyncio_loop::AsyncioLoop;
use crate::worker::contextvars;
use crate::worker::event_loop::WorkItem;

/// One request with everything that a handler needs, ready to be sent to another thread. Always boxed, so that handing
/// it on, to Python as well, moves a pointer.
pub(crate) struct RequestContext {
    pub(crate) app: Arc<CompiledApp>,
    pub(crate) route: Arc<CompiledRoute>,
    pub(crate) worker_id: usize,
    pub(crate) head: Parts,
    /// The decoded path where it differs from the raw one.
    pub(crate) path: Option<String>,
    pub(crate) path_params: Params,
    pub(crate) payload: RequestPayload,
    pub(crate) parsed: Parsed,
    pub(crate) connection: Arc<ConnectionInfo>,
    /// The response that the handler begins with, where it is not an empty one.
    pub(crate) initial_response: Option<Box<ResponseState>>,
    /// None until the service awaits it.
    pub(crate) reply: Option<ReplySender>,
}

impl RequestContext {
    pub(crate) fn new(
        app: &Arc<CompiledApp>,
        route: Arc<CompiledRoute>,
        worker_id: usize,
        head: Parts,
        connection: Arc<ConnectionInfo>,
    ) -> Box<Self> {
        Box::new(Self {
            app: Arc::clone(app),
            route,
            worker_id,
            head,
            path: None,
            path_params: Params::default(),
            payload: RequestPayload::Empty,
            parsed: Parsed::new(),
            connection,
            initial_response: None,
            reply: None,
        })
    }

    /// Makes it the request of a route that answers in place of the handler: `state` is the response that it begins
    /// with.
    pub(crate) fn refused_by(&mut self, route: Arc<CompiledRoute>, state: ResponseState, refused: Refused) {
        self.route = route;
        self.initial_response = Some(Box::new(state));
        self.payload = RequestPayload::Refused(Box::new(refused));
    }

    /// Answers for a handler that there is no thread for: through the route's middleware and the application's error
    /// handlers, on the worker's thread, where these have not kept it waiting before.
    #[cold]
    pub(crate) fn refuse(mut self: Box<Self>) {
        let worker = Arc::clone(self.app.workers.get(self.worker_id));
        let is_first = self.initial_response.is_none();
        if let Some(route) = self.route.refusal.clone()
            && is_first
            && route.inline_policy.promote()
            && !worker.has_backup()
        {
            let refused = Refused { status: StatusCode::SERVICE_UNAVAILABLE, detail: OVERLOADED.to_owned() };
            self.refused_by(route, ResponseState::overloaded(), refused);
            worker.post(WorkItem::SyncHandler(self));
            return;
        }
        // Without a receiver the client has gone.
        if let Some(reply) = self.reply {
            let _ = reply.send(Reply::Response(overloaded()));
        }
    }

    fn into_python(
        mut self: Box<Self>,
        py: Python<'_>,
    ) -> PyResult<(Bound<'_, SlimeRequest>, Bound<'_, SlimeResponse>)> {
        let (state, reply) = (self.initial_response.take(), self.reply.take());
        let request = Bound::new(py, SlimeRequest::new(self))?;
        let response = Bound::new(py, SlimeResponse::new(request.clone().unbind(), state, reply))?;
        Ok((request, response))
    }
}

/// Runs a synchronous handler to its end. Called by a thread of the pool, or the worker's own.
pub(crate) fn run(py: Python<'_>, context: Box<RequestContext>) {
    let outcome = context.into_python(py).and_then(|(request, response)| {
        contextvars::fresh(py, || {
            let endpoint = request.get().route.endpoint.bind(py);
            let result = guarded::call(endpoint, [request.as_ptr(), response.as_ptr()]);
            if guarded::is_child() {
                guarded::end_child(py, result.err());
            }
            finish(&request, &response, result);
            Ok(())
        })
    });
    if let Err(error) = outcome {
        error.write_unraisable(py, None);
    }
}

/// Starts a coroutine handler as a task of the running loop. Called in the loop's thread.
pub(crate) fn start(py: Python<'_>, context: Box<RequestContext>, asyncio_loop: &AsyncioLoop) {
    let outcome = context.into_python(py).and_then(|(request, response)| {
        let endpoint = request.get().route.endpoint.bind(py);
        let coroutine = guarded::call(endpoint, [request.as_ptr(), response.as_ptr()]);
        match coroutine.and_then(|coroutine| HandlerCoroutine::new(&coroutine, &request, &response)) {
            Ok(coroutine) => {
                let coroutine = Bound::new(py, coroutine)?;
                match asyncio_loop.start_task(py, coroutine.clone().into_any()) {
                    Ok(task) => coroutine.get().hold(task.unbind()),
                    Err(error) => coroutine.get().finish(py, Err(error)),
                }
            }
            // The handler returned no coroutine: an error of the handler like any other.
            Err(error) => finish(&request, &response, Err(error)),
        }
        Ok(())
    });
    if let Err(error) = outcome {
        error.write_unraisable(py, None);
    }
}

/// Turns what a handler returned or raised into the reply, and deletes the request's files.
pub(crate) fn finish(
    request: &Bound<'_, SlimeRequest>,
    response: &Bound<'_, SlimeResponse>,
    result: PyResult<Bound<'_, PyAny>>,
) {
    let py = request.py();
    let outcome = result.and_then(|value| SlimeResponse::accept_result(response, &value));
    if let Err(error) = outcome {
        SlimeResponse::fail(response, error);
    }
    // Before the reply: a client that has the response may count on the files being gone.
    request.get().release(py);
    SlimeResponse::send(response);
}
