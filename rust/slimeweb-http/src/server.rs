//! Starting the threads that serve.

use std::io;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, mpsc as sync_mpsc};
use std::thread;

use tokio::runtime::{Builder, Runtime};
use tokio::sync::{Semaphore, mpsc};

use crate::acceptor::{self, Desk, Load};
use crate::config::Config;
use crate::error::Error;
use crate::handle::{Handle, Running};
use crate::listener::Listener;
use crate::service::Service;
use crate::worker::Worker;

/// The way to start one.
#[derive(Debug)]
pub struct Server;

impl Server {
    /// Starts one thread per worker and one that accepts, and returns when all are there. `factory` is called on each
    /// worker's thread with the worker's number, counted from 0.
    ///
    /// # Errors
    /// [`Error::Start`] when a thread or a runtime cannot be had, or `factory` panics.
    pub fn start<S, F>(listeners: Vec<Listener>, config: Config, factory: F) -> Result<Handle, Error>
    where
        S: Service,
        F: Fn(usize) -> S + Send + Sync + 'static,
    {
        let workers = config.workers.max(1);
        let loads: Arc<[Arc<Load>]> = (0..workers).map(|_| Arc::default()).collect();
        let handle = Handle::new(Arc::clone(&loads));
        let started = start(listeners, config, factory, &handle, &loads);
        if started.is_err() {
            handle.stop();
        }
        started.map_err(Error::Start).map(|()| handle)
    }
}

fn start<S, F>(
    listeners: Vec<Listener>,
    config: Config,
    factory: F,
    handle: &Handle,
    loads: &[Arc<Load>],
) -> io::Result<()>
where
    S: Service,
    F: Fn(usize) -> S + Send + Sync + 'static,
{
    let (factory, config) = (Arc::new(factory), Arc::new(config));
    let (ready, all_ready) = sync_mpsc::channel::<io::Result<()>>();
    let mut workers = Vec::with_capacity(loads.len());
    for (number, load) in loads.iter().enumerate() {
        let (sender, arrivals) = mpsc::unbounded_channel();
        let (factory, config, load_of_worker, ready) =
            (Arc::clone(&factory), Arc::clone(&config), Arc::clone(load), ready.clone());
        spawn(format!("slime-worker-{number}"), handle.running(), ready, move |runtime, running, ready| {
            let service = factory(number);
            let worker = Worker::new(service, config, load_of_worker);
            let _ = ready.send(Ok(()));
            drop(ready);
            runtime.block_on(worker.run(arrivals, running));
        })?;
        workers.push((sender, Arc::clone(load)));
    }
    // More than the semaphore can count is no limit.
    let room = Arc::new(Semaphore::new(config.limits.connections.clamp(1, Semaphore::MAX_PERMITS)));
    let desk = Desk { workers: workers.into(), room, ids: Arc::new(AtomicU64::new(1)) };
    spawn("slime-acceptor".to_owned(), handle.running(), ready, move |runtime, running, ready| {
        let _ = ready.send(Ok(()));
        drop(ready);
        // What fails here, fails for want of file descriptors, before anything is served.
        let _ = runtime.block_on(acceptor::run(listeners, desk, running));
    })?;
    for _ in 0..=loads.len() {
        all_ready.recv().map_err(|_| io::Error::other("a worker's service could not be made"))??;
    }
    Ok(())
}

fn spawn<F>(name: String, running: Running, ready: sync_mpsc::Sender<io::Result<()>>, run: F) -> io::Result<()>
where
    F: FnOnce(&Runtime, Running, sync_mpsc::Sender<io::Result<()>>) + Send + 'static,
{
    thread::Builder::new().name(name).spawn(move || match Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => {
            let alive = running.clone();
            run(&runtime, running, ready);
            // A blocking read of a slow disk is not waited for.
            runtime.shutdown_background();
            drop(alive);
        }
        Err(error) => {
            let _ = ready.send(Err(error));
        }
    })?;
    Ok(())
}
