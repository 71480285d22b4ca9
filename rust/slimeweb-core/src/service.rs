//! The HTTP server's service: from a request's head to the response of its handler.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use http::header::{ACCEPT_RANGES, ALLOW, CONNECTION, CONTENT_TYPE, HOST, RETRY_AFTER, UPGRADE};
use http::{HeaderMap, HeaderValue, Method, Response, StatusCode};
use parking_lot::Mutex;
use slimeweb_http::header::params;
use slimeweb_http::multipart::{self, Form, FormError, FormLimits};
use slimeweb_http::router::Found;
use slimeweb_http::{Body, BodyError, ConnectionInfo, Exchange, OnUpgrade, RequestBody, Service, is_exhausted};
use tokio::sync::{mpsc, oneshot};

use crate::access_log::{AccessLog, ClientLeft, Entry, Switched};
use crate::app::CompiledApp;
use crate::expected::{Deferral, Fate};
use crate::payload::{Arriving, Refused, RequestPayload};
use crate::reply::{FileReply, Reply, SwitchReply};
use crate::request_context::RequestContext;
use crate::response::ResponseState;
use crate::route::CompiledRoute;
use crate::{error, large_body, upgraded};

/// Pieces of a streamed request body that are read ahead of the handler.
const CHUNKS_AHEAD: usize = 4;

/// A worker's service.
pub(crate) struct PythonService {
    app: Arc<CompiledApp>,
    worker_id: usize,
}

/// The response to a request. Routed before the future is made, so that the future is small.
enum ResponseFuture {
    /// Dispatched to its handler.
    Dispatched(Dispatched),
    /// Something else is awaited first.
    Boxed(BoxFuture),
    Ready(Option<Box<Response<Body>>>),
}

type BoxFuture = Pin<Box<dyn Future<Output = Response<Body>> + Send>>;

/// A request that has been dispatched to its handler.
struct Dispatched {
    receiver: oneshot::Receiver<Reply>,
    upgrade: Option<Box<Upgrade>>,
}

/// What a protocol switch of the connection needs.
struct Upgrade {
    io: OnUpgrade,
    worker_id: usize,
    connection: Arc<ConnectionInfo>,
}

impl ResponseFuture {
    fn ready(response: Response<Body>) -> Self {
        Self::Ready(Some(Box::new(response)))
    }
}

impl Future for ResponseFuture {
    type Output = Response<Body>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Response<Body>> {
        let this = self.get_mut();
        let mut sending: BoxFuture = match this {
            Self::Dispatched(dispatched) => match ready!(Pin::new(&mut dispatched.receiver).poll(cx)) {
                Ok(Reply::Response(response)) => return Poll::Ready(response),
                Ok(Reply::Switch(switch)) => return Poll::Ready(switch_protocol(*switch, dispatched.upgrade.take())),
                Ok(Reply::File(file)) => Box::pin(send_file(*file)),
                // The handler's side has dropped the sender; it has logged why.
                Err(_) => return Poll::Ready(text(StatusCode::INTERNAL_SERVER_ERROR, "Internal Server Error")),
            },
            Self::Boxed(future) => return future.as_mut().poll(cx),
            // A future is not polled after its end.
            Self::Ready(response) => return response.take().map_or(Poll::Pending, |response| Poll::Ready(*response)),
        };
        let outcome = sending.as_mut().poll(cx);
        *this = Self::Boxed(sending);
        outcome
    }
}

impl PythonService {
    pub(crate) fn new(app: Arc<CompiledApp>, worker_id: usize) -> Self {
        Self { app, worker_id }
    }

    fn answer(self: &Arc<Self>, exchange: Exchange) -> ResponseFuture {
        let Exchange { mut head, body, connection, .. } = exchange;
        if !head.uri.path().starts_with('/') {
            return self.without_path(head, body, connection);
        }
        name_host(&mut head);
        let (route, path, params) = match self.app.router.find(&head.method, head.uri.path()) {
            Found::Route { value, path, params } => (Arc::clone(value), path.into_changed(), params),
            Found::MethodNotAllowed { allow, .. } if head.method == Method::OPTIONS => {
                body.discard();
                return ResponseFuture::ready(options(allow.clone()));
            }
            Found::MethodNotAllowed { allow, options, .. } => {
                let state = ResponseState::refusal(StatusCode::METHOD_NOT_ALLOWED, Some(allow.clone()));
                let route =
                    options.and_then(|route| route.wrong_method.as_ref()).or(self.app.fallback.as_ref()).cloned();
                return self.refuse_by(route, state, head, body, connection);
            }
            Found::NotFound { .. } if self.app.mounts.is_empty() => {
                return self.refuse(ResponseState::refusal(StatusCode::NOT_FOUND, None), head, body, connection);
            }
            Found::NotFound { .. } => return self.file_or_refuse(head, body, connection),
            Found::BadPath => {
                return self.refuse(ResponseState::refusal(StatusCode::BAD_REQUEST, None), head, body, connection);
            }
        };
        let mut context = RequestContext::new(&self.app, route, self.worker_id, head, connection);
        (context.path, context.path_params) = (path, params);
        if context.route.stream_body {
            return self.run_streamed(context, body);
        }
        if !body.is_empty() {
            if body.awaits_continue()
                && let Some(deferral) = Deferral::of(&context, &body)
            {
                let expected = deferral.begin(&mut context, body);
                let answer = self.run(context);
                return ResponseFuture::Boxed(Box::pin(async move { expected.conclude(answer.await) }));
            }
            let this = Arc::clone(self);
            return ResponseFuture::Boxed(Box::pin(async move {
                match read(&this.app, this.worker_id, &context.route, context.head.headers.get(CONTENT_TYPE), body)
                    .await
                {
                    Ok(payload) => context.payload = payload,
                    Err(refusal) => return this.refuse_body(context, refusal).await,
                }
                this.run(context).await
            }));
        }
        self.run(context)
    }

    /// Answers a request whose body the handler takes piece by piece.
    fn run_streamed(self: &Arc<Self>, mut context: Box<RequestContext>, body: RequestBody) -> ResponseFuture {
        let is_held_back = body.awaits_continue();
        let fate = (is_held_back || self.app.access.is_some()).then(|| Fate::new(is_held_back));
        let arriving = self.pump(body, context.route.body_size, fate.as_ref());
        context.payload = RequestPayload::Stream(Mutex::new(Some(arriving)));
        let answer = self.run(context);
        match fate {
            None => answer,
            Some(fate) => ResponseFuture::Boxed(Box::pin(async move { fate.conclude(answer.await) })),
        }
    }

    /// Dispatches a request to its handler.
    fn run(self: &Arc<Self>, mut context: Box<RequestContext>) -> ResponseFuture {
        let (sender, receiver) = oneshot::channel();
        context.reply = Some(sender);
        let upgrade = match Exchange::on_upgrade(&mut context.head) {
            Some(upgrade) if context.head.headers.contains_key(UPGRADE) => Some(Box::new(Upgrade {
                io: upgrade,
                worker_id: self.worker_id,
                connection: Arc::clone(&context.connection),
            })),
            _ => None,
        };
        self.app.workers.dispatch(context);
        ResponseFuture::Dispatched(Dispatched { receiver, upgrade })
    }

    /// Answers what no route matches: through the fallback where there is one.
    fn refuse(
        self: &Arc<Self>,
        state: ResponseState,
        head: http::request::Parts,
        body: RequestBody,
        connection: Arc<ConnectionInfo>,
    ) -> ResponseFuture {
        self.refuse_by(self.app.fallback.clone(), state, head, body, connection)
    }

    fn refuse_by(
        self: &Arc<Self>,
        route: Option<Arc<CompiledRoute>>,
        state: ResponseState,
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
            None => ResponseFuture::ready(state.into_response()),
        }
    }

    /// Answers for a body that is not taken: through the route's middleware and the application's error handlers, where
    /// there are any.
    async fn refuse_body(self: &Arc<Self>, mut context: Box<RequestContext>, refusal: Refusal) -> Response<Body> {
        let is_client_there = !refusal.is_disconnected();
        if let Refusal::Form(error) = &refusal {
            let asked = format!("{} {}", context.head.method, context.head.uri.path());
            log_unstored(&self.app, self.worker_id, &asked, error);
        }
        let refused = refusal.into_refused();
        let response = match context.route.refusal.clone() {
            Some(route) if is_client_there => {
                context.refused_by(route, ResponseState::refusal(refused.status, None), refused);
                self.run(context).await
            }
            _ => {
                let mut response = text(refused.status, refused.detail);
                if !is_client_there {
                    response.extensions_mut().insert(ClientLeft);
                }
                response
            }
        };
        // What is left of the body is not worth reading, so the connection cannot be used again.
        closing(response)
    }

    /// Answers for a request that is wrong in itself, whatever its path: as `refuse`, with a reason.
    fn refuse_because(
        self: &Arc<Self>,
        refused: Refused,
        head: http::request::Parts,
        connection: Arc<ConnectionInfo>,
    ) -> ResponseFuture {
        let Some(route) = &self.app.fallback else {
            return ResponseFuture::ready(text(refused.status, refused.detail));
        };
        let mut context = RequestContext::new(&self.app, Arc::clone(route), self.worker_id, head, connection);
        context.refused_by(Arc::clone(route), ResponseState::refusal(refused.status, None), refused);
        self.run(context)
    }

    /// A target that names no resource: all of the server (RFC 9110, section 9.3.7), a tunnel, or nothing at all.
    fn without_path(
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

    fn file_or_refuse(
        self: &Arc<Self>,
        head: http::request::Parts,
        body: RequestBody,
        connection: Arc<ConnectionInfo>,
    ) -> ResponseFuture {
        let this = Arc::clone(self);
        ResponseFuture::Boxed(Box::pin(async move {
            let status = match this.file(&head).await {
                Ok(Some(response)) if response.status() == StatusCode::METHOD_NOT_ALLOWED => {
                    let (status, mut fields) = (response.status(), response.into_parts().0.headers);
                    // That of a body which is made anew.
                    fields.remove(CONTENT_TYPE);
                    return this.refuse(ResponseState::refusal_with(status, fields), head, body, connection).await;
                }
                Ok(Some(response)) => {
                    body.discard();
                    let Some(route) = &this.app.files else { return response };
                    let mut context =
                        RequestContext::new(&this.app, Arc::clone(route), this.worker_id, head, connection);
                    context.initial_response = Some(Box::new(ResponseState::static_file(response)));
                    return this.run(context).await;
                }
                Ok(None) => StatusCode::NOT_FOUND,
                Err(error) => {
                    let asked = format!("{} {}", head.method, head.uri.path());
                    let status = StatusCode::SERVICE_UNAVAILABLE;
                    log_unread(&this.app, this.worker_id, &asked, status, &"a static file", &error);
                    status
                }
            };
            this.refuse(ResponseState::refusal(status, None), head, body, connection).await
        }))
    }

    /// Reads a body on as the handler takes its pieces, from the start or, where the client waits for that, from when
    /// the handler asks for them.
    fn pump(&self, mut body: RequestBody, limit: u64, fate: Option<&Arc<Fate>>) -> Arriving {
        body.set_limit(limit);
        let (sender, receiver) = mpsc::channel(CHUNKS_AHEAD);
        let fate = fate.cloned();
        let (begin, begun) = match &fate {
            Some(fate) if body.awaits_continue() => {
                let (sender, receiver) = oneshot::channel();
                (Some((sender, Arc::clone(fate))), Some(receiver))
            }
            _ => (None, None),
        };
        self.app.workers.get(self.worker_id).spawner().spawn(async move {
            if let Some(begun) = begun
                && begun.await.is_err()
            {
                // The handler has ended without it.
                return;
            }
            loop {
                // The permit first: nothing is read that the handler does not take.
                let Ok(permit) = sender.reserve().await else { break };
                match body.chunk().await {
                    Some(piece) => {
                        let failed = piece.is_err();
                        if let (Some(fate), Err(BodyError::Disconnected)) = (&fate, &piece) {
                            fate.set_left();
                        }
                        permit.send(piece);
                        if failed {
                            return;
                        }
                    }
                    None => return,
                }
            }
            body.discard();
        });
        Arriving { receiver, begin }
    }

    /// The file that a static route has for a request, if one has any. An error where that cannot be determined for
    /// now.
    async fn file(&self, head: &http::request::Parts) -> std::io::Result<Option<Response<Body>>> {
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

/// Answers 101 and lets the protocol have the connection once that is out.
fn switch_protocol(reply: SwitchReply, upgrade: Option<Box<Upgrade>>) -> Response<Body> {
    let SwitchReply { mut headers, candidate, route, app } = reply;
    let Some(upgrade) = upgrade else {
        // Nothing can be switched on this connection (no Upgrade in the request, or HTTP/2).
        drop(candidate);
        let mut response = text(StatusCode::UPGRADE_REQUIRED, "Upgrade Required");
        if let Some(name) = headers.remove(UPGRADE) {
            response.headers_mut().insert(UPGRADE, name);
            response.headers_mut().insert(CONNECTION, HeaderValue::from_static("Upgrade"));
        }
        return response;
    };
    headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
    let Upgrade { io, worker_id, connection } = *upgrade;
    let mut response = Response::new(Body::empty());
    let switched = app.access.is_some().then(Switched::default);
    if let Some(switched) = &switched {
        response.extensions_mut().insert(Arc::clone(switched));
    }
    app.workers.get(worker_id).spawner().clone().spawn(async move {
        // An error: the client left before the 101 was out.
        if let Ok(io) = io.await {
            let written = upgraded::run(io, candidate, route, app, worker_id, connection).await;
            let entry = switched.and_then(|switched| switched.lock().take());
            if let Some(mut entry) = entry {
                entry.end(written, true);
            }
        }
    });
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    *response.headers_mut() = headers;
    response
}

impl Service for PythonService {
    fn call(
        self: &Arc<Self>,
        exchange: Exchange,
    ) -> impl Future<Output = Response<Body>> + Send + Unpin + 'static + use<> {
        match &self.app.access {
            None => self.answer(exchange),
            Some(log) => {
                let entry = self.entry(log, &exchange.head, &exchange.connection);
                logged(entry, self.answer(exchange))
            }
        }
    }

    fn refuse(
        self: &Arc<Self>,
        head: http::request::Parts,
        connection: Arc<ConnectionInfo>,
        status: StatusCode,
        explanation: &'static str,
    ) -> BoxFuture {
        let entry = self.app.access.as_ref().map(|log| self.entry(log, &head, &connection));
        let answer = self.refuse_because(Refused { status, detail: explanation.to_owned() }, head, connection);
        Box::pin(match entry {
            None => answer,
            Some(entry) => logged(entry, answer),
        })
    }

    fn answered(self: &Arc<Self>, connection: &ConnectionInfo, status: StatusCode, size: u64) {
        let Some(log) = &self.app.access else { return };
        let client = self.app.proxies.client(connection, &HeaderMap::new());
        // What the client sent is no request, or not known as one.
        let nothing = || "-".to_owned();
        Entry::new(log, client, nothing(), nothing()).end_with(status, size);
    }

    fn accept_failed(self: &Arc<Self>, error: &std::io::Error) {
        let reason = error.to_string();
        self.app.workers.call_in_loop(self.worker_id, move |py| {
            error::log_system(py, "connections cannot be accepted for now, and wait", &reason);
        });
    }
}

impl PythonService {
    fn entry(&self, log: &Arc<AccessLog>, head: &http::request::Parts, connection: &ConnectionInfo) -> Entry {
        let client = self.app.proxies.client(connection, &head.headers);
        Entry::new(log, client, head.method.to_string(), head.uri.path().to_owned())
    }
}

fn logged(entry: Entry, answer: ResponseFuture) -> ResponseFuture {
    ResponseFuture::Boxed(Box::pin(async move {
        // Moved in whole: a client that leaves drops it with the rest.
        let entry = entry;
        let response = answer.await;
        entry.follow(response)
    }))
}

/// Reads a body, whose Content-Type is `kind`, to its end.
pub(crate) async fn read(
    app: &CompiledApp,
    worker_id: usize,
    route: &CompiledRoute,
    kind: Option<&HeaderValue>,
    body: RequestBody,
) -> Result<RequestPayload, Refusal> {
    match kind.filter(|kind| is_multipart(kind)) {
        Some(kind) => {
            let limits = FormLimits { body: route.body_size, ..app.form_limits.clone() };
            let Form { fields, files } = multipart::read(body, kind, &limits).await.map_err(Refusal::Form)?;
            Ok(RequestPayload::Form { fields, uploads: Mutex::new(files) })
        }
        None => {
            let buffer = large_body::buffer_for(&body, route.body_size, &app.workers, worker_id).await;
            if let Some(buffer) = buffer {
                return large_body::read_into(buffer, body).await.map(RequestPayload::Object).map_err(Refusal::Body);
            }
            let limit = usize::try_from(route.body_size).unwrap_or(usize::MAX);
            body.collect(limit).await.map(RequestPayload::Whole).map_err(Refusal::Body)
        }
    }
}

/// Says in the log why a form was not read, where that is this machine's fault. `asked` is the request's method and
/// path.
pub(crate) fn log_unstored(app: &CompiledApp, worker_id: usize, asked: &str, error: &FormError) {
    if let FormError::DiskFull(cause) | FormError::Storage(cause) = error {
        let reason = cause.to_string();
        let what = format!("{asked}: {}, an uploaded file could not be stored", error.status().as_u16());
        app.workers.call_in_loop(worker_id, move |py| error::log_system(py, &what, &reason));
    }
}

/// Why a body was not taken.
pub(crate) enum Refusal {
    Body(BodyError),
    Form(FormError),
}

impl Refusal {
    /// Whether the client went away while it sent the body.
    pub(crate) fn is_disconnected(&self) -> bool {
        match self {
            Self::Body(error) => matches!(error, BodyError::Disconnected),
            Self::Form(error) => error.is_disconnected(),
        }
    }

    pub(crate) fn into_refused(self) -> Refused {
        let (status, detail) = match &self {
            Self::Body(error) => (error.status(), error.to_string()),
            Self::Form(error) => (error.status(), error.to_string()),
        };
        Refused { status, detail }
    }
}

/// Where the target names the host itself (HTTP/2, absolute form), that is the one that counts (RFC 9112, section
/// 3.2.2).
fn name_host(head: &mut http::request::Parts) {
    if let Some(authority) = head.uri.authority()
        && let Ok(host) = HeaderValue::from_str(authority.as_str())
    {
        head.headers.insert(HOST, host);
    }
}

fn is_multipart(kind: &HeaderValue) -> bool {
    params::essence(kind.as_bytes()).eq_ignore_ascii_case(b"multipart/form-data")
}

async fn send_file(file: FileReply) -> Response<Body> {
    let FileReply { app, worker_id, uri, path, status, headers, mut method, mut conditions } = file;
    let asked = method.clone();
    // Conditions and ranges are about a successful GET or HEAD (RFC 9110, sections 13.2.1 and 14.2).
    let is_selected = status == StatusCode::OK && matches!(method, Method::GET | Method::HEAD);
    if !is_selected {
        conditions.clear();
        // HEAD stays, for a body that would not be sent need not be read.
        if method != Method::HEAD {
            method = Method::GET;
        }
    }
    match slimeweb_http::files::serve_file(&method, &conditions, &path, headers).await {
        Ok(mut response) => {
            if !is_selected {
                response.headers_mut().remove(ACCEPT_RANGES);
            }
            // A status that the handler has set is kept, unless the request is for a range or conditional.
            if response.status() == StatusCode::OK {
                *response.status_mut() = status;
            }
            response
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => text(StatusCode::NOT_FOUND, "Not Found"),
        Err(error) => {
            let (status, said) = if is_exhausted(&error) {
                (StatusCode::SERVICE_UNAVAILABLE, "Service Unavailable")
            } else {
                (StatusCode::INTERNAL_SERVER_ERROR, "Internal Server Error")
            };
            log_unread(&app, worker_id, &format!("{asked} {}", uri.path()), status, &path.display(), &error);
            text(status, said)
        }
    }
}

/// Logs why a file was not sent.
fn log_unread(
    app: &CompiledApp,
    worker_id: usize,
    asked: &str,
    status: StatusCode,
    file: &dyn std::fmt::Display,
    error: &std::io::Error,
) {
    let what = format!("{asked}: {}, {file} could not be read", status.as_u16());
    let reason = error.to_string();
    app.workers.call_in_loop(worker_id, move |py| error::log_system(py, &what, &reason));
}

/// The body of a 503 for a request that no thread is free for.
pub(crate) const OVERLOADED: &str = "Service Unavailable: too many requests are waiting";

/// The answer when there is no thread to be had.
pub(crate) fn overloaded() -> Response<Body> {
    let mut response = text(StatusCode::SERVICE_UNAVAILABLE, OVERLOADED);
    response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("1"));
    response
}

fn options(allow: HeaderValue) -> Response<Body> {
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

/// A short plain answer.
pub(crate) fn text(status: StatusCode, body: impl Into<bytes::Bytes>) -> Response<Body> {
    let mut response = Response::new(Body::full(body));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    response
}
