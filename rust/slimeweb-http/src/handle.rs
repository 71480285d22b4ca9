//! How a running server is watched and stopped.

use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::watch;

use crate::acceptor::WorkerLoad;

/// How far a server is on its way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Stage {
    Serving,
    Draining,
    Stopping,
}

#[derive(Debug)]
struct Shared {
    stage: watch::Sender<Stage>,
    threads: Mutex<usize>,
    ended: Condvar,
}

impl Shared {
    fn move_to(&self, stage: Stage) {
        self.stage.send_if_modified(|current| {
            let later = stage > *current;
            if later {
                *current = stage;
            }
            later
        });
    }
}

/// A server's remote control. Cheap to clone; usable from any thread. Dropping it stops nothing.
#[derive(Debug, Clone)]
pub struct Handle {
    shared: Arc<Shared>,
    loads: Arc<[Arc<WorkerLoad>]>,
}

impl Handle {
    pub(crate) fn new(loads: Arc<[Arc<WorkerLoad>]>) -> Self {
        let shared =
            Shared { stage: watch::Sender::new(Stage::Serving), threads: Mutex::new(0), ended: Condvar::new() };
        Self { shared: Arc::new(shared), loads }
    }

    /// Counts one more thread, until what is returned and all its clones are dropped.
    pub(crate) fn running(&self) -> Running {
        *self.shared.threads.lock().unwrap_or_else(PoisonError::into_inner) += 1;
        Running { stage: self.shared.stage.subscribe(), _thread: Arc::new(Thread(Arc::clone(&self.shared))) }
    }

    /// Begins to stop and returns at once: listeners and idle connections are closed, requests in flight may finish
    /// within [`Limits::shutdown_grace`](crate::Limits::shutdown_grace).
    pub fn shutdown(&self) {
        self.shared.move_to(Stage::Draining);
    }

    /// Drops every connection, whatever is in flight. Returns at once.
    pub fn stop(&self) {
        self.shared.move_to(Stage::Stopping);
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
        *self.shared.stage.borrow() > Stage::Serving
    }

    /// Waits for that: for connections that have left HTTP and need to say goodbye in their own way.
    pub async fn shutting_down(&self) {
        reached(&mut self.shared.stage.subscribe(), Stage::Draining).await;
    }
}

async fn reached(stage: &mut watch::Receiver<Stage>, goal: Stage) {
    // An error means that the server is gone altogether.
    let _ = stage.wait_for(|stage| *stage >= goal).await;
}

/// Held by each thread of a server while it runs.
#[derive(Debug, Clone)]
pub(crate) struct Running {
    stage: watch::Receiver<Stage>,
    _thread: Arc<Thread>,
}

impl Running {
    pub(crate) async fn shutting_down(&self) {
        reached(&mut self.stage.clone(), Stage::Draining).await;
    }

    pub(crate) async fn stopping(&self) {
        reached(&mut self.stage.clone(), Stage::Stopping).await;
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
