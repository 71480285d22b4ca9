//! The connections of a worker, so that they can be closed.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Waker;

use super::state::{CloseMode, ConnectionState};

/// The worker's HTTP connections, so that they can be closed.
#[derive(Debug, Default)]
pub(crate) struct ConnectionRegistry {
    entries: Mutex<HashMap<u64, Entry>>,
    /// Since when, in milliseconds of the clock; 0 while the server serves.
    draining_since: AtomicU64,
}

#[derive(Debug)]
struct Entry {
    state: Arc<ConnectionState>,
    waker: Option<Waker>,
}

impl ConnectionRegistry {
    pub(crate) fn register(self: &Arc<Self>, id: u64, state: Arc<ConnectionState>) -> Registration {
        let mut entries = self.entries();
        // Under the lock: a drain after this sees the entry.
        if self.is_draining() {
            state.close(CloseMode::Drain);
        }
        entries.insert(id, Entry { state, waker: None });
        Registration { registry: Arc::clone(self), id }
    }

    pub(crate) fn is_draining(&self) -> bool {
        self.draining_since.load(Ordering::Relaxed) != 0
    }

    /// For how many milliseconds the server has been shutting down; `None` while it serves.
    pub(crate) fn draining_for(&self, now: u64) -> Option<u64> {
        let since = self.draining_since.load(Ordering::Relaxed);
        (since != 0).then(|| now.saturating_sub(since))
    }

    fn entries(&self) -> MutexGuard<'_, HashMap<u64, Entry>> {
        // Nothing that can panic runs under the lock.
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Closes each connection in the way that `decide` returns for it, and wakes those concerned.
    pub(crate) fn close_each(&self, decide: impl Fn(&ConnectionState) -> Option<CloseMode>) {
        let mut wakers = Vec::new();
        for entry in self.entries().values() {
            if let Some(close_mode) = decide(&entry.state) {
                entry.state.close(close_mode);
                wakers.extend(entry.waker.clone());
            }
        }
        wakers.into_iter().for_each(Waker::wake);
    }

    /// Requests in flight, and how many of them are answered by a stream.
    pub(crate) fn in_flight(&self) -> (usize, usize) {
        let counts = self.entries().values().map(|entry| entry.state.in_flight()).collect::<Vec<_>>();
        counts.into_iter().fold((0, 0), |sum, each| (sum.0 + each.0, sum.1 + each.1))
    }

    /// Lets every connection finish the requests that it has, and no other; those that are registered later as well.
    pub(crate) fn drain(&self, now: u64) {
        self.draining_since.store(now.max(1), Ordering::Relaxed);
        self.close_each(|_| Some(CloseMode::Drain));
    }
}

/// A connection's entry in the registry, removed when this is dropped.
pub(crate) struct Registration {
    registry: Arc<ConnectionRegistry>,
    id: u64,
}

impl Registration {
    /// Sets the task to wake when the connection is to close. Once is enough: a task's waker stays the same.
    pub(crate) fn set_waker(&self, waker: &Waker) {
        if let Some(entry) = self.registry.entries().get_mut(&self.id) {
            entry.waker = Some(waker.clone());
        }
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        self.registry.entries().remove(&self.id);
    }
}
