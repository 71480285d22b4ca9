//! What plugins do to a response just before its head goes out.

use http::StatusCode;
use pyo3::prelude::*;

use super::SlimeResponse;
use super::state::{HeadState, ResponseBody};

/// The place of what such a function raises, to those who observe exceptions.
pub(super) const HEAD: &str = "head";

impl SlimeResponse {
    /// Calls the route's function for heads, where it has one and has not been called for this response. It may change
    /// status and headers. `default` is the status where none has been set and it is not 200. A stream's head goes out
    /// with its first piece.
    pub(super) fn prepare_head(slf: &Bound<'_, Self>, default: Option<StatusCode>) -> PyResult<()> {
        let this = slf.get();
        let Some(function) = &this.request.get().route.on_head else { return Ok(()) };
        {
            let mut state = this.state.lock();
            if state.head != HeadState::Unprepared || matches!(state.body, ResponseBody::Stream(_) | ResponseBody::Sent)
            {
                return Ok(());
            }
            state.head = HeadState::BeingPrepared;
            state.status = state.status.or(default);
        }
        let outcome = function.bind(slf.py()).call1((&this.request, slf));
        this.state.lock().head = HeadState::Prepared;
        outcome.map(drop)
    }
}
