//! The state of the watchdog: its thread, which [`super::backup`] runs, and the backup I/O threads.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::Thread;
use std::time::Duration;

use parking_lot::{Condvar, Mutex};

/// The thread that watches the workers; parked while they are idle.
#[derive(Default)]
pub(crate) struct Watchdog {
    pub(super) asleep: AtomicBool,
    pub(super) thread: Mutex<Option<Thread>>,
    pub(super) backup_io_threads: Mutex<BackupIoThreads>,
    /// The number of backup I/O threads has gone down.
    pub(super) ended: Condvar,
}

#[derive(Default)]
pub(super) struct BackupIoThreads {
    pub(super) running: usize,
    pub(super) closed: bool,
}

impl Watchdog {
    /// Called by a worker that begins to run Python: wakes the thread if it is parked.
    pub(crate) fn note_activity(&self) {
        if self.asleep.load(Ordering::Relaxed) && self.asleep.swap(false, Ordering::AcqRel) {
            self.wake();
        }
    }

    pub(super) fn wake(&self) {
        if let Some(thread) = &*self.thread.lock() {
            thread.unpark();
        }
    }

    /// Starts no more backups, and ends those there are: `release` has each worker's cease. Waits until the backup I/O
    /// threads have ended, at most `timeout`: true when they have.
    pub(super) fn close(&self, release: impl FnOnce(), timeout: Duration) -> bool {
        let mut backup_io_threads = self.backup_io_threads.lock();
        backup_io_threads.closed = true;
        release();
        self.wake();
        !self
            .ended
            .wait_while_for(&mut backup_io_threads, |backup_io_threads| backup_io_threads.running > 0, timeout)
            .timed_out()
    }
}
