//! `RequestContext`: one request with everything that a handler needs.

use std::sync::Arc;

use http::request::Parts;
use slimeweb_http::ConnectionInfo;
use slimeweb_http::router::Params;

use crate::app::CompiledApp;
use crate::reply::{InitialResponse, ReplySender};
use crate::request::Parsed;
use crate::request::payload::{Refused, RequestPayload};
use crate::route::CompiledRoute;
use crate::worker;

/// The application that requests come to.
pub(crate) type App = CompiledApp<RequestContext>;
/// The workers that run their handlers.
pub(crate) type Workers = worker::Workers<RequestContext>;
pub(crate) type Worker = worker::thread::Worker<RequestContext>;

/// One request with everything that a handler needs, ready to be sent to another thread. Always boxed, so that handing
/// it on, to Python as well, moves a pointer.
pub(crate) struct RequestContext {
    pub(crate) app: Arc<App>,
    pub(crate) route: Arc<CompiledRoute>,
    pub(crate) worker_id: usize,
    pub(crate) head: Parts,
    /// The decoded path where it differs from the raw one.
    pub(crate) path: Option<String>,
    pub(crate) path_params: Params,
    pub(crate) payload: RequestPayload,
    pub(crate) parsed: Parsed,
    pub(crate) connection: Arc<ConnectionInfo>,
    /// The response that the handler begins with, where it is not an empty one.
    pub(crate) initial_response: Option<Box<InitialResponse>>,
    /// None until the service awaits it.
    pub(crate) reply: Option<ReplySender>,
}

impl RequestContext {
    pub(crate) fn new(
        app: &Arc<App>,
        route: Arc<CompiledRoute>,
        worker_id: usize,
        head: Parts,
        connection: Arc<ConnectionInfo>,
    ) -> Box<Self> {
        Box::new(Self {
            app: Arc::clone(app),
            route,
            worker_id,
            head,
            path: None,
            path_params: Params::default(),
            payload: RequestPayload::Empty,
            parsed: Parsed::new(),
            connection,
            initial_response: None,
            reply: None,
        })
    }

    /// Makes it the request of a route that answers in place of the handler: `state` is the response that it begins
    /// with.
    pub(crate) fn refused_by(&mut self, route: Arc<CompiledRoute>, state: InitialResponse, refused: Refused) {
        self.route = route;
        self.initial_response = Some(Box::new(state));
        self.payload = RequestPayload::Refused(Box::new(refused));
    }
}
