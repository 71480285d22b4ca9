//! One request on its way through a lane: from Rust's parts to Python's objects, and from the handler's outcome to a reply.

use std::sync::Arc;

use http::request::Parts;
use pyo3::prelude::*;
use slimeweb_http::ConnectionInfo;
use slimeweb_http::router::Params;

use crate::bridge::overloaded;
use crate::exchange::Exchange;
use crate::lanes::context;
use crate::payload::Payload;
use crate::plan::Plan;
use crate::reply::{Reply, ReplySender};
use crate::request::SlimeRequest;
use crate::response::{Draft, SlimeResponse};
use crate::site::Site;

/// Everything a handler needs, owned, ready to cross to another thread.
pub(crate) struct Job {
    pub(crate) site: Arc<Site>,
    pub(crate) plan: Arc<Plan>,
    pub(crate) worker: usize,
    pub(crate) head: Parts,
    pub(crate) path: Option<String>,
    pub(crate) params: Params,
    pub(crate) payload: Payload,
    pub(crate) connection: Arc<ConnectionInfo>,
    pub(crate) draft: Draft,
    pub(crate) reply: ReplySender,
}

impl Job {
    /// Answers for a handler that there is no thread for.
    pub(crate) fn refuse(self: Box<Self>) {
        // Without a receiver the client has gone.
        let _ = self.reply.send(Reply::Response(overloaded()));
    }

    fn open(self, py: Python<'_>) -> PyResult<(Arc<Plan>, Bound<'_, SlimeRequest>, Bound<'_, SlimeResponse>)> {
        let request = Bound::new(
            py,
            SlimeRequest::new(
                Arc::clone(&self.site),
                Arc::clone(&self.plan),
                self.worker,
                self.head,
                self.path,
                self.params,
                self.payload,
                self.connection,
            ),
        )?;
        let response = Bound::new(py, SlimeResponse::new(request.clone().unbind(), self.draft, self.reply))?;
        Ok((self.plan, request, response))
    }
}

/// Runs a synchronous handler to its end. Called by a pool thread.
pub(crate) fn run(py: Python<'_>, job: Job) {
    let outcome = job.open(py).and_then(|(plan, request, response)| {
        context::fresh(py, || {
            let result = plan.endpoint.bind(py).call1((&request, &response));
            settle(&request, &response, result);
            Ok(())
        })
    });
    if let Err(error) = outcome {
        error.write_unraisable(py, None);
    }
}

/// Starts a coroutine handler as a task of the running loop. Called in the loop's thread.
pub(crate) fn start(py: Python<'_>, job: Job) {
    let site = Arc::clone(&job.site);
    let outcome = job.open(py).and_then(|(plan, request, response)| {
        let exchange = Bound::new(py, Exchange::new(request.clone().unbind(), response.clone().unbind()))?;
        match site.spawn.bind(py).call1((&plan.endpoint, &request, &response, &exchange)) {
            Ok(task) => exchange.get().hold(task.unbind()),
            // Not even a coroutine came of it: that is the handler's failure like any other.
            Err(error) => settle(&request, &response, Err(error)),
        }
        Ok(())
    });
    if let Err(error) = outcome {
        error.write_unraisable(py, None);
    }
}

/// Turns what a handler returned or raised into the reply, and lets go of the request's files.
pub(crate) fn settle(
    request: &Bound<'_, SlimeRequest>,
    response: &Bound<'_, SlimeResponse>,
    result: PyResult<Bound<'_, PyAny>>,
) {
    let py = request.py();
    let outcome = result.and_then(|value| SlimeResponse::accept_result(response, &value));
    if let Err(error) = outcome {
        // What has begun to go out cannot become an error page: the client is to see that it is incomplete.
        response.get().abort();
        // `into_value`, since `value` leaves the traceback behind where Python keeps it apart, before 3.12.
        let called = request.get().site.on_error.bind(py).call1((request, response, error.into_value(py)));
        if let Err(failure) = called {
            failure.write_unraisable(py, Some(request));
            response.get().set_plain_error();
        }
    }
    // Before the answer: who has it may count on the files being gone.
    request.get().release(py);
    SlimeResponse::send(response);
}
