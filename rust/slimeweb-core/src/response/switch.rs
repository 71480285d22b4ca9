//! `ProtocolSwitch`: a switch of protocol that can be awaited.

use std::sync::Arc;

use pyo3::exceptions::PyRuntimeError;
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::intern;
use pyo3::prelude::*;

use super::SlimeResponse;
use super::state::{ResponseBody, already_started};
use crate::asyncio::new_future;
use crate::reply::{Reply, SwitchReply};
use crate::switch::AwaitedSwitch;

/// What `resp.switch_protocol` gives. The protocol is switched when it is awaited, or else when the handler returns.
#[pyclass(frozen, module = "slimeweb._core")]
pub(crate) struct ProtocolSwitch {
    response: Py<SlimeResponse>,
}

impl ProtocolSwitch {
    pub(crate) fn new(response: &Bound<'_, SlimeResponse>) -> Self {
        Self { response: response.clone().unbind() }
    }
}

impl SlimeResponse {
    /// Sends the 101 now. A future of the running loop that has the transport once the protocol is connected.
    fn switch_now<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        let (this, py) = (slf.get(), slf.py());
        let request = this.request.get();
        if !(request.route.is_async && request.is_on_worker()) {
            return Err(PyRuntimeError::new_err(
                "only a coroutine handler, on its own event loop, can await resp.switch_protocol(…): return it here",
            ));
        }
        Self::prepare_head(slf, None)?;
        let future = new_future(py)?;
        let awaited = AwaitedSwitch::new(future.clone().unbind());
        if let Some(disconnect) = this.disconnect() {
            awaited.on_lost(disconnect.callback());
        }
        let (headers, candidate) = {
            let mut state = this.state.lock();
            let body = std::mem::replace(&mut state.body, ResponseBody::Upgraded(Arc::clone(&awaited)));
            let ResponseBody::Switched(mut candidate) = body else {
                // What was put there for a moment goes outside of the lock.
                let unused = std::mem::replace(&mut state.body, body);
                drop(state);
                drop(unused);
                return Err(already_started("it has been answered otherwise since resp.switch_protocol(…)"));
            };
            candidate.set_awaited(awaited);
            (std::mem::take(&mut state.headers), candidate)
        };
        let switch = SwitchReply { headers, candidate, route: Arc::clone(&request.route) };
        // Where the client has left, dropping the candidate says so.
        if let Some(sender) = this.take_reply() {
            let _ = sender.send(Reply::Switch(Box::new(switch)));
        }
        Ok(future)
    }
}

#[pymethods]
impl ProtocolSwitch {
    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.response)
    }

    fn __await__<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        SlimeResponse::switch_now(self.response.bind(py))?.call_method0(intern!(py, "__await__"))
    }
}
