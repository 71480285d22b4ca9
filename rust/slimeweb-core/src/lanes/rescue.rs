//! What happens when a worker's thread does not come back from what it runs: another one serves its connections
//! meanwhile.
//!
//! One thread looks at all workers every [`TICK`], and finds those that are at the same piece of work as the last time.
//!
//! Where that is a plain function, the event loop has nothing to do with it: a *substitute* runs the loop, and with it
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

use super::Lanes;
use super::event_loop::Port;

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
    /// Starts to look, for as long as `lanes` lives.
    pub(crate) fn start(lanes: &Arc<Lanes>) -> std::io::Result<()> {
        let weak = Arc::downgrade(lanes);
        let watching = thread::Builder::new().name("slime-watch".to_owned()).spawn(move || run(&weak))?;
        *lanes.watch.thread.lock() = Some(watching.thread().clone());
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
    pub(crate) fn close(&self, lanes: &Lanes, timeout: Duration) -> bool {
        let mut stand_ins = self.stand_ins.lock();
        stand_ins.closed = true;
        for port in &lanes.ports {
            port.dismiss();
        }
        self.wake();
        !self.ended.wait_while_for(&mut stand_ins, |stand_ins| stand_ins.alive > 0, timeout).timed_out()
    }
}

fn run(lanes: &Weak<Lanes>) {
    // How far each worker was, and for how many looks it has been there.
    let mut seen: Vec<(u64, u32)> = Vec::new();
    let mut quiet = 0;
    loop {
        {
            let Some(lanes) = lanes.upgrade() else { return };
            if lanes.watch.stand_ins.lock().closed {
                return;
            }
            seen.resize(lanes.ports.len(), (0, 0));
            quiet += 1;
            for (number, (port, (seen, looks))) in lanes.ports.iter().zip(&mut seen).enumerate() {
                let progress = port.progress();
                if progress != *seen {
                    quiet = 0;
                    (*seen, *looks) = (progress, 0);
                } else if port.is_away(progress) {
                    quiet = 0;
                    rescue(&lanes, number, progress);
                    *looks = looks.saturating_add(1);
                    if port.is_rescued() {
                        if *looks >= STUCK && !port.is_stuck() {
                            port.set_stuck(progress);
                        }
                        // What other threads have posted since, or while no other worker could take it.
                        lanes.redistribute(number);
                    }
                }
            }
            if quiet > BOREDOM {
                lanes.watch.asleep.store(true, Ordering::SeqCst);
                // A worker that has left before it could see that nobody looks is seen here.
                if lanes.ports.iter().zip(&seen).any(|(port, (seen, _))| port.progress() != *seen) {
                    lanes.watch.asleep.store(false, Ordering::SeqCst);
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
pub(crate) fn rescue(lanes: &Arc<Lanes>, number: usize, progress: u64) {
    let port = lanes.port(number);
    let mut stand_ins = lanes.watch.stand_ins.lock();
    if stand_ins.closed {
        return;
    }
    let theirs = Arc::clone(lanes);
    if port.is_in_plain(progress) {
        if !port.lend(progress) {
            return;
        }
        let substitute = move || substitute(theirs.port(number));
        if thread::Builder::new().name(format!("slime-substitute-{number}")).spawn(substitute).is_err() {
            // The system has no thread to give: the worker's connections wait.
            port.give_back();
        }
    } else if !port.is_rescued() && port.let_in(progress) {
        let stand_in = move || {
            stand_in(&theirs, number);
            theirs.watch.stand_ins.lock().alive -= 1;
            theirs.watch.ended.notify_all();
        };
        if thread::Builder::new().name(format!("slime-stand-in-{number}")).spawn(stand_in).is_ok() {
            stand_ins.alive += 1;
        } else {
            port.dismiss();
        }
    }
}

fn substitute(port: &Port) {
    Python::attach(|py| {
        if let Some(substitute) = port.substitute(py)
            && let Err(error) = substitute.call0(py)
        {
            error.write_unraisable(py, Some(substitute.bind(py)));
        }
    });
    port.give_back();
}

fn stand_in(lanes: &Arc<Lanes>, number: usize) {
    lanes.redistribute(number);
    let port = lanes.port(number);
    port.run_until(|_| if port.is_rescued() { Poll::Pending } else { Poll::Ready(()) });
}
