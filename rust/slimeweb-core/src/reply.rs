//! What a handler's side sends back to the connection's side, and the answers that the server gives by itself.

use std::path::PathBuf;
use std::sync::Arc;

use http::header::{
    ACCEPT, ACCEPT_RANGES, ALLOW, CONNECTION, CONTENT_ENCODING, CONTENT_TYPE, ETAG, LAST_MODIFIED, RETRY_AFTER, VARY,
};
use http::{HeaderMap, HeaderValue, Response, StatusCode};
use slimeweb_http::Body;
use slimeweb_http::header::accept;
use tokio::sync::oneshot;

use crate::after::AfterGuard;
use crate::error::OVERLOADED;
use crate::json;
use crate::route::CompiledRoute;
use crate::switch::Candidate;
use crate::worker::work::NativeCall;

/// The answer to one request.
pub(crate) enum Reply {
    /// Head and body, or a head whose body a writer goes on to fill.
    Response(Response<Body>),
    /// A file, with what of the request decides which part of it is sent.
    File(Box<FileReply>),
    /// A `101 Switching Protocols`, and who speaks from then on.
    Switch(Box<SwitchReply>),
}

pub(crate) struct FileReply {
    pub(crate) handled: Box<dyn Handled>,
    pub(crate) path: PathBuf,
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) after: Option<AfterGuard>,
}

/// A request that its handler has answered.
pub(crate) trait Handled: Send + Sync {
    fn head(&self) -> &http::request::Parts;

    /// Queues `call` for the thread of its worker's loop.
    fn call_in_loop(&self, call: NativeCall);

    /// Answers in another way, through the application's error handlers. Without a thread for them `reply` is dropped.
    fn refuse(self: Box<Self>, state: InitialResponse, reply: ReplySender);
}

pub(crate) struct SwitchReply {
    pub(crate) headers: HeaderMap,
    pub(crate) candidate: Candidate,
    pub(crate) route: Arc<CompiledRoute>,
}

/// The handler's end. Dropping it unanswered makes a 500.
pub(crate) type ReplySender = oneshot::Sender<Reply>;

/// A response of the server's own, which a handler begins with: for middleware to see and to change.
pub(crate) struct InitialResponse {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    /// The body of a static file, sent unless something else becomes the body.
    pub(crate) file: Option<Body>,
}

impl InitialResponse {
    /// A 404, a 405 with its methods, and the like.
    pub(crate) fn refusal(status: StatusCode, allow: Option<HeaderValue>) -> Self {
        let mut headers = HeaderMap::new();
        if let Some(allow) = allow {
            headers.insert(ALLOW, allow);
        }
        Self::refusal_with(status, headers)
    }

    /// An answer that the server has begun, with these fields.
    pub(crate) fn refusal_with(status: StatusCode, headers: HeaderMap) -> Self {
        Self { status, headers, file: None }
    }

    /// A 503 for a handler that there is no thread for.
    pub(crate) fn overloaded() -> Self {
        let retry = HeaderMap::from_iter([(RETRY_AFTER, HeaderValue::from_static("1"))]);
        Self::refusal_with(StatusCode::SERVICE_UNAVAILABLE, retry)
    }

    /// A file that is not sent for what the request says of it (its method, its conditions, its range).
    pub(crate) fn refused_file(response: Response<Body>) -> Self {
        let (head, _) = response.into_parts();
        let mut headers = head.headers;
        for name in [ACCEPT_RANGES, CONTENT_ENCODING, CONTENT_TYPE, ETAG, LAST_MODIFIED] {
            headers.remove(name);
        }
        Self::refusal_with(head.status, headers)
    }

    /// A static file, for middleware to add to.
    pub(crate) fn static_file(response: Response<Body>) -> Self {
        let (head, body) = response.into_parts();
        Self { status: head.status, headers: head.headers, file: Some(body) }
    }

    /// The answer as it is, to a request with these fields. For what needs no Python.
    pub(crate) fn into_response(self, asked: &HeaderMap) -> Response<Body> {
        let mut response = refusal(asked, self.status, "");
        response.headers_mut().extend(self.headers);
        response
    }
}

/// The answer when there is no thread to be had.
pub(crate) fn overloaded(asked: &HeaderMap) -> Response<Body> {
    let mut response = refusal(asked, StatusCode::SERVICE_UNAVAILABLE, OVERLOADED);
    response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("1"));
    response
}

/// The answer to OPTIONS: the methods that there are.
pub(crate) fn options(allow: HeaderValue) -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::NO_CONTENT;
    response.headers_mut().insert(ALLOW, allow);
    response
}

/// The last answer of its connection.
pub(crate) fn closing(mut response: Response<Body>) -> Response<Body> {
    response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    response
}

/// What answers a request with these fields where neither middleware nor an error handler has a part in it: a short text,
/// or a problem (RFC 9457) for who asks for JSON. `slimeweb._problem` does the same for all others.
pub(crate) fn refusal(asked: &HeaderMap, status: StatusCode, detail: &str) -> Response<Body> {
    let title = status.canonical_reason().unwrap_or("Error");
    let mut response = if names_json(asked) {
        let mut problem = Vec::from(br#"{"type":"about:blank","title":"#);
        json::write_string(&mut problem, title);
        problem.extend_from_slice(br#","status":"#);
        problem.extend_from_slice(status.as_str().as_bytes());
        if !detail.is_empty() {
            problem.extend_from_slice(br#","detail":"#);
            json::write_string(&mut problem, detail);
        }
        problem.push(b'}');
        let mut response = text(status, problem);
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        response
    } else {
        text(status, if detail.is_empty() { title.to_owned() } else { detail.to_owned() })
    };
    response.headers_mut().insert(VARY, HeaderValue::from_static("Accept"));
    response
}

/// Whether a request with these fields asks for JSON by name.
pub(crate) fn names_json(asked: &HeaderMap) -> bool {
    accept::names_json(asked.get_all(ACCEPT).iter().filter_map(|line| line.to_str().ok()))
}

/// A short plain answer.
pub(crate) fn text(status: StatusCode, body: impl Into<bytes::Bytes>) -> Response<Body> {
    let mut response = Response::new(Body::full(body));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    response
}
