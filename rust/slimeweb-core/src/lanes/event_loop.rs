//! A worker's thread: an `asyncio` loop, in whose selector the worker's connections are served.
//!
//! `asyncio` asks its selector which files are ready, and waits there. What it asks is [`LoopPort::select`]: it runs the worker's
//! [`Station`] until there is something for Python to do. Handlers are called right there, on the thread that has read the
//! request and will write the answer, inside of the running loop: no other thread is woken on the way, and `asyncio` needs no
//! turn of its own unless a coroutine has left something to do.

use std::collections::VecDeque;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd, RawFd};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock, Weak};
use std::task::{Context, Poll};
use std::thread::{self, ThreadId};
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use parking_lot::Mutex;
use pyo3::prelude::*;
use slimeweb_http::{Spawner, Station};
use tokio::io::unix::AsyncFd;
use tokio::io::{self, Interest};
use tokio::time::Sleep;

use super::Lanes;
use super::pace::SLOW;
use crate::job::{self, Job};

/// What a worker's thread may be asked to do.
pub(crate) enum Turn {
    /// Run a plain handler that is known to be fast.
    Inline(Box<Job>),
    /// Start a coroutine handler.
    Handle(Box<Job>),
    /// Call something that belongs to the loop.
    Call(Box<dyn FnOnce(Python<'_>) + Send>),
}

/// A worker, as others see it. Its inbox is bounded by what fills it: requests by the connections there may be, the rest by their
/// own windows.
pub(crate) struct Port {
    station: Station,
    inbox: Mutex<VecDeque<Turn>>,
    /// Grows with each piece of work; odd while the thread is away from the station, running Python.
    progress: AtomicU64,
    /// A stand-in has the seat.
    rescued: AtomicBool,
    thread: OnceLock<ThreadId>,
    /// The files that the loop watches, all in one.
    files: Mutex<Option<AsyncFd<OwnedFd>>>,
}

/// Why a worker's thread stops to wait.
enum Event {
    /// There are turns in the inbox.
    Work,
    /// A file that the loop watches is ready.
    Files,
    /// The time is up.
    Time,
}

/// How long a worker's thread may wait.
#[derive(Clone, Copy)]
enum Patience {
    /// For one look at the sockets.
    None,
    Until(Instant),
    Endless,
}

impl Port {
    pub(crate) fn new() -> std::io::Result<Arc<Self>> {
        Ok(Arc::new(Self {
            station: Station::new()?,
            inbox: Mutex::default(),
            progress: AtomicU64::new(1),
            rescued: AtomicBool::new(false),
            thread: OnceLock::new(),
            files: Mutex::default(),
        }))
    }

    /// Queues a turn from any thread.
    pub(crate) fn post(&self, turn: Turn) {
        self.inbox.lock().push_back(turn);
        self.spawner().nudge();
    }

    pub(crate) fn spawner(&self) -> &Spawner {
        self.station.spawner()
    }

    /// Whether the caller is this worker's own thread.
    pub(crate) fn is_here(&self) -> bool {
        self.thread.get() == Some(&thread::current().id())
    }

    pub(crate) fn progress(&self) -> u64 {
        self.progress.load(Ordering::SeqCst)
    }

    /// Whether the thread was away from the station at that point.
    pub(crate) fn is_away(&self, progress: u64) -> bool {
        // Before its first wait the thread has not begun.
        progress % 2 == 1 && progress > 1
    }

    pub(crate) fn is_rescued(&self) -> bool {
        self.rescued.load(Ordering::Acquire)
    }

    /// Opens the seat to a stand-in, unless the thread has come back since `progress`.
    pub(crate) fn let_in(&self, progress: u64) -> bool {
        self.rescued.store(true, Ordering::SeqCst);
        let away = self.progress() == progress;
        if !away {
            self.rescued.store(false, Ordering::SeqCst);
        }
        away
    }

    /// Sends the stand-in away.
    pub(crate) fn dismiss(&self) {
        self.rescued.store(false, Ordering::SeqCst);
        self.spawner().nudge();
    }

    /// Takes the seat until `until` is ready.
    pub(crate) fn drive<T>(&self, until: impl FnMut(&mut Context<'_>) -> Poll<T>) -> T {
        self.station.drive(until)
    }

    pub(crate) fn take_inbox(&self) -> VecDeque<Turn> {
        std::mem::take(&mut *self.inbox.lock())
    }

    /// Serves connections until there is something to do in Python. To be called detached.
    fn wait(&self, patience: Patience) -> Event {
        self.progress.fetch_add(1, Ordering::SeqCst);
        if self.is_rescued() {
            self.dismiss();
        }
        let mut looked = false;
        let mut sleep: Option<Pin<Box<Sleep>>> = None;
        let event = self.drive(|cx| {
            if !self.inbox.lock().is_empty() {
                return Poll::Ready(Event::Work);
            }
            if self.files_ready(cx) {
                return Poll::Ready(Event::Files);
            }
            match patience {
                Patience::None if looked => Poll::Ready(Event::Time),
                Patience::None => {
                    looked = true;
                    cx.waker().wake_by_ref();
                    Poll::Pending
                }
                Patience::Until(at) => sleep
                    .get_or_insert_with(|| Box::pin(tokio::time::sleep_until(at.into())))
                    .as_mut()
                    .poll(cx)
                    .map(|()| Event::Time),
                Patience::Endless => Poll::Pending,
            }
        });
        self.progress.fetch_add(1, Ordering::SeqCst);
        event
    }

    fn files_ready(&self, cx: &mut Context<'_>) -> bool {
        let files = self.files.lock();
        let Some(files) = &*files else { return false };
        while let Poll::Ready(Ok(mut guard)) = files.poll_read_ready(cx) {
            // tokio sees edges, the loop's own selector levels: what it has not taken yet is still there.
            if let Ok(outcome) = guard.try_io(|files| is_readable(files.get_ref())) {
                return outcome.is_ok();
            }
        }
        false
    }

    /// Does what is in the inbox now: true when some of it was the loop's.
    fn work(&self, py: Python<'_>, running: &Running) -> bool {
        let count = self.inbox.lock().len();
        let (mut of_the_loop, mut hidden) = (false, None);
        // Of the last call's end, which is when the next one begins.
        let mut clock = None;
        for _ in 0..count {
            let Some(turn) = self.inbox.lock().pop_front() else { break };
            self.progress.fetch_add(2, Ordering::Relaxed);
            let inline = matches!(turn, Turn::Inline(_));
            if inline && hidden.is_none() {
                hidden = Some(running.hide(py));
                clock = Some(Instant::now());
            } else if !inline {
                of_the_loop = true;
                hidden = None;
            }
            let ran = catch_unwind(AssertUnwindSafe(|| match turn {
                Turn::Inline(job) => {
                    let plan = Arc::clone(&job.plan);
                    job::run(py, job);
                    let now = Instant::now();
                    if clock.replace(now).is_some_and(|began| now.duration_since(began) > SLOW) {
                        plan.pace.disappoint();
                    }
                }
                Turn::Handle(job) => job::start(py, job),
                Turn::Call(call) => call(py),
            }));
            if ran.is_err() {
                // The panic hook has reported it; the request's dropped reply makes a 500.
                continue;
            }
        }
        of_the_loop
    }
}

/// Whether something can be read, as `poll(2)` has it.
fn is_readable(file: &OwnedFd) -> io::Result<()> {
    match poll(&mut [PollFd::new(file.as_fd(), PollFlags::POLLIN)], PollTimeout::ZERO) {
        Ok(0) => Err(io::ErrorKind::WouldBlock.into()),
        Ok(_) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// The loop that runs on a worker's thread, and the way to hide it.
struct Running {
    event_loop: Py<PyAny>,
    /// `asyncio._set_running_loop`.
    set: Py<PyAny>,
}

impl Running {
    /// A plain handler must not find a running loop: `asyncio.run()` and its like would refuse to work.
    fn hide<'a>(&'a self, py: Python<'a>) -> Hidden<'a> {
        self.say(py, py.None().bind(py));
        Hidden { running: self, py }
    }

    fn say(&self, py: Python<'_>, event_loop: &Bound<'_, PyAny>) {
        if let Err(error) = self.set.bind(py).call1((event_loop,)) {
            error.write_unraisable(py, None);
        }
    }
}

/// Until this is dropped there is no running loop.
struct Hidden<'a> {
    running: &'a Running,
    py: Python<'a>,
}

impl Drop for Hidden<'_> {
    fn drop(&mut self) {
        self.running.say(self.py, self.running.event_loop.bind(self.py));
    }
}

/// A worker, as its event loop's selector sees it.
#[pyclass(frozen, module = "slimeweb._core")]
pub(crate) struct LoopPort {
    port: Arc<Port>,
    lanes: Weak<Lanes>,
    running: OnceLock<Running>,
}

impl LoopPort {
    pub(crate) fn new(port: Arc<Port>, lanes: Weak<Lanes>) -> Self {
        Self { port, lanes, running: OnceLock::new() }
    }
}

#[pymethods]
impl LoopPort {
    /// Says which loop runs here, and the file descriptor that is readable when a file of that loop's is ready. To be called
    /// once, before the loop runs. `OSError` when the descriptor cannot be watched.
    fn attach(&self, event_loop: Py<PyAny>, fileno: RawFd, py: Python<'_>) -> PyResult<()> {
        let set = py.import("asyncio")?.getattr("_set_running_loop")?.unbind();
        // SAFETY: whoever calls this has the file open. The copy is this port's own.
        let files = unsafe { BorrowedFd::borrow_raw(fileno) }.try_clone_to_owned()?;
        let _entered = self.port.station.enter();
        // SAFETY: an OwnedFd is open for as long as it lives, and stays the same.
        let files = unsafe { AsyncFd::register_with_interest(files, Interest::READABLE) }.map_err(io::Error::from)?;
        *self.port.files.lock() = Some(files);
        let _ = self.running.set(Running { event_loop, set });
        Ok(())
    }

    /// Lets go of the file descriptor.
    fn detach(&self) {
        self.port.files.lock().take();
    }

    /// Serves for at most `timeout` seconds (`None`: without end): true when a file of the loop's is ready. Returns early when
    /// the loop may have something to do.
    #[pyo3(signature = (timeout))]
    fn select(&self, py: Python<'_>, timeout: Option<f64>) -> bool {
        let patience = match timeout {
            None => Patience::Endless,
            Some(seconds) => match Duration::try_from_secs_f64(seconds) {
                Ok(timeout) if !timeout.is_zero() => Patience::Until(Instant::now() + timeout),
                _ => Patience::None,
            },
        };
        self.port.thread.get_or_init(|| thread::current().id());
        loop {
            let event = py.detach(|| self.port.wait(patience));
            if let Some(lanes) = self.lanes.upgrade() {
                lanes.watch.stir();
            }
            match (event, self.running.get()) {
                (Event::Files, _) => return true,
                (Event::Time, _) | (_, None) => return false,
                (Event::Work, Some(running)) => {
                    if self.port.work(py, running) || matches!(patience, Patience::None) {
                        return false;
                    }
                }
            }
        }
    }
}
