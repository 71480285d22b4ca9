//! How many connections there are, and may be.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::{Notify, OwnedSemaphorePermit};

use super::registry::ConnectionRegistry;

/// How many connections a worker has, and which.
#[derive(Debug, Default)]
pub(crate) struct WorkerLoad {
    connections: AtomicUsize,
    /// Notified when the last connection ends.
    pub(crate) none_left: Notify,
    /// The HTTP connections among them.
    pub(crate) registry: Arc<ConnectionRegistry>,
}

impl WorkerLoad {
    pub(crate) fn connections(&self) -> usize {
        self.connections.load(Ordering::Acquire)
    }
}

/// A connection's place among those that the server has room for.
#[derive(Debug)]
pub(crate) struct Permit {
    load: Arc<WorkerLoad>,
    _room: OwnedSemaphorePermit,
}

impl Permit {
    pub(crate) fn new(load: Arc<WorkerLoad>, room: OwnedSemaphorePermit) -> Self {
        load.connections.fetch_add(1, Ordering::AcqRel);
        Self { load, _room: room }
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        if self.load.connections.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.load.none_left.notify_one();
        }
    }
}
