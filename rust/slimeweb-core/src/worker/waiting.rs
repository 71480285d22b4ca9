//! Threads that wait for a client.
//!
//! How long that takes is up to the client, so nothing else may depend on such a thread. One of the pool does not count
//! for the pool's limit while it waits; a worker's own thread is replaced by a backup thread at once. There are
//! no more threads that wait than there are connections, each of which is cut when its client takes nothing for the
//! send timeout.

use std::cell::{Cell, RefCell};
use std::sync::{Arc, Weak};

use parking_lot::Mutex;
use pyo3::prelude::*;

use super::work::CallInPool;

/// A pool, one of whose threads waits for its client. Called by that thread.
pub(super) trait Absence: CallInPool {
    /// The calling thread waits from now on.
    fn leave(self: Arc<Self>);

    /// It has waited long enough.
    fn come_back(&self);
}

/// The workers, one of whose threads waits for a client.
pub(crate) trait StartBackup: CallInPool {
    /// Starts a backup thread for a worker, if the caller is the thread that runs its loop.
    fn start_backup_here(self: Arc<Self>, worker_id: usize);
}

/// What the calling thread does for the server.
enum ThreadRole {
    Pool(Weak<dyn Absence>),
    Worker(Weak<dyn StartBackup>, usize),
}

thread_local! {
    static ROLE: RefCell<Option<ThreadRole>> = const { RefCell::new(None) };
    /// The calling thread is marked as waiting.
    static IS_WAITING: Cell<bool> = const { Cell::new(false) };
}

/// Called by a thread of the pool before its first work.
pub(super) fn enter_pool(pool: &Arc<dyn Absence>) {
    ROLE.with_borrow_mut(|role| *role = Some(ThreadRole::Pool(Arc::downgrade(pool))));
}

/// Called by a thread that begins to run a worker's loop.
pub(super) fn enter_worker(workers: &Weak<dyn StartBackup>, number: usize) {
    ROLE.with_borrow_mut(|role| *role = Some(ThreadRole::Worker(Weak::clone(workers), number)));
}

/// Whether the calling thread is one of a pool's.
pub(crate) fn is_in_pool() -> bool {
    ROLE.with_borrow(|role| matches!(role, Some(ThreadRole::Pool(_))))
}

/// The pool of the server that the calling thread works for. None on a thread that is not the server's.
pub(crate) fn pool() -> Option<Arc<dyn CallInPool>> {
    ROLE.with_borrow(|role| match role {
        Some(ThreadRole::Pool(pool)) => pool.upgrade().map(|pool| pool as Arc<dyn CallInPool>),
        Some(ThreadRole::Worker(workers, _)) => workers.upgrade().map(|workers| workers as Arc<dyn CallInPool>),
        None => None,
    })
}

/// The calling thread waits for a client, until this is dropped.
pub(crate) struct Waiting {
    pool: Option<Arc<dyn Absence>>,
}

impl Waiting {
    /// To be called by the thread that is about to wait. Within another one, and on threads that are not the server's,
    /// it does nothing.
    pub(crate) fn begin() -> Self {
        if IS_WAITING.get() {
            return Self { pool: None };
        }
        let (mut pool, mut worker_id) = (None, None);
        ROLE.with_borrow(|role| match role {
            Some(ThreadRole::Pool(of)) => pool = of.upgrade(),
            Some(ThreadRole::Worker(of, number)) => worker_id = of.upgrade().map(|workers| (workers, *number)),
            None => {}
        });
        if let Some((workers, number)) = worker_id {
            workers.start_backup_here(number);
        }
        if let Some(pool) = &pool {
            Arc::clone(pool).leave();
            IS_WAITING.set(true);
        }
        Self { pool }
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        if let Some(pool) = self.pool.take() {
            IS_WAITING.set(false);
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
