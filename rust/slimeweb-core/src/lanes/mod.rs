//! Where a handler runs. The policy is here; how each lane works is in its own module.

pub(crate) mod callback;
mod clocks;
pub(crate) mod context;
pub(crate) mod event_loop;
mod files;
pub(crate) mod pace;
pub(crate) mod pool;
pub(crate) mod rescue;
pub(crate) mod running;
pub(crate) mod socket;
pub(crate) mod waiting;

use std::sync::Arc;

use pyo3::prelude::*;

use crate::job::Job;
use event_loop::{PlainCall, Port, Turn};
use pool::Pool;
use rescue::Watch;

/// All lanes of a server: the pool that its workers share, and a thread with an event loop for each of them.
pub(crate) struct Lanes {
    pub(crate) pool: Arc<Pool>,
    pub(crate) ports: Vec<Arc<Port>>,
    pub(crate) watch: Arc<Watch>,
}

impl Drop for Lanes {
    fn drop(&mut self) {
        // There is nothing left to watch, and nobody waits for what the workers still have before them.
        self.watch.wake();
        self.ports.iter().for_each(|port| port.abandon());
    }
}

impl Lanes {
    /// Hands a request to the lane of its route: coroutines and handlers known to be fast to the worker's own thread, everything
    /// else to the pool.
    pub(crate) fn dispatch(&self, mut job: Box<Job>) {
        if job.plan.is_async {
            job.worker = self.present(job.worker);
            self.port(job.worker).post(Turn::Handle(job));
            return;
        }
        let port = self.port(job.worker);
        if job.plan.pace.is_inline() && !port.is_relieved() {
            port.post(Turn::Inline(job));
        } else {
            self.pool.handle(job);
        }
    }

    /// Calls a plain function as plain handlers are called. False when it will not be, since there is no thread for it.
    pub(crate) fn call(&self, worker: usize, call: PlainCall) -> bool {
        let port = self.port(worker);
        if call.plan.switched_pace.is_inline() && !port.is_relieved() {
            port.post(Turn::Plain(call));
            return true;
        }
        self.pool.call(call).is_ok()
    }

    pub(crate) fn port(&self, worker: usize) -> &Arc<Port> {
        // Workers are numbered by the server that made the ports, one each.
        &self.ports[worker % self.ports.len()]
    }

    /// Calls back in the loop's thread, soon.
    pub(crate) fn in_loop(&self, worker: usize, call: impl FnOnce(Python<'_>) + Send + 'static) {
        self.port(worker).post(Turn::Call(Box::new(call)));
    }

    /// The worker itself, or another one whose thread is not stuck, where there is one.
    fn present(&self, worker: usize) -> usize {
        let mut others = (worker..worker + self.ports.len()).filter(|&number| !self.port(number).is_rescued());
        others.next().unwrap_or(worker)
    }

    /// Gives what waits for a stuck worker to others, but for what only its own loop can do.
    fn redistribute(&self, worker: usize) {
        for turn in self.port(worker).take_movable() {
            match turn {
                Turn::Inline(job) => self.pool.handle(job),
                Turn::Plain(call) => {
                    if let Err(call) = self.pool.call(call) {
                        self.port(worker).post(Turn::Plain(call));
                    }
                }
                Turn::Handle(mut job) => {
                    job.worker = self.present(worker);
                    self.port(job.worker).post(Turn::Handle(job));
                }
                turn @ (Turn::Call(_) | Turn::Soon(_)) => self.port(worker).post(turn),
            }
        }
    }
}
