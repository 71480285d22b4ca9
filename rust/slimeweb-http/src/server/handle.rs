//! `ServerHandle`: inspects a running server and stops it.

use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::watch;

use crate::conn::WorkerLoad;

/// The phases of a server, in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Phase {
    Serving,
    Draining,
    Stopping,
}

#[derive(Debug)]
struct Shared {
    phase: watch::Sender<Phase>,
    threads: Mutex<usize>,
    ended: Condvar,
}

impl Shared {
    fn advance_to(&self, phase: Phase) {
        self.phase.send_if_modified(|current| {
            let later = phase > *current;
            if later {
                *current = phase;
            }
            later
        });
    }
}

/// Inspects a running server and stops it. Cheap to clone; usable from any thread. Dropping it stops nothing.
#[derive(Debug, Clone)]
pub struct ServerHandle {
    shared: Arc<Shared>,
    loads: Arc<[Arc<WorkerLoad>]>,
}

impl ServerHandle {
    pub(crate) fn new(loads: Arc<[Arc<WorkerLoad>]>) -> Self {
        let shared =
            Shared { phase: watch::Sender::new(Phase::Serving), threads: Mutex::new(0), ended: Condvar::new() };
        Self { shared: Arc::new(shared), loads }
    }

    /// Counts one more thread, until the guard and all its clones are dropped.
    pub(crate) fn shutdown_guard(&self) -> ShutdownGuard {
        *self.shared.threads.lock().unwrap_or_else(PoisonError::into_inner) += 1;
        ShutdownGuard { phase: self.shared.phase.subscribe(), _thread: Arc::new(Thread(Arc::clone(&self.shared))) }
    }

    /// Begins to stop and returns at once: listeners and idle connections are closed, requests in flight may finish
    /// within [`Limits::shutdown_grace`](crate::Limits::shutdown_grace).
    pub fn shutdown(&self) {
        self.shared.advance_to(Phase::Draining);
    }

    /// Drops every connection, whatever is in flight. Returns at once.
    pub fn stop(&self) {
        self.shared.advance_to(Phase::Stopping);
    }

    /// Blocks until all threads have ended, at most for `timeout`: true when they have.
    #[must_use]
    pub fn wait(&self, timeout: Option<Duration>) -> bool {
        let deadline = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
        let mut threads = self.shared.threads.lock().unwrap_or_else(PoisonError::into_inner);
        while *threads > 0 {
            threads = match deadline {
                None => self.shared.ended.wait(threads).unwrap_or_else(PoisonError::into_inner),
                Some(deadline) => {
                    let left = deadline.saturating_duration_since(Instant::now());
                    if left.is_zero() {
                        return false;
                    }
                    self.shared.ended.wait_timeout(threads, left).unwrap_or_else(PoisonError::into_inner).0
                }
            };
        }
        true
    }

    /// Connections open now, upgraded ones included.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.loads.iter().map(|load| load.connections()).sum()
    }

    /// Requests in flight now, and how many of them are answered by a body of unknown length.
    #[must_use]
    pub fn in_flight(&self) -> (usize, usize) {
        let counts = self.loads.iter().map(|load| load.registry.in_flight());
        counts.fold((0, 0), |sum, each| (sum.0 + each.0, sum.1 + each.1))
    }

    /// Whether the server has begun to stop.
    #[must_use]
    pub fn is_shutting_down(&self) -> bool {
        *self.shared.phase.borrow() > Phase::Serving
    }

    /// Waits for that: for connections that have left HTTP and close by their own protocol.
    pub async fn shutting_down(&self) {
        reached(&mut self.shared.phase.subscribe(), Phase::Draining).await;
    }
}

async fn reached(phase: &mut watch::Receiver<Phase>, goal: Phase) {
    // An error means that the server is gone altogether.
    let _ = phase.wait_for(|phase| *phase >= goal).await;
}

/// Held by each thread of a server while it runs: `wait` waits until all are dropped. Resolves when to stop.
#[derive(Debug, Clone)]
pub(crate) struct ShutdownGuard {
    phase: watch::Receiver<Phase>,
    _thread: Arc<Thread>,
}

impl ShutdownGuard {
    pub(crate) async fn shutting_down(&self) {
        reached(&mut self.phase.clone(), Phase::Draining).await;
    }

    pub(crate) async fn stopping(&self) {
        reached(&mut self.phase.clone(), Phase::Stopping).await;
    }
}

#[derive(Debug)]
struct Thread(Arc<Shared>);

impl Drop for Thread {
    fn drop(&mut self) {
        *self.0.threads.lock().unwrap_or_else(PoisonError::into_inner) -= 1;
        self.0.ended.notify_all();
    }
}
