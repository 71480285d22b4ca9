//! The end of a request: from what its handler returned or raised to the reply.

use pyo3::prelude::*;

use crate::request::SlimeRequest;
use crate::response::SlimeResponse;

/// Turns what a handler returned or raised into the reply, and deletes the request's files.
pub(super) fn finish(
    request: &Bound<'_, SlimeRequest>,
    response: &Bound<'_, SlimeResponse>,
    result: PyResult<Bound<'_, PyAny>>,
) {
    let py = request.py();
    let outcome = result.and_then(|value| SlimeResponse::accept_result(response, &value, None));
    if let Err(error) = outcome {
        SlimeResponse::fail(response, error, "");
    }
    // Before the reply: a client that has the response may count on the files being gone. A stream may still read them.
    if !(request.get().has_files() && response.get().is_streamed()) {
        request.get().release(py);
    }
    SlimeResponse::send(response);
}
