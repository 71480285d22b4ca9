//! What happens when a worker's thread does not come back from what it runs: another one serves its connections
//! meanwhile.
//!
//! One thread looks at all workers every [`TICK`], and finds those that are at the same piece of work as the last time.
//!
//! Where that is a sync function, the event loop has nothing to do with it: a *substitute* runs the loop, and with it
//! all that the worker does, on a thread of its own. Where it is the loop itself that does not go on, since a coroutine
//! or callback blocks it, a *stand-in* drives the worker's executor: it reads and answers requests, but runs no Python,
//! and coroutines are started on the loops of other workers. Plain handlers go to the pool in both cases. The worker's
//! thread has everything back when it comes for it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};
use std::task::Poll;
use std::thread::{self, Thread};
use std::time::Duration;

use parking_lot::{Condvar, Mutex};
use pyo3::prelude::*;

use super::Workers;
use super::event_loop::Worker;

/// Between two looks at the workers: one that is busy with one thing for one to two of these is taken for stuck.
const TICK: Duration = Duration::from_millis(4);
/// Looks without anything to see after which the thread rests, until a worker wakes it.
const BOREDOM: u32 = 250;

/// Looks after which a loop that has not gone on is stuck: with the GIL, coroutines are started on another worker's
/// only then.
const STUCK: u32 = 25;

/// The thread that looks after the workers, asleep while there is nothing to look at.
#[derive(Default)]
pub(crate) struct Watch {
    asleep: AtomicBool,
    thread: Mutex<Option<Thread>>,
    stand_ins: Mutex<StandIns>,
    /// The number of stand-ins has gone down.
    ended: Condvar,
}

#[derive(Default)]
struct StandIns {
    alive: usize,
    closed: bool,
}

impl Watch {
    /// Starts to look, for as long as `workers` lives.
    pub(crate) fn start(workers: &Arc<Workers>) -> std::io::Result<()> {
        let weak = Arc::downgrade(workers);
        let watching = thread::Builder::new().name("slime-watch".to_owned()).spawn(move || run(&weak))?;
        *workers.watch.thread.lock() = Some(watching.thread().clone());
        Ok(())
    }

    /// Said by a worker that begins to run Python.
    pub(crate) fn stir(&self) {
        if self.asleep.load(Ordering::Relaxed) && self.asleep.swap(false, Ordering::AcqRel) {
            self.wake();
        }
    }

    pub(super) fn wake(&self) {
        if let Some(thread) = &*self.thread.lock() {
            thread.unpark();
        }
    }

    /// No more rescues. Waits until the stand-ins have gone, at most `timeout`: true when they have.
    pub(crate) fn close(&self, workers: &Workers, timeout: Duration) -> bool {
        let mut stand_ins = self.stand_ins.lock();
        stand_ins.closed = true;
        for worker in &workers.list {
            worker.dismiss();
        }
        self.wake();
        !self.ended.wait_while_for(&mut stand_ins, |stand_ins| stand_ins.alive > 0, timeout).timed_out()
    }
}

fn run(workers: &Weak<Workers>) {
    // How far each worker was, and for how many looks it has been there.
    let mut seen: Vec<(u64, u32)> = Vec::new();
    let mut quiet = 0;
    loop {
        {
            let Some(workers) = workers.upgrade() else { return };
            if workers.watch.stand_ins.lock().closed {
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
                    rescue(&workers, number, progress);
                    *looks = looks.saturating_add(1);
                    if worker.is_rescued() {
                        if *looks >= STUCK && !worker.is_stuck() {
                            worker.set_stuck(progress);
                        }
                        // What other threads have posted since, or while no other worker could take it.
                        workers.redistribute(number);
                    }
                }
            }
            if quiet > BOREDOM {
                workers.watch.asleep.store(true, Ordering::SeqCst);
                // A worker that has left before it could see that nobody looks is seen here.
                if workers.list.iter().zip(&seen).any(|(worker, (seen, _))| worker.progress() != *seen) {
                    workers.watch.asleep.store(false, Ordering::SeqCst);
                    quiet = 0;
                }
            }
        }
        if quiet > BOREDOM {
            thread::park();
            quiet = 0;
        } else {
            thread::sleep(TICK);
        }
    }
}

/// Sends somebody to a worker that has been at `progress` for too long.
pub(crate) fn rescue(workers: &Arc<Workers>, number: usize, progress: u64) {
    let worker = workers.get(number);
    let mut stand_ins = workers.watch.stand_ins.lock();
    if stand_ins.closed {
        return;
    }
    let theirs = Arc::clone(workers);
    if worker.is_in_sync_call(progress) {
        if !worker.lend(progress) {
            return;
        }
        let substitute = move || substitute(theirs.get(number));
        if thread::Builder::new().name(format!("slime-substitute-{number}")).spawn(substitute).is_err() {
            // The system has no thread to give: the worker's connections wait.
            worker.give_back();
        }
    } else if !worker.is_rescued() && worker.let_in(progress) {
        let stand_in = move || {
            stand_in(&theirs, number);
            theirs.watch.stand_ins.lock().alive -= 1;
            theirs.watch.ended.notify_all();
        };
        if thread::Builder::new().name(format!("slime-stand-in-{number}")).spawn(stand_in).is_ok() {
            stand_ins.alive += 1;
        } else {
            worker.dismiss();
        }
    }
}

fn substitute(worker: &Worker) {
    Python::attach(|py| {
        if let Some(substitute) = worker.substitute(py)
            && let Err(error) = substitute.call0(py)
        {
            error.write_unraisable(py, Some(substitute.bind(py)));
        }
    });
    worker.give_back();
}

fn stand_in(workers: &Arc<Workers>, number: usize) {
    workers.redistribute(number);
    let worker = workers.get(number);
    worker.run_until(|_| if worker.is_rescued() { Poll::Pending } else { Poll::Ready(()) });
}
