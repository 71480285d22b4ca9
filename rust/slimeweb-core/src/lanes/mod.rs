//! Where a handler runs. The policy is here; how each lane works is in its own module.

pub(crate) mod context;
pub(crate) mod event_loop;
pub(crate) mod pool;

use std::sync::Arc;

use pyo3::prelude::*;

use crate::job::Job;
use event_loop::{Port, Turn};
use pool::{Full, Pool, Work};

/// All lanes of a server: the pool that its workers share, and an event loop for each of them.
pub(crate) struct Lanes {
    pub(crate) pool: Arc<Pool>,
    pub(crate) ports: Vec<Arc<Port>>,
}

impl Lanes {
    /// Hands a request to the lane of its route: coroutines to the worker's own loop, everything else to the pool.
    pub(crate) fn dispatch(&self, job: Job) -> Result<(), Full> {
        if job.plan.is_async {
            self.port(job.worker).post(Turn::Handle(Box::new(job)));
            Ok(())
        } else {
            self.pool.submit(Work::Handle(Box::new(job)))
        }
    }

    pub(crate) fn port(&self, worker: usize) -> &Arc<Port> {
        // Workers are numbered by the server that made the ports, one each.
        &self.ports[worker % self.ports.len()]
    }

    /// Calls back in the loop's thread, soon.
    pub(crate) fn in_loop(&self, worker: usize, call: impl FnOnce(Python<'_>) + Send + 'static) {
        self.port(worker).post(Turn::Call(Box::new(call)));
    }
}
