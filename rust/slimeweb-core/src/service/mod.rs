//! The HTTP server's service: from a request's head to the response of its handler.

mod body;
mod fallback;
mod file;
mod sent;

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use http::header::{ACCESS_CONTROL_REQUEST_METHOD, CONNECTION, CONTENT_TYPE, HOST, UPGRADE};
use http::{HeaderMap, HeaderValue, Method, Response, StatusCode};
use slimeweb_http::router::Found;
use slimeweb_http::{Body, ConnectionInfo, Exchange, OnUpgrade, Service};
use tokio::sync::oneshot;

use crate::reply::{InitialResponse, Reply, SwitchReply, options, text};
use crate::request::body::read;
use crate::request::context::{App, RequestContext};
use crate::request::expected::Deferral;
use crate::request::payload::Refused;
use crate::root_path::take_off;
use crate::route::CompiledRoute;
use crate::sent::{Asked, Entry, Switched};
use crate::{error, upgrade};
use file::send_file;

/// A worker's service.
pub(crate) struct PythonService {
    app: Arc<App>,
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
    app: Arc<App>,
    io: OnUpgrade,
    worker_id: usize,
    connection: Arc<ConnectionInfo>,
}

/// hyper moves it, and reserves room for it with each connection: see the response future of slimeweb-http, which it is a
/// part of.
const _: () = assert!(size_of::<ResponseFuture>() <= 24);

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
    pub(crate) fn new(app: Arc<App>, worker_id: usize) -> Self {
        Self { app, worker_id }
    }

    /// Answers a request. `on_route` is told which route it matches.
    fn answer(self: &Arc<Self>, exchange: Exchange, on_route: impl FnOnce(&CompiledRoute)) -> ResponseFuture {
        let Exchange { mut head, body, connection, .. } = exchange;
        if !head.uri.path().starts_with('/') {
            return self.without_path(head, body, connection);
        }
        name_host(&mut head);
        if !self.app.root_path.is_empty() {
            take_off(&self.app.root_path, &mut head.uri);
        }
        let found = match asked_by_preflight(&head) {
            None => self.app.router.find(&head.method, head.uri.path()),
            Some(asked) => self.app.router.find_preflight(&asked, head.uri.path()),
        };
        let (route, path, params) = match found {
            Found::Route { value, path, params } => (Arc::clone(value), path.into_changed(), params),
            Found::MethodNotAllowed { allow, .. } if head.method == Method::OPTIONS => {
                body.discard();
                return ResponseFuture::ready(options(allow.clone()));
            }
            Found::MethodNotAllowed { allow, options, .. } => {
                let state = InitialResponse::refusal(StatusCode::METHOD_NOT_ALLOWED, Some(allow.clone()));
                let route =
                    options.and_then(|route| route.wrong_method.as_ref()).or(self.app.fallback.as_ref()).cloned();
                return self.refuse_by(route, state, head, body, connection);
            }
            Found::NotFound { .. } if self.app.mounts.is_empty() => {
                return self.refuse(InitialResponse::refusal(StatusCode::NOT_FOUND, None), head, body, connection);
            }
            Found::NotFound { .. } => return self.file_or_refuse(head, body, connection),
            Found::BadPath => {
                return self.refuse(InitialResponse::refusal(StatusCode::BAD_REQUEST, None), head, body, connection);
            }
        };
        on_route(&route);
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

    /// Dispatches a request to its handler.
    fn run(self: &Arc<Self>, mut context: Box<RequestContext>) -> ResponseFuture {
        let (sender, receiver) = oneshot::channel();
        context.reply = Some(sender);
        let upgrade = match Exchange::on_upgrade(&mut context.head) {
            Some(upgrade) if context.head.headers.contains_key(UPGRADE) => Some(Box::new(Upgrade {
                app: Arc::clone(&self.app),
                io: upgrade,
                worker_id: self.worker_id,
                connection: Arc::clone(&context.connection),
            })),
            _ => None,
        };
        self.app.workers.dispatch(context);
        ResponseFuture::Dispatched(Dispatched { receiver, upgrade })
    }
}

/// The method that a preflight asks about; None for every other request.
fn asked_by_preflight(head: &http::request::Parts) -> Option<Method> {
    if head.method != Method::OPTIONS {
        return None;
    }
    Method::from_bytes(head.headers.get(ACCESS_CONTROL_REQUEST_METHOD)?.as_bytes()).ok()
}

/// Answers 101 and lets the protocol have the connection once that is out.
fn switch_protocol(reply: SwitchReply, upgrade: Option<Box<Upgrade>>) -> Response<Body> {
    let SwitchReply { mut headers, candidate, route } = reply;
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
    let Upgrade { app, io, worker_id, connection } = *upgrade;
    let mut response = Response::new(Body::empty());
    let switched = app.sent.is_some().then(Switched::default);
    if let Some(switched) = &switched {
        response.extensions_mut().insert(Arc::clone(switched));
    }
    app.workers.get(worker_id).spawner().clone().spawn(async move {
        // An error: the client left before the 101 was out.
        if let Ok(io) = io.await {
            upgrade::run(io, candidate, route, app, worker_id, connection, switched).await;
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
        match &self.app.sent {
            None => self.answer(exchange, |_| ()),
            Some(queue) => self.answer_and_tell(queue, exchange),
        }
    }

    fn refuse(
        self: &Arc<Self>,
        mut head: http::request::Parts,
        connection: Arc<ConnectionInfo>,
        status: StatusCode,
        explanation: &'static str,
    ) -> BoxFuture {
        let entry = self.app.sent.as_ref().map(|queue| self.entry(queue, &mut head, &connection));
        let answer = self.refuse_because(Refused { status, detail: explanation.to_owned() }, head, connection);
        Box::pin(match entry {
            None => answer,
            Some(entry) => answer.told(entry),
        })
    }

    fn answered(self: &Arc<Self>, connection: &Arc<ConnectionInfo>, status: StatusCode, size: u64) {
        let Some(queue) = &self.app.sent else { return };
        let client = self.app.proxies.client(connection, &HeaderMap::new());
        // What the client sent is no request, or not known as one.
        let asked = Asked { route: None, method: None, path: None, client, number: self.app.next_request_number() };
        Entry::new(queue, Arc::clone(connection), asked).end_of(status, size);
    }

    fn accept_failed(self: &Arc<Self>, error: &std::io::Error) {
        let reason = error.to_string();
        self.app.workers.call_in_loop(self.worker_id, move |py| {
            error::log_system(py, "connections cannot be accepted for now, and wait", &reason);
        });
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
