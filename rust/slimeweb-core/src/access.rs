//! The access log: one line a request, written by a thread of its own so that no request waits for a log.

use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::thread;
use std::time::Duration;

use parking_lot::Mutex;
use pyo3::prelude::*;

/// Lines that may wait to be written; beyond that they are dropped rather than held against the clients.
const BACKLOG: usize = 8192;

/// One answered request.
pub(crate) struct Access {
    pub(crate) client: String,
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) status: u16,
    /// Bytes of body, where known when the head was sent; else 0.
    pub(crate) size: u64,
    pub(crate) seconds: f64,
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
    // A mutex only so that the borrow may cross `detach`; nobody else has it.
    let receiver = Mutex::new(receiver);
    Python::attach(|py| {
        while let Some(line) = py.detach(|| receiver.lock().recv().ok().flatten()) {
            let Access { client, method, path, status, size, seconds } = line;
            if let Err(error) = write.call1(py, (client, method, path, status, size, seconds)) {
                error.write_unraisable(py, None);
            }
        }
    });
    drop(ending);
}
