//! Answers that have ended: told to Python by a thread of its own, so that no request waits for who wants to know.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use http::{Method, Response, StatusCode};
use http_body::Body as _;
use parking_lot::{Condvar, Mutex};
use pyo3::prelude::*;
use pyo3::types::{PyList, PyTuple};
use slimeweb_http::{Body, BodyEnd, BodyError, ConnectionCut, ConnectionInfo, is_without_content};

/// Answers that may wait to be told of; beyond that they are dropped, so that no request waits.
const BACKLOG: usize = 8192;
/// For how long the thread collects, once there is something: it is woken, and attached to Python, once for all of it.
const COLLECTING: Duration = Duration::from_millis(5);
/// Answers that are told at a time: in between other threads get the interpreter.
const BATCH: usize = 256;

/// The status of a request whose client left before there was one.
const CLIENT_LEFT: u16 = 499;
/// Stands for the method and the path of what was no request.
const NOTHING: &str = "-";

/// In the extensions of a response whose client left before it had sent the whole request.
#[derive(Clone)]
pub(crate) struct ClientLeft;

/// In the extensions of a request: its number, so that its id can be known at its end.
#[derive(Clone, Copy)]
pub(crate) struct RequestNumber(pub(crate) u64);

/// What has cut an answer.
#[derive(Clone, Copy)]
pub(crate) enum Cut {
    ClientLeft,
    /// The client has taken nothing for the send timeout.
    Timeout,
    /// The handler has failed after the head, or cut its answer.
    Aborted,
    UnreadableFile,
    ServerStopped,
}

impl Cut {
    fn name(self) -> &'static str {
        match self {
            Self::ClientLeft => "client left",
            Self::Timeout => "timeout",
            Self::Aborted => "aborted",
            Self::UnreadableFile => "unreadable file",
            Self::ServerStopped => "server stopped",
        }
    }
}

/// What a request was, for as long as its answer is not over.
pub(crate) struct Asked {
    /// The pattern of its route.
    pub(crate) route: Option<Arc<str>>,
    /// None, like the path, for what was no request.
    pub(crate) method: Option<Method>,
    pub(crate) path: Option<String>,
    pub(crate) client: String,
    pub(crate) number: u64,
}

/// One answer that is over.
struct SentResponse {
    asked: Asked,
    status: u16,
    /// Bytes of body that the connection has taken.
    sent: u64,
    seconds: f64,
    cut: Option<Cut>,
}

impl SentResponse {
    fn into_tuple<'py>(self, py: Python<'py>, token: &str) -> PyResult<Bound<'py, PyTuple>> {
        let Self { asked: Asked { route, method, path, client, number }, status, sent, seconds, cut } = self;
        let method = method.as_ref().map_or(NOTHING, Method::as_str);
        let path = path.as_deref().unwrap_or(NOTHING);
        let id = request_id(token, number);
        (route.as_deref(), method, path, status, sent, seconds, cut.map(Cut::name), client, id).into_pyobject(py)
    }
}

/// The id of a request, as it is in logs.
pub(crate) fn request_id(token: &str, number: u64) -> String {
    format!("{token}-{number:x}")
}

/// The entry of an upgraded connection, until that ends.
pub(crate) type Switched = Arc<Mutex<Option<Entry>>>;

/// An answer that is told of when it ends, or when this is dropped, which happens when the client leaves.
pub(crate) struct Entry {
    queue: Arc<SentQueue>,
    connection: Arc<ConnectionInfo>,
    started: Instant,
    status: u16,
    asked: Option<Asked>,
}

impl Entry {
    pub(crate) fn new(queue: &Arc<SentQueue>, connection: Arc<ConnectionInfo>, asked: Asked) -> Self {
        let (queue, started) = (Arc::clone(queue), Instant::now());
        Self { queue, connection, started, status: CLIENT_LEFT, asked: Some(asked) }
    }

    pub(crate) fn set_route(&mut self, pattern: &Arc<str>) {
        if let Some(asked) = &mut self.asked {
            asked.route = Some(Arc::clone(pattern));
        }
    }

    /// Follows the response to its body's end.
    pub(crate) fn follow(mut self, response: Response<Body>) -> Response<Body> {
        if response.extensions().get::<ClientLeft>().is_some() {
            self.end(0, Some(Cut::ClientLeft));
            return response;
        }
        let status = response.status();
        self.status = status.as_u16();
        if status == StatusCode::SWITCHING_PROTOCOLS
            && let Some(switched) = response.extensions().get::<Switched>().cloned()
        {
            *switched.lock() = Some(self);
            return response;
        }
        let asked_for_head = self.asked.as_ref().is_some_and(|asked| asked.method == Some(Method::HEAD));
        if asked_for_head || is_without_content(status) || response.body().is_end_stream() {
            self.end(0, None);
            return response;
        }
        response.map(|body| body.on_end(move |sent, end| self.end_with(sent, &end)))
    }

    fn end_with(&mut self, sent: u64, end: &BodyEnd) {
        let cut = match end {
            BodyEnd::Complete => None,
            BodyEnd::Failed(BodyError::File(_)) => Some(Cut::UnreadableFile),
            BodyEnd::Failed(_) => Some(Cut::Aborted),
            BodyEnd::Dropped => Some(self.why_dropped()),
        };
        self.end(sent, cut);
    }

    /// Tells of an answer that the server has given by itself.
    pub(crate) fn end_of(mut self, status: StatusCode, sent: u64) {
        self.status = status.as_u16();
        self.end(sent, None);
    }

    /// Tells of the end. Later calls do nothing.
    pub(crate) fn end(&mut self, sent: u64, cut: Option<Cut>) {
        let Some(asked) = self.asked.take() else { return };
        let seconds = self.started.elapsed().as_secs_f64();
        self.queue.push(SentResponse { asked, status: self.status, sent, seconds, cut });
    }

    /// Why nobody wants to have the rest of the answer.
    fn why_dropped(&self) -> Cut {
        match self.connection.cut() {
            None => Cut::ClientLeft,
            Some(ConnectionCut::Timeout) => Cut::Timeout,
            Some(ConnectionCut::ServerStops) => Cut::ServerStopped,
        }
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        if self.asked.is_some() {
            self.end(0, Some(self.why_dropped()));
        }
    }
}

/// The way to the thread that tells of them.
pub(crate) struct SentQueue {
    state: Mutex<State>,
    /// There is something, or the end has come.
    ready: Condvar,
    /// Held by the thread.
    ending: Mutex<Option<Sender<()>>>,
    /// Disconnected once the thread has ended.
    ended: Mutex<Receiver<()>>,
}

#[derive(Default)]
struct State {
    waiting: Vec<SentResponse>,
    dropped: u64,
    closed: bool,
}

impl SentQueue {
    pub(crate) fn new() -> Arc<Self> {
        let (ending, ended) = channel();
        Arc::new(Self {
            state: Mutex::default(),
            ready: Condvar::new(),
            ending: Mutex::new(Some(ending)),
            ended: Mutex::new(ended),
        })
    }

    /// Starts the thread, once. `on_sent` is called with a list of answers, and how many more there was no room for;
    /// `token` is what ids of requests begin with.
    pub(crate) fn start(self: &Arc<Self>, on_sent: Py<PyAny>, token: String) -> std::io::Result<()> {
        let (this, ending) = (Arc::clone(self), self.ending.lock().take());
        thread::Builder::new().name("slime-sent".to_owned()).spawn(move || this.run(&on_sent, &token, ending))?;
        Ok(())
    }

    fn push(&self, response: SentResponse) {
        let mut state = self.state.lock();
        if state.closed {
            return;
        }
        if state.waiting.len() >= BACKLOG {
            state.dropped += 1;
            return;
        }
        state.waiting.push(response);
        let is_first = state.waiting.len() == 1;
        drop(state);
        if is_first {
            self.ready.notify_one();
        }
    }

    /// Waits until all that has ended has been told, `timeout` at most. True when the thread has ended.
    pub(crate) fn close(&self, timeout: Duration) -> bool {
        self.state.lock().closed = true;
        self.ready.notify_one();
        let outcome = self.ended.lock().recv_timeout(timeout);
        matches!(outcome, Err(RecvTimeoutError::Disconnected))
    }

    /// What has ended since the last time, and how much more; None at the end.
    fn take(&self) -> Option<(Vec<SentResponse>, u64)> {
        let mut state = self.state.lock();
        self.ready.wait_while(&mut state, |state| state.waiting.is_empty() && !state.closed);
        self.ready.wait_while_for(&mut state, |state| !state.closed, COLLECTING);
        let (waiting, dropped) = (std::mem::take(&mut state.waiting), std::mem::take(&mut state.dropped));
        (!waiting.is_empty()).then_some((waiting, dropped))
    }

    fn run(&self, on_sent: &Py<PyAny>, token: &str, ending: Option<Sender<()>>) {
        while let Some((responses, mut dropped)) = self.take() {
            let mut responses = responses.into_iter();
            while responses.len() > 0 {
                let batch = responses.by_ref().take(BATCH).collect::<Vec<_>>();
                Python::attach(|py| {
                    if let Err(error) = tell(py, on_sent, token, batch, std::mem::take(&mut dropped)) {
                        error.write_unraisable(py, None);
                    }
                });
            }
        }
        drop(ending);
    }
}

fn tell(py: Python<'_>, on_sent: &Py<PyAny>, token: &str, batch: Vec<SentResponse>, dropped: u64) -> PyResult<()> {
    let responses = PyList::empty(py);
    for response in batch {
        responses.append(response.into_tuple(py, token)?)?;
    }
    on_sent.call1(py, (responses, dropped)).map(drop)
}
