//! How a handler is run: from a request's parts to Python's objects, and from the handler's result to the reply.

pub(crate) mod coroutine;
mod finish;

use std::sync::Arc;

use http::StatusCode;
use pyo3::prelude::*;

use crate::error::OVERLOADED;
use crate::guarded;
use crate::reply::{InitialResponse, Reply, overloaded};
use crate::request::SlimeRequest;
use crate::request::context::RequestContext;
use crate::request::payload::Refused;
use crate::response::SlimeResponse;
use crate::route::CompiledRoute;
use crate::worker::asyncio_loop::AsyncioLoop;
use crate::worker::contextvars;
use crate::worker::work::{Work, WorkItem};
use coroutine::HandlerCoroutine;
use finish::finish;

impl Work for RequestContext {
    type Route = CompiledRoute;

    fn route(&self) -> &Arc<CompiledRoute> {
        &self.route
    }

    fn worker_id(&self) -> usize {
        self.worker_id
    }

    fn set_worker_id(&mut self, worker_id: usize) {
        self.worker_id = worker_id;
    }

    fn run_sync(self: Box<Self>, py: Python<'_>) {
        run(py, self);
    }

    fn start_async(self: Box<Self>, py: Python<'_>, asyncio_loop: &AsyncioLoop) {
        start(py, self, asyncio_loop);
    }

    fn refuse(self: Box<Self>) {
        refuse(self);
    }
}

/// Answers for a handler that there is no thread for: through the route's middleware and the application's error
/// handlers, on the worker's thread, where these have not kept it waiting before.
#[cold]
fn refuse(mut context: Box<RequestContext>) {
    let worker = Arc::clone(context.app.workers.get(context.worker_id));
    let is_first = context.initial_response.is_none();
    if let Some(route) = context.route.refusal.clone()
        && is_first
        && route.inline_policy.promote()
        && !worker.has_backup()
    {
        let refused = Refused { status: StatusCode::SERVICE_UNAVAILABLE, detail: OVERLOADED.to_owned() };
        context.refused_by(route, InitialResponse::overloaded(), refused);
        worker.post(WorkItem::SyncHandler(context));
        return;
    }
    // Without a receiver the client has gone.
    if let Some(reply) = context.reply {
        let _ = reply.send(Reply::Response(overloaded(&context.head.headers)));
    }
}

fn into_python(
    py: Python<'_>,
    mut context: Box<RequestContext>,
) -> PyResult<(Bound<'_, SlimeRequest>, Bound<'_, SlimeResponse>)> {
    let (state, reply) = (context.initial_response.take(), context.reply.take());
    let request = Bound::new(py, SlimeRequest::new(context))?;
    let response = Bound::new(py, SlimeResponse::new(request.clone().unbind(), state, reply))?;
    Ok((request, response))
}

/// Runs a synchronous handler to its end. Called by a thread of the pool, or the worker's own.
fn run(py: Python<'_>, context: Box<RequestContext>) {
    let outcome = into_python(py, context).and_then(|(request, response)| {
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
fn start(py: Python<'_>, context: Box<RequestContext>, asyncio_loop: &AsyncioLoop) {
    let outcome = into_python(py, context).and_then(|(request, response)| {
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
