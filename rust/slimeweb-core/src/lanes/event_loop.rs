//! The loop lane: a worker's `asyncio` loop, in a thread of its own.
//!
//! The worker never attaches to the interpreter to reach it. It queues a [`Turn`] and, when the loop may be asleep, makes a socket
//! readable that the loop watches; the loop's thread then drains the queue.

use std::collections::VecDeque;
use std::io::{Read, Write};
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::Mutex;
use pyo3::prelude::*;

use crate::job::{self, Job};

/// What a loop's thread may be asked to do.
pub(crate) enum Turn {
    /// Start a coroutine handler.
    Handle(Box<Job>),
    /// Call something that belongs to that loop.
    Call(Box<dyn FnOnce(Python<'_>) + Send>),
}

/// The queue to a loop. Bounded by what fills it: requests by the connections there may be, the rest by their own windows.
pub(crate) struct Port {
    queue: Mutex<VecDeque<Turn>>,
    /// A wake-up is on its way: no second one is needed.
    woken: AtomicBool,
    sender: UnixStream,
    receiver: UnixStream,
}

impl Port {
    pub(crate) fn new() -> std::io::Result<Arc<Self>> {
        let (sender, receiver) = UnixStream::pair()?;
        sender.set_nonblocking(true)?;
        receiver.set_nonblocking(true)?;
        Ok(Arc::new(Self { queue: Mutex::default(), woken: AtomicBool::new(false), sender, receiver }))
    }

    /// Queues a turn from any thread.
    pub(crate) fn post(&self, turn: Turn) {
        self.queue.lock().push_back(turn);
        if !self.woken.swap(true, Ordering::AcqRel) {
            // A full socket wakes the loop as well as one more byte would.
            let _ = (&self.sender).write(&[1]);
        }
    }

    /// Does what is queued, and what comes while that is done stays for the loop's next round.
    fn drain(&self, py: Python<'_>) {
        let mut bytes = [0; 16];
        let _ = (&self.receiver).read(&mut bytes);
        // Cleared before the queue is taken: a turn posted from here on wakes again.
        self.woken.store(false, Ordering::Release);
        let turns = std::mem::take(&mut *self.queue.lock());
        for turn in turns {
            let ran = catch_unwind(AssertUnwindSafe(|| match turn {
                Turn::Handle(job) => job::start(py, *job),
                Turn::Call(call) => call(py),
            }));
            if ran.is_err() {
                // The panic hook has reported it; the request's dropped reply makes a 500.
                continue;
            }
        }
    }
}

/// A worker's door to its event loop: readable when there is work, which `drain` then does.
#[pyclass(frozen, module = "slimeweb._core")]
pub(crate) struct LoopPort {
    port: Arc<Port>,
}

impl LoopPort {
    pub(crate) fn new(port: Arc<Port>) -> Self {
        Self { port }
    }
}

#[pymethods]
impl LoopPort {
    /// The file descriptor to watch with `loop.add_reader`.
    fn fileno(&self) -> i32 {
        self.port.receiver.as_raw_fd()
    }

    /// Does what is queued. To be called in the loop's thread.
    fn drain(&self, py: Python<'_>) {
        self.port.drain(py);
    }
}
