//! The access log: one line a request, written by a thread of its own so that no request waits for a log.

use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

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

/// The sending end. The thread ends with the last of them.
pub(crate) struct AccessLog {
    sender: SyncSender<Access>,
}

impl AccessLog {
    pub(crate) fn start(write: Py<PyAny>) -> std::io::Result<Self> {
        let (sender, receiver) = sync_channel(BACKLOG);
        thread::Builder::new().name("slime-access".to_owned()).spawn(move || run(receiver, &write))?;
        Ok(Self { sender })
    }

    pub(crate) fn record(&self, access: Access) {
        // Full or ended: the request was answered all the same.
        let _ = self.sender.try_send(access);
    }
}

fn run(receiver: Receiver<Access>, write: &Py<PyAny>) {
    // A mutex only so that the borrow may cross `detach`; nobody else has it.
    let receiver = Mutex::new(receiver);
    Python::attach(|py| {
        while let Some(line) = py.detach(|| receiver.lock().recv().ok()) {
            let Access { client, method, path, status, size, seconds } = line;
            if let Err(error) = write.call1(py, (client, method, path, status, size, seconds)) {
                error.write_unraisable(py, None);
            }
        }
    });
}
