//! Requests that no route matches: static files, the fallback, and answers that need no handler.

use std::sync::Arc;

use http::{HeaderValue, Method, Response, StatusCode};
use slimeweb_http::{Body, ConnectionInfo, RequestBody};

use super::file::log_unread;
use super::{PythonService, ResponseFuture};
use crate::reply::{InitialResponse, closing, options, refusal};
use crate::request::context::RequestContext;
use crate::request::payload::Refused;
use crate::route::CompiledRoute;
use crate::worker::work::CallInLoop;

impl PythonService {
    /// Answers what no route matches: through the fallback where there is one.
    pub(super) fn refuse(
        self: &Arc<Self>,
        state: InitialResponse,
        head: http::request::Parts,
        body: RequestBody,
        connection: Arc<ConnectionInfo>,
    ) -> ResponseFuture {
        self.refuse_by(self.app.fallback.clone(), state, head, body, connection)
    }

    pub(super) fn refuse_by(
        self: &Arc<Self>,
        route: Option<Arc<CompiledRoute>>,
        state: InitialResponse,
        head: http::request::Parts,
        body: RequestBody,
        connection: Arc<ConnectionInfo>,
    ) -> ResponseFuture {
        body.discard();
        match route {
            Some(route) => {
                let mut context = RequestContext::new(&self.app, route, self.worker_id, head, connection);
                context.initial_response = Some(Box::new(state));
                self.run(context)
            }
            None => ResponseFuture::ready(state.into_response(&head.headers)),
        }
    }

    /// Answers for a request that is wrong in itself, whatever its path: as `refuse`, with a reason.
    pub(super) fn refuse_because(
        self: &Arc<Self>,
        refused: Refused,
        head: http::request::Parts,
        connection: Arc<ConnectionInfo>,
    ) -> ResponseFuture {
        let Some(route) = &self.app.fallback else {
            return ResponseFuture::ready(refusal(&head.headers, refused.status, &refused.detail));
        };
        let mut context = RequestContext::new(&self.app, Arc::clone(route), self.worker_id, head, connection);
        context.refused_by(Arc::clone(route), InitialResponse::refusal(refused.status, None), refused);
        self.run(context)
    }

    /// A target that names no resource: all of the server (RFC 9110, section 9.3.7), a tunnel, or nothing at all.
    pub(super) fn without_path(
        self: &Arc<Self>,
        head: http::request::Parts,
        body: RequestBody,
        connection: Arc<ConnectionInfo>,
    ) -> ResponseFuture {
        // CONNECT has no body, and others' are not read.
        drop(body);
        let detail = match (&head.method, head.uri.path()) {
            (&Method::OPTIONS, "*") => {
                return ResponseFuture::ready(options(HeaderValue::from_static("GET, HEAD, OPTIONS")));
            }
            (&Method::CONNECT, _) => "this server is no proxy: CONNECT is not for it",
            _ => "the request target must begin with a slash (RFC 9112, section 3.2)",
        };
        let refused = Refused { status: StatusCode::BAD_REQUEST, detail: detail.to_owned() };
        let answer = self.refuse_because(refused, head, connection);
        ResponseFuture::Boxed(Box::pin(async move { closing(answer.await) }))
    }

    pub(super) fn file_or_refuse(
        self: &Arc<Self>,
        head: http::request::Parts,
        body: RequestBody,
        connection: Arc<ConnectionInfo>,
    ) -> ResponseFuture {
        let this = Arc::clone(self);
        ResponseFuture::Boxed(Box::pin(async move {
            let status = match this.file(&head).await {
                Ok(Some(response)) if response.status().is_client_error() => {
                    return this.refuse(InitialResponse::refused_file(response), head, body, connection).await;
                }
                Ok(Some(response)) => {
                    body.discard();
                    let Some(route) = &this.app.files else { return response };
                    let mut context =
                        RequestContext::new(&this.app, Arc::clone(route), this.worker_id, head, connection);
                    context.initial_response = Some(Box::new(InitialResponse::static_file(response)));
                    return this.run(context).await;
                }
                Ok(None) => StatusCode::NOT_FOUND,
                Err(error) => {
                    let asked = format!("{} {}", head.method, head.uri.path());
                    let status = StatusCode::SERVICE_UNAVAILABLE;
                    let call_in_loop = |call| CallInLoop::call_in_loop(&*this.app.workers, this.worker_id, call);
                    log_unread(call_in_loop, &asked, status, &"a static file", &error);
                    status
                }
            };
            this.refuse(InitialResponse::refusal(status, None), head, body, connection).await
        }))
    }

    /// The file that a static route has for a request, if one has any. An error where that cannot be determined for
    /// now.
    pub(super) async fn file(&self, head: &http::request::Parts) -> std::io::Result<Option<Response<Body>>> {
        for (mount, fields) in &self.app.mounts {
            if let Some(mut response) = mount.serve(&head.method, &head.headers, &head.uri).await? {
                for (name, value) in fields {
                    // Vary and the like stay beside what the file's own answer says there.
                    response.headers_mut().append(name, value.clone());
                }
                return Ok(Some(response));
            }
        }
        Ok(None)
    }
}
