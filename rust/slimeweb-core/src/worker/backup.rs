//! The watchdog: where a worker's thread is blocked by what it runs, another thread serves its connections meanwhile.
//!
//! One thread samples the progress of all workers every [`TICK`], and finds those that are at the same piece of work as
//! the last time (tokio's hand-off of a core, Go's sysmon).
//!
//! Where that is a sync function, the event loop is not involved: a *backup loop thread* runs the loop, and with it all
//! that the worker does. Where a coroutine or callback blocks the loop itself, a *backup I/O thread* drives the
//! worker's executor: it reads and answers requests, but runs no Python, and coroutines are started on the loops of
//! other workers. Sync handlers go to the pool in both cases. The worker's thread takes over again when it is
//! unblocked.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};
use std::task::Poll;
use std::thread;
use std::time::Duration;

use pyo3::prelude::*;

use super::Workers;
use super::thread::Worker;
use super::waiting::StartBackup;
use super::work::Work;

/// Between two samples of the workers: one that is at one piece of work for one to two of these is taken for blocked.
const TICK: Duration = Duration::from_millis(4);
/// Ticks without any progress after which the thread parks, until a worker wakes it.
const QUIET_TICKS: u32 = 250;

/// Ticks without progress after which a loop counts as blocked: with the GIL, coroutines are started on another
/// worker's only then.
const BLOCKED_TICKS: u32 = 25;

/// Starts the watchdog's thread, which runs for as long as `workers` lives.
pub(crate) fn watch<W: Work>(workers: &Arc<Workers<W>>) -> std::io::Result<()> {
    let weak = Arc::downgrade(workers);
    let watching = thread::Builder::new().name("slime-watchdog".to_owned()).spawn(move || run(&weak))?;
    *workers.watchdog.thread.lock() = Some(watching.thread().clone());
    Ok(())
}

impl<W: Work> StartBackup for Workers<W> {
    fn start_backup_here(self: Arc<Self>, worker_id: usize) {
        let worker = self.get(worker_id);
        if worker.is_here() {
            start_backup(&self, worker_id, worker.progress());
        }
    }
}

fn run<W: Work>(workers: &Weak<Workers<W>>) {
    // The progress of each worker, and for how many ticks it has been the same.
    let mut seen: Vec<(u64, u32)> = Vec::new();
    let mut quiet = 0;
    loop {
        {
            let Some(workers) = workers.upgrade() else { return };
            if workers.watchdog.backup_io_threads.lock().closed {
                return;
            }
            seen.resize(workers.list.len(), (0, 0));
            quiet += 1;
            for (number, (worker, (seen, looks))) in workers.list.iter().zip(&mut seen).enumerate() {
                let progress = worker.progress();
                if progress != *seen {
                    quiet = 0;
                    (*seen, *looks) = (progress, 0);
                } else if worker.is_undriven(progress) {
                    quiet = 0;
                    start_backup(&workers, number, progress);
                    *looks = looks.saturating_add(1);
                    if worker.has_backup_io() {
                        if *looks >= BLOCKED_TICKS && !worker.is_blocked() {
                            worker.set_blocked(progress);
                        }
                        // What other threads have posted since, or when no other worker could take it.
                        workers.requeue(number);
                    }
                }
            }
            if quiet > QUIET_TICKS {
                workers.watchdog.asleep.store(true, Ordering::SeqCst);
                // A worker that has made progress before it could see the flag is seen here.
                if workers.list.iter().zip(&seen).any(|(worker, (seen, _))| worker.progress() != *seen) {
                    workers.watchdog.asleep.store(false, Ordering::SeqCst);
                    quiet = 0;
                }
            }
        }
        if quiet > QUIET_TICKS {
            thread::park();
            quiet = 0;
        } else {
            thread::sleep(TICK);
        }
    }
}

/// Starts a backup thread for a worker that has been at `progress` for too long.
fn start_backup<W: Work>(workers: &Arc<Workers<W>>, number: usize, progress: u64) {
    let worker = workers.get(number);
    let mut backup_io_threads = workers.watchdog.backup_io_threads.lock();
    if backup_io_threads.closed {
        return;
    }
    let theirs = Arc::clone(workers);
    if worker.is_in_sync_call(progress) {
        if !worker.hand_off(progress) {
            return;
        }
        let run = move || run_backup_loop(theirs.get(number));
        if thread::Builder::new().name(format!("slime-backup-loop-{number}")).spawn(run).is_err() {
            // The system has no thread: the worker's connections wait.
            worker.end_handoff();
        }
    } else if !worker.has_backup_io() && worker.admit_backup_io(progress) {
        let run = move || {
            run_backup_io(&theirs, number);
            theirs.watchdog.backup_io_threads.lock().running -= 1;
            theirs.watchdog.ended.notify_all();
        };
        if thread::Builder::new().name(format!("slime-backup-io-{number}")).spawn(run).is_ok() {
            backup_io_threads.running += 1;
        } else {
            worker.release_backup_io();
        }
    }
}

fn run_backup_loop<W: Work>(worker: &Worker<W>) {
    Python::attach(|py| {
        if let Some(backup_loop) = worker.backup_loop(py)
            && let Err(error) = backup_loop.call0(py)
        {
            error.write_unraisable(py, Some(backup_loop.bind(py)));
        }
    });
    worker.end_handoff();
}

fn run_backup_io<W: Work>(workers: &Arc<Workers<W>>, number: usize) {
    workers.requeue(number);
    let worker = workers.get(number);
    worker.run_until(|_| if worker.has_backup_io() { Poll::Pending } else { Poll::Ready(()) });
}
