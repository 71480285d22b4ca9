//! One thread's share of the connections.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;
use std::task::Waker;

use tokio::sync::mpsc;
use tokio::task::LocalSet;

use crate::acceptor::{Arrival, Load};
use crate::config::Config;
use crate::connection;
use crate::handle::Running;
use crate::reaper;
use crate::service::Service;
use crate::wire::{Clock, Order, Pulse};

/// A worker before it runs. It and all that it makes stay on one thread.
pub(crate) struct Worker<S> {
    floor: Rc<Floor<S>>,
    load: Arc<Load>,
}

/// What the connections of a worker share.
pub(crate) struct Floor<S> {
    pub(crate) service: S,
    pub(crate) config: Arc<Config>,
    pub(crate) clock: Arc<Clock>,
    pub(crate) roster: Rc<Roster>,
}

/// The worker's HTTP connections, for those who give them orders.
#[derive(Default)]
pub(crate) struct Roster {
    entries: RefCell<HashMap<u64, Entry>>,
    draining: std::cell::Cell<bool>,
}

struct Entry {
    pulse: Arc<Pulse>,
    waker: Option<Waker>,
}

impl Roster {
    pub(crate) fn enter(self: &Rc<Self>, id: u64, pulse: Arc<Pulse>) -> Entered {
        if self.draining.get() {
            pulse.give(Order::Drain);
        }
        self.entries.borrow_mut().insert(id, Entry { pulse, waker: None });
        Entered { roster: Rc::clone(self), id }
    }

    pub(crate) fn is_draining(&self) -> bool {
        self.draining.get()
    }

    /// Gives each connection the order that `decide` has for it, and wakes those that got one.
    pub(crate) fn command(&self, decide: impl Fn(&Pulse) -> Option<Order>) {
        let mut told = Vec::new();
        for entry in self.entries.borrow().values() {
            if let Some(order) = decide(&entry.pulse) {
                entry.pulse.give(order);
                told.extend(entry.waker.clone());
            }
        }
        told.into_iter().for_each(Waker::wake);
    }

    fn drain(&self) {
        self.draining.set(true);
        self.command(|_| Some(Order::Drain));
    }
}

/// A connection's place in the roster.
pub(crate) struct Entered {
    roster: Rc<Roster>,
    id: u64,
}

impl Entered {
    /// Says whom to wake. Once is enough: a task's waker stays the same.
    pub(crate) fn set_waker(&self, waker: &Waker) {
        if let Some(entry) = self.roster.entries.borrow_mut().get_mut(&self.id) {
            entry.waker = Some(waker.clone());
        }
    }
}

impl Drop for Entered {
    fn drop(&mut self) {
        self.roster.entries.borrow_mut().remove(&self.id);
    }
}

impl<S: Service> Worker<S> {
    pub(crate) fn new(service: S, config: Arc<Config>, load: Arc<Load>) -> Self {
        let floor = Floor { service, config, clock: Clock::new(), roster: Rc::default() };
        Self { floor: Rc::new(floor), load }
    }

    /// Serves until the server stops, or has shut down.
    pub(crate) async fn run(self, arrivals: mpsc::UnboundedReceiver<Arrival>, running: Running) {
        let local = LocalSet::new();
        local.run_until(self.serve(arrivals, running)).await;
    }

    async fn serve(self, mut arrivals: mpsc::UnboundedReceiver<Arrival>, running: Running) {
        let Self { floor, load } = self;
        let limits = &floor.config.limits;
        let reaper =
            tokio::task::spawn_local(reaper::run(Rc::clone(&floor.roster), Arc::clone(&floor.clock), limits.clone()));
        let work = async {
            tokio::select! {
                () = running.shutting_down() => {}
                () = async {
                    while let Some(arrival) = arrivals.recv().await {
                        floor.clock.update();
                        tokio::task::spawn_local(connection::run(Rc::clone(&floor), arrival));
                    }
                } => {}
            }
            floor.roster.drain();
            // The acceptor may still be handing over what it had accepted: that is served like others in flight, and the
            // channel ends when the acceptor has.
            let emptied = async {
                while let Some(arrival) = arrivals.recv().await {
                    tokio::task::spawn_local(connection::run(Rc::clone(&floor), arrival));
                }
                while load.connections() > 0 {
                    load.none_left.notified().await;
                }
            };
            let _ = tokio::time::timeout(limits.shutdown_grace, emptied).await;
        };
        tokio::select! {
            () = running.stopping() => {}
            () = work => {}
        }
        reaper.abort();
    }
}
