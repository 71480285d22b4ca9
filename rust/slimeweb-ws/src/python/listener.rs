//! Whom a connection calls: its session in Python.

use pyo3::intern;
use pyo3::prelude::*;

/// A `slimeweb_ws.listener.Listener`, and what each message needs of it.
pub(super) struct Listener {
    pub(super) object: Py<PyAny>,
    /// What the application has registered: `callbacks.message` is the function for messages.
    pub(super) callbacks: Py<PyAny>,
    /// Its `callbacks.call`: `call(function, message)` calls a function in the connection's context.
    call: Py<PyAny>,
    /// The connection's `run_callbacks`, from its opening on.
    pub(super) run_callbacks: Option<Py<PyAny>>,
}

/// What running callbacks needs of a [`Listener`].
pub(super) struct Dispatcher<'py> {
    pub(super) callbacks: Bound<'py, PyAny>,
    pub(super) call: Bound<'py, PyAny>,
}

impl Listener {
    pub(super) fn new(object: &Bound<'_, PyAny>) -> PyResult<Self> {
        let callbacks = object.getattr(intern!(object.py(), "callbacks"))?;
        let call = callbacks.getattr(intern!(object.py(), "call"))?.unbind();
        Ok(Self { object: object.clone().unbind(), callbacks: callbacks.unbind(), call, run_callbacks: None })
    }

    pub(super) fn dispatcher<'py>(&self, py: Python<'py>) -> Dispatcher<'py> {
        Dispatcher { callbacks: self.callbacks.bind(py).clone(), call: self.call.bind(py).clone() }
    }

    pub(super) fn visit(&self, visit: impl FnMut(&Py<PyAny>)) {
        [&self.object, &self.callbacks, &self.call].into_iter().chain(&self.run_callbacks).for_each(visit);
    }
}

/// The function that messages are for, unless there is none or it is a coroutine function.
pub(super) fn sync_function<'py>(callbacks: &Bound<'py, PyAny>) -> PyResult<Option<Bound<'py, PyAny>>> {
    let message: Option<(Bound<'py, PyAny>, bool)> =
        callbacks.getattr(intern!(callbacks.py(), "message"))?.extract()?;
    Ok(message.and_then(|(function, is_async)| (!is_async).then_some(function)))
}
