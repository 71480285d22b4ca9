//! What a handler's side sends back to the connection's side.

use std::path::PathBuf;
use std::sync::Arc;

use http::{HeaderMap, Method, Response, StatusCode, Uri};
use slimeweb_http::Body;
use tokio::sync::oneshot;

use crate::app::CompiledApp;
use crate::route::CompiledRoute;
use crate::upgraded::Candidate;

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
    pub(crate) app: Arc<CompiledApp>,
    pub(crate) worker_id: usize,
    pub(crate) uri: Uri,
    pub(crate) path: PathBuf,
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) method: Method,
    pub(crate) conditions: HeaderMap,
}

pub(crate) struct SwitchReply {
    pub(crate) headers: HeaderMap,
    pub(crate) candidate: Candidate,
    pub(crate) route: Arc<CompiledRoute>,
    pub(crate) app: Arc<CompiledApp>,
}

/// The handler's end. Dropping it unanswered makes a 500.
pub(crate) type ReplySender = oneshot::Sender<Reply>;
