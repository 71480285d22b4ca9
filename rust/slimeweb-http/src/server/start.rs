//! Starting what serves.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, mpsc as sync_mpsc};
use std::task::Poll;
use std::thread;

use tokio::runtime::Builder;
use tokio::sync::{Semaphore, mpsc};

use super::acceptor::{self, Balancer};
use super::handle::{ServerHandle, ShutdownGuard};
use super::listener::Listener;
use super::worker::Worker;
use crate::config::Config;
use crate::conn::WorkerLoad;
use crate::error::Error;
use crate::runtime::{Executor, Spawner};
use crate::service::Service;

/// The way to start one.
#[derive(Debug)]
pub struct Server;

impl Server {
    /// Starts a worker on each of the `executors`, and a thread that accepts; returns when that thread is there. The
    /// caller has to drive the executors ([`Executor::run_until`]). `factory` is called once per worker with the
    /// worker's number, counted from 0.
    ///
    /// # Errors
    /// [`Error::Start`] when a thread or a runtime cannot be had, or `factory` panics.
    pub fn start<S, F>(
        listeners: Vec<Listener>,
        config: Config,
        executors: &[Spawner],
        factory: F,
    ) -> Result<ServerHandle, Error>
    where
        S: Service,
        F: Fn(usize) -> S,
    {
        let loads: Arc<[Arc<WorkerLoad>]> = executors.iter().map(|_| Arc::default()).collect();
        let handle = ServerHandle::new(Arc::clone(&loads));
        let started = start(listeners, config, executors, factory, &handle, &loads);
        if started.is_err() {
            handle.stop();
        }
        started.map_err(Error::Start).map(|()| handle)
    }

    /// The same on threads of its own, one per worker.
    ///
    /// # Errors
    /// As [`start`](Self::start).
    pub fn start_threads<S, F>(
        listeners: Vec<Listener>,
        config: Config,
        workers: usize,
        factory: F,
    ) -> Result<ServerHandle, Error>
    where
        S: Service,
        F: Fn(usize) -> S,
    {
        let executors = (0..workers.max(1)).map(|_| Executor::new()).collect::<io::Result<Vec<_>>>();
        let executors = executors.map_err(Error::Start)?;
        let spawners = executors.iter().map(|executor| executor.spawner().clone()).collect::<Vec<_>>();
        let handle = Self::start(listeners, config, &spawners, factory)?;
        for (number, executor) in executors.into_iter().enumerate() {
            let guard = handle.shutdown_guard();
            let run = move || {
                executor.run_until(|_| if executor.spawner().is_cancelled() { Poll::Ready(()) } else { Poll::Pending });
                drop(executor);
                drop(guard);
            };
            if let Err(error) = thread::Builder::new().name(format!("slime-worker-{number}")).spawn(run) {
                handle.stop();
                return Err(Error::Start(error));
            }
        }
        Ok(handle)
    }
}

fn start<S, F>(
    listeners: Vec<Listener>,
    config: Config,
    executors: &[Spawner],
    factory: F,
    handle: &ServerHandle,
    loads: &[Arc<WorkerLoad>],
) -> io::Result<()>
where
    S: Service,
    F: Fn(usize) -> S,
{
    let config = Arc::new(config);
    let mut workers = Vec::with_capacity(loads.len());
    for (number, (load, spawner)) in loads.iter().zip(executors).enumerate() {
        let (sender, messages) = mpsc::unbounded_channel();
        let service = catch_unwind(AssertUnwindSafe(|| factory(number)))
            .map_err(|_| io::Error::other("a worker's service could not be made"))?;
        let worker = Worker::new(service, Arc::clone(&config), Arc::clone(load), spawner.clone());
        spawner.spawn(worker.run(messages, handle.shutdown_guard()));
        workers.push((sender, Arc::clone(load)));
    }
    // More than the semaphore can count is no limit.
    let room = Arc::new(Semaphore::new(config.limits.connections.clamp(1, Semaphore::MAX_PERMITS)));
    let balancer = Balancer { workers: workers.into(), room, ids: Arc::new(AtomicU64::new(1)) };
    accept(listeners, balancer, handle.shutdown_guard())
}

/// Starts the thread that accepts.
fn accept(listeners: Vec<Listener>, balancer: Balancer, guard: ShutdownGuard) -> io::Result<()> {
    let (ready, there) = sync_mpsc::channel::<io::Result<()>>();
    let run = move || match Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => {
            let _ = ready.send(Ok(()));
            // It fails only where file descriptors are exhausted, before anything is served.
            let _ = runtime.block_on(acceptor::run(listeners, balancer, guard));
        }
        Err(error) => {
            let _ = ready.send(Err(error));
        }
    };
    thread::Builder::new().name("slime-acceptor".to_owned()).spawn(run)?;
    there.recv().map_err(|_| io::Error::other("the thread that accepts has not started"))?
}
