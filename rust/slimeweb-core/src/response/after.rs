//! `resp.after`: functions that are called once the answer is out, or its client gone.

use std::sync::Arc;

use parking_lot::Mutex;
use pyo3::exceptions::PyTypeError;
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::PyTuple;

use super::SlimeResponse;
use super::state::{AfterState, already_started};
use crate::after::AfterGuard;
use crate::argument::describe;
use crate::request::SlimeRequest;
use crate::request::context::App;
use crate::worker::contextvars;

/// The functions of one response, in the order in which they were given.
pub(crate) struct AfterCalls {
    app: Arc<App>,
    worker_id: usize,
    request: Py<SlimeRequest>,
    /// In which they are called: that of who gave the first one.
    context: Py<PyAny>,
    /// With their arguments.
    functions: Mutex<Vec<(Py<PyAny>, Py<PyTuple>)>>,
}

impl AfterCalls {
    /// Shows them to the garbage collector.
    pub(super) fn visit(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.request)?;
        visit.call(&self.context)?;
        self.functions.try_lock().iter().flat_map(|functions| functions.iter()).try_for_each(|(function, args)| {
            visit.call(function)?;
            visit.call(args)
        })
    }

    /// Forgets the functions.
    pub(super) fn clear(&self) {
        let functions = std::mem::take(&mut *self.functions.lock());
        // After the lock: dropping them may run Python.
        drop(functions);
    }

    /// Has the functions called, by a task of the worker's loop.
    fn call(self: Arc<Self>) {
        let app = Arc::clone(&self.app);
        app.workers.call_in_loop(self.worker_id, move |py| {
            let functions = std::mem::take(&mut *self.functions.lock());
            if functions.is_empty() {
                return;
            }
            if let Err(error) = self.app.call_after.call1(py, (&self.request, functions, &self.context)) {
                error.write_unraisable(py, None);
            }
        });
    }
}

impl SlimeResponse {
    /// Adds a function to those that are called once the answer has ended. `RuntimeError` where it has.
    pub(super) fn add_after(
        slf: &Bound<'_, Self>,
        function: &Bound<'_, PyAny>,
        args: &Bound<'_, PyTuple>,
    ) -> PyResult<()> {
        let (this, py) = (slf.get(), slf.py());
        if !function.is_callable() {
            let what = describe(function);
            if function.hasattr(intern!(py, "cr_await"))? {
                // Nobody awaits it any more, which Python would warn of.
                function.call_method0(intern!(py, "close"))?;
            }
            return Err(PyTypeError::new_err(format!(
                "resp.after takes a function and its arguments, not {what}: write resp.after(function, argument)"
            )));
        }
        let calls = match this.after.get() {
            Some(calls) => calls,
            None => {
                let request = this.request.get();
                let calls = Arc::new(AfterCalls {
                    app: Arc::clone(&request.app),
                    worker_id: request.worker_id,
                    request: this.request.clone_ref(py),
                    context: contextvars::copy(py)?,
                    functions: Mutex::default(),
                });
                this.after.get_or_init(|| calls)
            }
        };
        let call = (function.clone().unbind(), args.clone().unbind());
        let state = this.state.lock();
        match state.after {
            AfterState::Open => calls.functions.lock().push(call),
            AfterState::Raised => {}
            AfterState::Over => return Err(already_started("its handler has ended")),
        }
        Ok(())
    }

    /// Something was raised: none of the functions is called.
    pub(super) fn forget_after(&self) {
        self.state.lock().after = AfterState::Raised;
        if let Some(calls) = self.after.get() {
            calls.clear();
        }
    }

    /// What has the functions called at the answer's end, where there are any. `state` is what it was at the handler's
    /// end.
    pub(super) fn after_guard(&self, state: AfterState) -> Option<AfterGuard> {
        let calls = self.after.get().filter(|_| state == AfterState::Open)?;
        let calls = Arc::clone(calls);
        Some(AfterGuard::new(move || calls.call()))
    }
}
