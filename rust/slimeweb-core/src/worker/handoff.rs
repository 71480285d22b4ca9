//! Which thread runs a worker's loop: its own, or a backup thread while that is blocked by a sync function.

use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::{Condvar, Mutex};

#[derive(Clone, Copy, PartialEq)]
enum Runner {
    /// The worker's own thread.
    Own,
    /// A backup loop thread.
    Backup,
    /// A backup loop thread, which the worker's own thread waits for.
    Recalled,
}

/// Hands a loop from one thread to the other and back.
pub(super) struct Handoff {
    runner: Mutex<Runner>,
    /// Whether `runner` is anything but `Own`.
    is_active: AtomicBool,
    ended: Condvar,
}

impl Handoff {
    pub(super) fn new() -> Self {
        Self { runner: Mutex::new(Runner::Own), is_active: AtomicBool::new(false), ended: Condvar::new() }
    }

    /// Whether a backup loop thread runs the loop.
    pub(super) fn is_active(&self) -> bool {
        self.is_active.load(Ordering::Acquire)
    }

    /// Hands the loop off, unless that has been done or `may_leave`, which is asked under the lock, says no.
    pub(super) fn begin(&self, may_leave: impl FnOnce() -> bool) -> bool {
        let mut runner = self.runner.lock();
        if *runner != Runner::Own || !may_leave() {
            return false;
        }
        *runner = Runner::Backup;
        self.is_active.store(true, Ordering::Release);
        true
    }

    /// The backup loop thread has left the loop.
    pub(super) fn end(&self) {
        *self.runner.lock() = Runner::Own;
        self.is_active.store(false, Ordering::Release);
        self.ended.notify_all();
    }

    /// Whether the worker's own thread waits for the loop.
    pub(super) fn is_recalled(&self) -> bool {
        self.is_active() && *self.runner.lock() == Runner::Recalled
    }

    /// Waits until the backup loop thread has left the loop; `wake` has it look. To be called detached, by the worker's
    /// own thread.
    pub(super) fn reclaim(&self, wake: impl FnOnce()) {
        let mut runner = self.runner.lock();
        if *runner == Runner::Backup {
            *runner = Runner::Recalled;
            wake();
        }
        self.ended.wait_while(&mut runner, |runner| *runner != Runner::Own);
    }
}
