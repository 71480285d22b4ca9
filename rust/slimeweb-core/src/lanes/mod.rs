//! Where a handler runs. The policy is here; how each lane works is in its own module.

pub(crate) mod callback;
mod clocks;
pub(crate) mod contextvars;
pub(crate) mod event_loop;
mod files;
pub(crate) mod pace;
pub(crate) mod pool;
pub(crate) mod rescue;
pub(crate) mod running;
pub(crate) mod socket;
pub(crate) mod waiting;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use pyo3::prelude::*;

use crate::request_context::RequestContext;
use event_loop::{PlainCall, Port, Turn};
use pool::Pool;
use rescue::Watch;

/// All lanes of a server: the pool that its workers share, and a thread with an event loop for each of them.
pub(crate) struct Lanes {
    pub(crate) pool: Arc<Pool>,
    pub(crate) ports: Vec<Arc<Port>>,
    pub(crate) watch: Arc<Watch>,
    /// Coroutines run on the first worker's loop. With the GIL a second loop adds no parallelism: it halves the number
    /// of callbacks that are ready at a time, and the two threads hand the GIL to and fro.
    one_loop: AtomicBool,
}

impl Drop for Lanes {
    fn drop(&mut self) {
        // There is nothing left to watch, and nobody waits for what the workers still have before them.
        self.watch.wake();
        self.ports.iter().for_each(|port| port.abandon());
    }
}

impl Lanes {
    pub(crate) fn new(pool: Arc<Pool>, ports: Vec<Arc<Port>>) -> Self {
        Self { pool, ports, watch: Arc::default(), one_loop: AtomicBool::new(false) }
    }

    /// To be called before the first request: whether the interpreter runs one thread at a time.
    pub(crate) fn set_gil_enabled(&self, enabled: bool) {
        self.one_loop.store(enabled, Ordering::Relaxed);
    }

    /// Hands a request to the lane of its route: coroutines and handlers known to be fast to a worker's thread,
    /// everything else to the pool.
    pub(crate) fn dispatch(&self, context: Box<RequestContext>) {
        if context.route.is_async {
            let preferred = if self.one_loop.load(Ordering::Relaxed) { 0 } else { context.worker };
            self.start_on(preferred, context);
            return;
        }
        let port = self.port(context.worker);
        if context.route.pace.is_inline() && !port.is_relieved() {
            port.post(Turn::Inline(context));
        } else {
            self.pool.handle(context);
        }
    }

    /// Calls a plain function as plain handlers are called. False when it will not be, since there is no thread for it.
    pub(crate) fn call(&self, worker: usize, call: PlainCall) -> bool {
        let port = self.port(worker);
        if call.route.switched_pace.is_inline() && !port.is_relieved() {
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

    /// Starts a coroutine on a worker's loop, or on another one while that is stuck.
    fn start_on(&self, preferred: usize, mut context: Box<RequestContext>) {
        context.worker = self.present(preferred);
        self.port(context.worker).post(Turn::Handle(context));
    }

    /// The worker itself, or another one whose thread is there, where there is one. Where one loop is to run all
    /// coroutines, it has a while to come back: a machine with too much to do is no reason for a second.
    fn present(&self, worker: usize) -> usize {
        let one_loop = self.one_loop.load(Ordering::Relaxed);
        let is_away = |port: &Port| if one_loop { port.is_stuck() } else { port.is_rescued() };
        let mut others = (worker..worker + self.ports.len()).filter(|&number| !is_away(self.port(number)));
        others.next().unwrap_or(worker)
    }

    /// Gives what waits for a stuck worker to others, but for what only its own loop can do.
    fn redistribute(&self, worker: usize) {
        for turn in self.port(worker).take_movable() {
            match turn {
                Turn::Inline(context) => self.pool.handle(context),
                Turn::Plain(call) => {
                    if let Err(call) = self.pool.call(call) {
                        self.port(worker).post(Turn::Plain(call));
                    }
                }
                Turn::Handle(context) => self.start_on(worker, context),
                turn @ (Turn::Call(_) | Turn::Soon(_)) => self.port(worker).post(turn),
            }
        }
    }
}
