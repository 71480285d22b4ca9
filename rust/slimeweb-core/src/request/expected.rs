//! Bodies whose client waits with them until it is asked: `Expect: 100-continue` (RFC 9110, section 10.1.1).
//!
//! Where a route has middleware in front of its handler, such a body is read once the middleware has let the request
//! pass, or asks for the body itself. A request that the middleware answers costs no upload: the client gets the answer
//! in place of the 100.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock, Weak};
use std::task::Poll;
use std::time::{Duration, Instant};

use http::header::CONTENT_TYPE;
use http::{Response, StatusCode};
use parking_lot::{Condvar, Mutex};
use pyo3::intern;
use pyo3::prelude::*;
use slimeweb_http::{Body, RequestBody};
use tokio::sync::oneshot;

use crate::app::Counters;
use crate::reply::closing;
use crate::request::body::{self, Refusal};
use crate::request::context::{RequestContext, Worker};
use crate::request::payload::{Refused, RequestPayload};
use crate::route::CompiledRoute;
use crate::sent::ClientLeft;
use crate::worker::waiting::Waiting;
use crate::worker::work::WorkItem;

/// Plain handlers that may wait for such a body at a time, each on a thread of its own. Beyond that bodies are read
/// before a thread is needed, as those of clients that do not wait.
const MOST_THREADS: usize = 64;
/// How long middleware that reads the body may keep the thread of an event loop waiting for it. That happens once a
/// route: from then on its bodies are read first.
const LOOP_PATIENCE: Duration = Duration::from_secs(5);

/// What became of a body that is read while, or after, its request is being answered.
pub(crate) struct Fate {
    /// Some of the body is left, so the connection cannot be used again.
    unread: AtomicBool,
    /// The client has left in the middle of it.
    left: AtomicBool,
}

impl Fate {
    pub(crate) fn new(unread: bool) -> Arc<Self> {
        Arc::new(Self { unread: AtomicBool::new(unread), left: AtomicBool::new(false) })
    }

    pub(crate) fn set_unread(&self, unread: bool) {
        self.unread.store(unread, Ordering::Release);
    }

    pub(crate) fn set_left(&self) {
        self.left.store(true, Ordering::Release);
    }

    /// Adds to a response what follows from it.
    pub(crate) fn conclude(&self, mut response: Response<Body>) -> Response<Body> {
        if self.left.load(Ordering::Acquire) {
            response.extensions_mut().insert(ClientLeft);
        }
        if self.unread.load(Ordering::Acquire) && response.status() != StatusCode::SWITCHING_PROTOCOLS {
            return closing(response);
        }
        response
    }
}

/// Room among the threads that may wait.
struct Slot(Arc<Counters>);

impl Slot {
    fn take(counters: &Arc<Counters>) -> Option<Self> {
        let (order, count) = (Ordering::Relaxed, &counters.expected);
        count.fetch_update(order, order, |count| (count < MOST_THREADS).then_some(count + 1)).ok()?;
        Some(Self(Arc::clone(counters)))
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.0.expected.fetch_sub(1, Ordering::Relaxed);
    }
}

/// That a request's middleware comes first, and its body after that.
pub(crate) struct Deferral {
    route: Arc<CompiledRoute>,
    slot: Option<Slot>,
}

impl Deferral {
    /// For a request whose client waits until it is asked for `body`. `None` where the body is to be read first, or
    /// refused.
    #[cold]
    pub(crate) fn of(context: &RequestContext, body: &RequestBody) -> Option<Self> {
        let route = Arc::clone(context.route.expecting.as_ref()?);
        if body.content_length().is_some_and(|length| length > route.body_size) {
            return None;
        }
        let slot = if route.is_async { None } else { Some(Slot::take(&context.app.counters)?) };
        Some(Self { route, slot })
    }

    /// Makes the body wait.
    pub(crate) fn begin(self, context: &mut RequestContext, body: RequestBody) -> Arc<Expected> {
        context.route = self.route;
        let expected = Arc::new(Expected {
            worker_id: context.worker_id,
            state: Mutex::new(State::Waiting(body)),
            arrived: Condvar::new(),
            outcome: OnceLock::new(),
            fate: Fate::new(true),
            _slot: self.slot,
        });
        context.payload = RequestPayload::Expected(Arc::clone(&expected));
        expected
    }
}

/// A body that is not read before it is needed.
pub(crate) struct Expected {
    /// That of the connection.
    worker_id: usize,
    state: Mutex<State>,
    /// There is an outcome.
    arrived: Condvar,
    outcome: OnceLock<Result<RequestPayload, Refused>>,
    fate: Arc<Fate>,
    _slot: Option<Slot>,
}

enum State {
    Waiting(RequestBody),
    Reading(Reading),
    Done,
}

struct Reading {
    /// Futures to resolve at the end, each in the thread of its loop.
    futures: Vec<(Arc<Worker>, Py<PyAny>)>,
    /// Dropped with the request: then nobody needs the body.
    _needed: oneshot::Sender<()>,
}

impl Expected {
    /// Ends the waiting with the response: a body that has not been asked for by then is not taken.
    pub(crate) fn conclude(&self, response: Response<Body>) -> Response<Body> {
        let is_waiting = matches!(*self.state.lock(), State::Waiting(_));
        if is_waiting {
            self.complete(Err(late()));
        }
        self.fate.conclude(response)
    }

    /// What has been read; `None` before that, and where it failed.
    pub(crate) fn get(&self) -> Option<&RequestPayload> {
        self.outcome.get()?.as_ref().ok()
    }

    /// What has been read, which the calling thread waits for. An error is why there is nothing.
    pub(crate) fn wait(self: &Arc<Self>, py: Python<'_>, context: &RequestContext) -> PyResult<&RequestPayload> {
        if self.outcome.get().is_none() {
            let on_loop = context.route.is_async && context.app.workers.get(context.worker_id).is_here();
            if on_loop {
                context.route.body_first.store(true, Ordering::Release);
            }
            py.detach(|| {
                self.read(context);
                let _waiting = Waiting::begin();
                self.block(on_loop.then(|| Instant::now() + LOOP_PATIENCE));
            });
        }
        match self.outcome.get() {
            Some(Ok(payload)) => Ok(payload),
            Some(Err(refused)) => Err(refused.error()),
            None => Err(late().error()),
        }
    }

    fn block(&self, deadline: Option<Instant>) {
        let mut state = self.state.lock();
        while self.outcome.get().is_none() {
            match deadline {
                None => self.arrived.wait(&mut state),
                Some(deadline) if self.arrived.wait_until(&mut state, deadline).timed_out() => return,
                Some(_) => {}
            }
        }
    }

    /// Resolves `future`, of the loop that runs in this thread, with `None` once the body has been read or that has
    /// failed.
    pub(crate) fn tell(self: &Arc<Self>, context: &RequestContext, future: &Bound<'_, PyAny>) -> PyResult<()> {
        self.read(context);
        if let State::Reading(reading) = &mut *self.state.lock() {
            let worker = Arc::clone(context.app.workers.get(context.worker_id));
            reading.futures.push((worker, future.clone().unbind()));
            return Ok(());
        }
        resolve(future)
    }

    /// Begins to read, unless that has been done.
    fn read(self: &Arc<Self>, context: &RequestContext) {
        let (needed, not_needed) = oneshot::channel();
        let body = {
            let mut state = self.state.lock();
            if !matches!(*state, State::Waiting(_)) {
                return;
            }
            let reading = State::Reading(Reading { futures: Vec::new(), _needed: needed });
            let State::Waiting(body) = std::mem::replace(&mut *state, reading) else { return };
            body
        };
        let (app, route, worker_id) = (Arc::clone(&context.app), Arc::clone(&context.route), self.worker_id);
        let kind = context.head.headers.get(CONTENT_TYPE).cloned();
        let asked = format!("{} {}", context.head.method, context.head.uri.path());
        // Made here, so that a task that is dropped before it has run ends the waiting as well.
        let end = End { expected: Arc::downgrade(self), outcome: None };
        context.app.workers.get(worker_id).spawner().spawn(async move {
            let mut end = end;
            let mut reading = pin!(body::read(&app, worker_id, &route, kind.as_ref(), body));
            let mut not_needed = pin!(not_needed);
            end.outcome = poll_fn(|cx| {
                if let Poll::Ready(outcome) = reading.as_mut().poll(cx) {
                    return Poll::Ready(Some(outcome));
                }
                not_needed.as_mut().poll(cx).map(|_| None)
            })
            .await;
            if let Some(Err(Refusal::Form(error))) = &end.outcome {
                body::log_unstored(&app, worker_id, &asked, error);
            }
        });
    }

    fn complete(&self, outcome: Result<RequestPayload, Refused>) {
        let _ = self.outcome.set(outcome);
        let state = std::mem::replace(&mut *self.state.lock(), State::Done);
        self.arrived.notify_all();
        // Anything else goes here, after the lock: what is left of a body that has not been asked for is looked after
        // in the background.
        let State::Reading(reading) = state else { return };
        for (worker, future) in reading.futures {
            worker.post(WorkItem::LoopCall(Box::new(move |py| {
                if let Err(error) = resolve(future.bind(py)) {
                    error.write_unraisable(py, None);
                }
            })));
        }
    }
}

/// Tells those who wait of the end, whatever it is, when it is dropped.
struct End {
    expected: Weak<Expected>,
    outcome: Option<Result<RequestPayload, Refusal>>,
}

impl Drop for End {
    fn drop(&mut self) {
        let Some(expected) = self.expected.upgrade() else { return };
        expected.complete(match self.outcome.take() {
            Some(Ok(payload)) => {
                expected.fate.set_unread(false);
                Ok(payload)
            }
            Some(Err(refusal)) => {
                if refusal.is_disconnected() {
                    expected.fate.set_left();
                }
                Err(refusal.into_refused())
            }
            None => Err(late()),
        });
    }
}

/// The answer where the body cannot be waited for any longer.
fn late() -> Refused {
    let detail = "Service Unavailable: the request body could not be waited for, send the request again".to_owned();
    Refused { status: StatusCode::SERVICE_UNAVAILABLE, detail }
}

/// Gives a future its result, unless its task has been cancelled.
fn resolve(future: &Bound<'_, PyAny>) -> PyResult<()> {
    let py = future.py();
    if !future.call_method0(intern!(py, "done"))?.is_truthy()? {
        future.call_method1(intern!(py, "set_result"), (py.None(),))?;
    }
    Ok(())
}
