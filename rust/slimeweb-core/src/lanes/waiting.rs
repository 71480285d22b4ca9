//! Threads that wait for a client.
//!
//! How long that takes is up to the client, so nobody else may depend on such a thread. One of the pool does not count for the pool's
//! limit while it waits; a worker's own thread has another one serve its connections at once. There are no more threads that wait
//! than there are connections, each of which is cut when its client takes nothing for the send timeout.

use std::cell::{Cell, RefCell};
use std::sync::{Arc, Weak};

use parking_lot::Mutex;
use pyo3::prelude::*;

use super::pool::Pool;
use super::{Lanes, rescue};

/// What the calling thread is to the server.
enum Place {
    Pool(Weak<Pool>),
    Worker(Weak<Lanes>, usize),
}

thread_local! {
    static PLACE: RefCell<Option<Place>> = const { RefCell::new(None) };
    /// The calling thread has said that it waits.
    static WAITS: Cell<bool> = const { Cell::new(false) };
}

/// Said by a thread of the pool before its first work.
pub(super) fn enter_pool(pool: &Arc<Pool>) {
    PLACE.with_borrow_mut(|place| *place = Some(Place::Pool(Arc::downgrade(pool))));
}

/// Said by a thread that begins to run a worker's loop.
pub(super) fn enter_worker(lanes: &Weak<Lanes>, number: usize) {
    PLACE.with_borrow_mut(|place| *place = Some(Place::Worker(Weak::clone(lanes), number)));
}

/// The calling thread waits for a client, until this is dropped.
pub(crate) struct Waiting {
    pool: Option<Arc<Pool>>,
}

impl Waiting {
    /// To be called by the thread that is about to wait. Within another one, and on threads that are not the server's, it does
    /// nothing.
    pub(crate) fn begin() -> Self {
        if WAITS.get() {
            return Self { pool: None };
        }
        let (mut pool, mut worker) = (None, None);
        PLACE.with_borrow(|place| match place {
            Some(Place::Pool(of)) => pool = of.upgrade(),
            Some(Place::Worker(of, number)) => worker = of.upgrade().map(|lanes| (lanes, *number)),
            None => {}
        });
        if let Some((lanes, number)) = worker {
            let port = lanes.port(number);
            if port.is_here() {
                rescue::rescue(&lanes, number, port.progress());
            }
        }
        if let Some(pool) = &pool {
            pool.leave();
            WAITS.set(true);
        }
        Self { pool }
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        if let Some(pool) = self.pool.take() {
            WAITS.set(false);
            pool.come_back();
        }
    }
}

/// What `slimeweb.waiting_for_client()` gives: a context manager for one thread.
#[pyclass(frozen, module = "slimeweb._core")]
pub(crate) struct ClientWait(Mutex<Option<Waiting>>);

impl ClientWait {
    pub(crate) fn new() -> Self {
        Self(Mutex::new(None))
    }
}

#[pymethods]
impl ClientWait {
    fn __enter__(&self) {
        let waiting = Waiting::begin();
        *self.0.lock() = Some(waiting);
    }

    #[pyo3(signature = (*_exception))]
    fn __exit__(&self, _exception: &Bound<'_, pyo3::types::PyTuple>) {
        let waiting = self.0.lock().take();
        drop(waiting);
    }
}
