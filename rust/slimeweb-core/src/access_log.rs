//! The access log: one line a request, written by a thread of its own so that no request waits for a log.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use http::{Response, StatusCode};
use http_body::Body as _;
use parking_lot::Mutex;
use pyo3::prelude::*;
use slimeweb_http::{Body, is_without_content};

/// Lines that may wait to be written; beyond that they are dropped, so that no request waits for the log.
const BACKLOG: usize = 8192;

/// The status of a request whose client left before there was one.
const CLIENT_LEFT: u16 = 499;

/// In the extensions of a response whose client left before it had sent the whole request.
#[derive(Clone)]
pub(crate) struct ClientLeft;

/// One request that is over.
pub(crate) struct Access {
    pub(crate) client: String,
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) status: u16,
    /// Bytes of body that the connection has taken.
    pub(crate) size: u64,
    pub(crate) seconds: f64,
    /// Whether the body was cut short, by the client or by an error.
    pub(crate) aborted: bool,
}

/// The line of an upgraded connection, until that ends.
pub(crate) type Switched = Arc<Mutex<Option<Entry>>>;

/// A line that is written when the response ends, or when this is dropped, which happens when the client leaves.
pub(crate) struct Entry {
    log: Arc<AccessLog>,
    started: Instant,
    access: Option<Access>,
}

impl Entry {
    pub(crate) fn new(log: &Arc<AccessLog>, client: String, method: String, path: String) -> Self {
        let access = Access { client, method, path, status: CLIENT_LEFT, size: 0, seconds: 0.0, aborted: true };
        Self { log: Arc::clone(log), started: Instant::now(), access: Some(access) }
    }

    /// Follows the response to its body's end.
    pub(crate) fn follow(mut self, response: Response<Body>) -> Response<Body> {
        if response.extensions().get::<ClientLeft>().is_some() {
            self.end(0, false);
            return response;
        }
        let status = response.status();
        let Some(access) = &mut self.access else { return response };
        access.status = status.as_u16();
        if status == StatusCode::SWITCHING_PROTOCOLS
            && let Some(switched) = response.extensions().get::<Switched>().cloned()
        {
            *switched.lock() = Some(self);
            return response;
        }
        let is_bodiless = access.method == "HEAD" || is_without_content(status);
        if is_bodiless || response.body().is_end_stream() {
            self.end(0, true);
            return response;
        }
        response.map(|body| body.on_end(move |size, complete| self.end(size, complete)))
    }

    /// Writes the line of an answer that the server has given by itself.
    pub(crate) fn end_with(mut self, status: StatusCode, size: u64) {
        if let Some(access) = &mut self.access {
            access.status = status.as_u16();
        }
        self.end(size, true);
    }

    /// Writes the line. Later calls do nothing.
    pub(crate) fn end(&mut self, size: u64, complete: bool) {
        let Some(access) = self.access.take() else { return };
        let seconds = self.started.elapsed().as_secs_f64();
        self.log.record(Access { size, seconds, aborted: !complete, ..access });
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        self.end(0, false);
    }
}

/// The way to the writing thread.
pub(crate) struct AccessLog {
    /// None is the last thing that is sent.
    sender: SyncSender<Option<Access>>,
    /// Disconnected once the thread has ended.
    ended: Mutex<Receiver<()>>,
}

impl AccessLog {
    pub(crate) fn start(write: Py<PyAny>) -> std::io::Result<Self> {
        let (sender, receiver) = sync_channel(BACKLOG);
        let (ending, ended) = channel();
        thread::Builder::new().name("slime-access".to_owned()).spawn(move || run(receiver, &write, ending))?;
        Ok(Self { sender, ended: Mutex::new(ended) })
    }

    pub(crate) fn record(&self, access: Access) {
        // Full or ended: the request was answered all the same.
        let _ = self.sender.try_send(Some(access));
    }

    /// Waits until what was recorded has been written, `timeout` at most. True when the thread has ended.
    pub(crate) fn close(&self, timeout: Duration) -> bool {
        // A thread that is that far behind is not waited for.
        let _ = self.sender.try_send(None);
        let outcome = self.ended.lock().recv_timeout(timeout);
        matches!(outcome, Err(std::sync::mpsc::RecvTimeoutError::Disconnected))
    }
}

fn run(receiver: Receiver<Option<Access>>, write: &Py<PyAny>, ending: Sender<()>) {
    // A mutex only so that the borrow may cross `detach`; it is never contended.
    let receiver = Mutex::new(receiver);
    Python::attach(|py| {
        while let Some(line) = py.detach(|| receiver.lock().recv().ok().flatten()) {
            let Access { client, method, path, status, size, seconds, aborted } = line;
            if let Err(error) = write.call1(py, (client, method, path, status, size, seconds, aborted)) {
                error.write_unraisable(py, None);
            }
        }
    });
    drop(ending);
}
