//! `AsyncioLoop`: the `asyncio` loop that runs on a worker's thread, and the functions of `asyncio` that Rust calls.

use pyo3::prelude::*;
use pyo3::types::PyDict;

/// A worker's loop.
pub(crate) struct AsyncioLoop {
    pub(super) event_loop: Py<PyAny>,
    /// `asyncio._set_running_loop`.
    set: Py<PyAny>,
    /// `asyncio._get_running_loop`.
    get: Py<PyAny>,
    /// `is_running` of the loop's class.
    is_running: Py<PyAny>,
    /// Runs the callbacks of files that are ready.
    pub(super) on_ready: Py<PyAny>,
    /// Runs the loop on a backup loop thread, the one that calls it.
    pub(super) backup_loop: Py<PyAny>,
    /// `asyncio.Task`, and what each is made with.
    task: Py<PyAny>,
    task_options: Py<PyDict>,
}

impl AsyncioLoop {
    pub(super) fn new(
        py: Python<'_>,
        event_loop: Py<PyAny>,
        on_ready: Py<PyAny>,
        backup_loop: Py<PyAny>,
    ) -> PyResult<Self> {
        let asyncio = py.import("asyncio")?;
        let task_options = PyDict::new(py);
        task_options.set_item("loop", &event_loop)?;
        if py.version_info() >= (3, 12) {
            // One that never suspends is done when it has been made. Before 3.12 each costs a turn of the loop.
            task_options.set_item("eager_start", true)?;
        }
        let is_running = event_loop.bind(py).get_type().getattr("is_running")?.unbind();
        Ok(Self {
            event_loop,
            get: asyncio.getattr("_get_running_loop")?.unbind(),
            is_running,
            set: asyncio.getattr("_set_running_loop")?.unbind(),
            on_ready,
            backup_loop,
            task: asyncio.getattr("Task")?.unbind(),
            task_options: task_options.unbind(),
        })
    }

    /// Starts a coroutine as a task. To be called in the loop's thread.
    pub(crate) fn start_task<'py>(&self, py: Python<'py>, coroutine: Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
        self.task.bind(py).call((coroutine,), Some(self.task_options.bind(py)))
    }

    /// Whether the loop runs: yes within it, else as its class has it.
    pub(super) fn is_running(&self, py: Python<'_>) -> PyResult<bool> {
        if self.get.bind(py).call0()?.is(&self.event_loop) {
            return Ok(true);
        }
        self.is_running.bind(py).call1((&self.event_loop,))?.extract()
    }

    /// Unsets the thread's running loop: with one, `asyncio.run()` and the like would refuse to work in a sync handler.
    pub(super) fn suspend_running<'a>(&'a self, py: Python<'a>) -> SuspendedRunning<'a> {
        self.set_running(py, py.None().bind(py));
        SuspendedRunning { asyncio_loop: self, py }
    }

    fn set_running(&self, py: Python<'_>, event_loop: &Bound<'_, PyAny>) {
        if let Err(error) = self.set.bind(py).call1((event_loop,)) {
            error.write_unraisable(py, None);
        }
    }
}

/// Sets the running loop again when it is dropped.
pub(super) struct SuspendedRunning<'a> {
    asyncio_loop: &'a AsyncioLoop,
    py: Python<'a>,
}

impl Drop for SuspendedRunning<'_> {
    fn drop(&mut self) {
        self.asyncio_loop.set_running(self.py, self.asyncio_loop.event_loop.bind(self.py));
    }
}
