//! A response as it is set so far.

use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;
use http::header::{
    ACCEPT_RANGES, CONTENT_DISPOSITION, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, ETAG,
    LAST_MODIFIED,
};
use http::{HeaderMap, HeaderValue, StatusCode};
use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;
use slimeweb_http::Body;

use crate::reply::InitialResponse;
use crate::response::stream::PieceSource;
use crate::response::writer::BodyWriter;
use crate::switch::{AwaitedSwitch, Candidate};

pub(super) const PLAIN: HeaderValue = HeaderValue::from_static("text/plain; charset=utf-8");
pub(super) const HTML: HeaderValue = HeaderValue::from_static("text/html; charset=utf-8");
pub(super) const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// A response as it is set so far: status, headers and body.
pub(super) struct ResponseState {
    pub(super) status: Option<StatusCode>,
    pub(super) headers: HeaderMap,
    pub(super) body: ResponseBody,
    /// Whether the Content-Type was set by name for a body that is still to come.
    pub(super) is_typed: bool,
    /// Whether a Content-Length was set by name.
    pub(super) has_length: bool,
    pub(super) head: HeadState,
    pub(super) after: AfterState,
    /// A stream of this response has failed.
    pub(super) has_failed_stream: bool,
    /// A filter has failed at the start or the end of a body that is written piece by piece.
    pub(super) has_failed_filter: bool,
    /// The cookies that befores have set, which outlast what the handler raises.
    pub(super) befores_cookies: Vec<HeaderValue>,
}

/// How far plugins are with a response's head.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum HeadState {
    Unprepared,
    BeingPrepared,
    Prepared,
}

/// Whether functions of `resp.after` are still taken.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum AfterState {
    Open,
    /// They are not called, for something was raised.
    Raised,
    /// The handler has ended.
    Over,
}

pub(super) enum ResponseBody {
    Unset,
    Empty,
    Bytes(Bytes),
    File(PathBuf),
    /// A static file that the server has found, sent unless something else becomes the body.
    StaticFile(Body),
    /// The pieces are asked for once the response is sent.
    Stream(PieceSource),
    Writer(Py<BodyWriter>),
    Switched(Candidate),
    /// The 101 has been sent, while the handler goes on.
    Upgraded(Arc<AwaitedSwitch>),
    Sent,
}

impl ResponseState {
    pub(super) fn new(initial: Option<Box<InitialResponse>>) -> Self {
        let (status, headers, file) = match initial {
            None => (None, HeaderMap::new(), None),
            Some(initial) => (Some(initial.status), initial.headers, initial.file),
        };
        Self {
            status,
            headers,
            body: file.map_or(ResponseBody::Unset, ResponseBody::StaticFile),
            is_typed: false,
            has_length: false,
            head: HeadState::Unprepared,
            after: AfterState::Open,
            has_failed_stream: false,
            has_failed_filter: false,
            befores_cookies: Vec::new(),
        }
    }
}

/// Why nothing can be changed after an awaited switch.
pub(super) const SWITCHED: &str = "the protocol has been switched";

pub(super) fn already_started(why: &str) -> PyErr {
    PyRuntimeError::new_err(format!("the response cannot be changed any more: {why}"))
}

/// Removes what is about a file that is not sent after all.
#[cold]
pub(super) fn drop_file(state: &mut ResponseState) {
    state.headers.remove(CONTENT_DISPOSITION);
    if matches!(state.body, ResponseBody::StaticFile(_)) {
        for name in [ACCEPT_RANGES, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, ETAG, LAST_MODIFIED]
        {
            state.headers.remove(name);
        }
    }
}
