//! The server's service: from a request's head to the reply that some lane gives.

use std::sync::Arc;
use std::time::Instant;

use http::header::{ALLOW, CONNECTION, CONTENT_TYPE, HOST, RETRY_AFTER, UPGRADE};
use http::{HeaderMap, HeaderValue, Method, Response, StatusCode};
use http_body::Body as _;
use parking_lot::Mutex;
use pyo3::prelude::*;
use slimeweb_http::multipart::{self, Form, FormError, FormLimits};
use slimeweb_http::router::{Found, Params};
use slimeweb_http::{Body, BodyError, ConnectionInfo, Exchange, OnUpgrade, RequestBody, Service};
use tokio::sync::{mpsc, oneshot};

use crate::access::Access;
use crate::job::Job;
use crate::payload::Payload;
use crate::plan::Plan;
use crate::reply::{FileReply, Reply, SwitchReply};
use crate::response::Draft;
use crate::site::Site;
use crate::tunnel;

/// Pieces of a streamed request body that are read ahead of the handler.
const CHUNKS_AHEAD: usize = 4;

/// One worker's view of the site.
pub(crate) struct Bridge {
    site: Arc<Site>,
    worker: usize,
}

impl Bridge {
    pub(crate) fn new(site: Arc<Site>, worker: usize) -> Self {
        Self { site, worker }
    }

    async fn answer(&self, exchange: Exchange) -> Response<Body> {
        let Exchange { mut head, body, connection, .. } = exchange;
        if !head.uri.path().starts_with('/') {
            return without_path(&head.method, head.uri.path());
        }
        name_host(&mut head);
        let (plan, path, params) = match self.site.router.find(&head.method, head.uri.path()) {
            Found::Route { value, path, params } => (Arc::clone(value), path.into_changed(), params),
            Found::MethodNotAllowed { allow, .. } if head.method == Method::OPTIONS => {
                body.discard();
                return options(allow.clone());
            }
            Found::MethodNotAllowed { allow, .. } => {
                let draft = Draft::refusal(StatusCode::METHOD_NOT_ALLOWED, Some(allow.clone()));
                return self.refuse(draft, head, body, connection).await;
            }
            Found::NotFound { .. } => {
                if let Some(response) = self.file(&head).await {
                    body.discard();
                    return response;
                }
                let draft = Draft::refusal(StatusCode::NOT_FOUND, None);
                return self.refuse(draft, head, body, connection).await;
            }
            Found::BadPath => {
                let draft = Draft::refusal(StatusCode::BAD_REQUEST, None);
                return self.refuse(draft, head, body, connection).await;
            }
        };
        let payload = match self.read(&plan, &head.headers, body).await {
            Ok(payload) => payload,
            Err(refusal) => return refusal.response(),
        };
        self.run(plan, head, path, params, payload, connection, Draft::new(None)).await
    }

    /// Hands a request to its lane and waits for the reply.
    #[allow(clippy::too_many_arguments, reason = "the parts of a job, moved field by field")]
    async fn run(
        &self,
        plan: Arc<Plan>,
        mut head: http::request::Parts,
        path: Option<String>,
        params: Params,
        payload: Payload,
        connection: Arc<ConnectionInfo>,
        draft: Draft,
    ) -> Response<Body> {
        let upgrade = head.headers.contains_key(UPGRADE).then(|| Exchange::on_upgrade(&mut head)).flatten();
        let (sender, receiver) = oneshot::channel();
        let job = Box::new(Job {
            site: Arc::clone(&self.site),
            plan,
            worker: self.worker,
            head,
            path,
            params,
            payload,
            connection: Arc::clone(&connection),
            draft,
            reply: sender,
        });
        if self.site.lanes.dispatch(job).is_err() {
            return overloaded();
        }
        match receiver.await {
            Ok(Reply::Response(response)) => response,
            Ok(Reply::File(file)) => send_file(*file).await,
            Ok(Reply::Switch(switch)) => self.switch(*switch, upgrade, connection),
            // The handler's side has let go without a word; it has logged why.
            Err(_) => text(StatusCode::INTERNAL_SERVER_ERROR, "Internal Server Error"),
        }
    }

    /// Answers what no route does: through the fallback where there is one.
    async fn refuse(
        &self,
        draft: Draft,
        head: http::request::Parts,
        body: RequestBody,
        connection: Arc<ConnectionInfo>,
    ) -> Response<Body> {
        body.discard();
        match &self.site.fallback {
            Some(plan) => {
                self.run(Arc::clone(plan), head, None, Params::default(), Payload::Empty, connection, draft).await
            }
            None => draft.into_response(),
        }
    }

    /// Reads a body as far as its route wants it read before the handler runs.
    async fn read(&self, plan: &Plan, headers: &HeaderMap, mut body: RequestBody) -> Result<Payload, Refusal> {
        if plan.stream_body {
            body.set_limit(plan.body_size);
            return Ok(Payload::Stream(Mutex::new(Some(self.pump(body)))));
        }
        if body.is_empty() {
            return Ok(Payload::Empty);
        }
        match headers.get(CONTENT_TYPE).filter(|kind| is_multipart(kind)) {
            Some(kind) => {
                let limits = FormLimits {
                    body: plan.body_size,
                    memory: self.site.upload_memory,
                    directory: Arc::clone(&self.site.uploads),
                    ..FormLimits::default()
                };
                let Form { fields, files } = multipart::read(body, kind, &limits).await.map_err(Refusal::Form)?;
                Ok(Payload::Form { fields, uploads: Mutex::new(files) })
            }
            None => {
                let limit = usize::try_from(plan.body_size).unwrap_or(usize::MAX);
                body.collect(limit).await.map(Payload::Bytes).map_err(Refusal::Body)
            }
        }
    }

    /// Reads a body on as the handler takes its pieces.
    fn pump(&self, mut body: RequestBody) -> mpsc::Receiver<Result<bytes::Bytes, BodyError>> {
        let (sender, receiver) = mpsc::channel(CHUNKS_AHEAD);
        self.site.lanes.port(self.worker).spawner().spawn(async move {
            loop {
                // Room first: what nobody takes is not read.
                let Ok(permit) = sender.reserve().await else { break };
                match body.chunk().await {
                    Some(piece) => {
                        let failed = piece.is_err();
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
        receiver
    }

    async fn file(&self, head: &http::request::Parts) -> Option<Response<Body>> {
        for mount in &self.site.mounts {
            if let Some(response) = mount.serve(&head.method, &head.headers, head.uri.path()).await {
                return Some(response);
            }
        }
        None
    }

    /// Answers 101 and lets the protocol have the connection once that is out.
    fn switch(
        &self,
        reply: SwitchReply,
        upgrade: Option<OnUpgrade>,
        connection: Arc<ConnectionInfo>,
    ) -> Response<Body> {
        let SwitchReply { mut headers, protocol } = reply;
        let Some(upgrade) = upgrade else {
            // Nothing can be switched on this connection (no Upgrade in the request, or HTTP/2): the protocol is let go unused.
            drop_attached(&self.site, protocol);
            let mut response = text(StatusCode::UPGRADE_REQUIRED, "Upgrade Required");
            if let Some(name) = headers.remove(UPGRADE) {
                response.headers_mut().insert(UPGRADE, name);
                response.headers_mut().insert(CONNECTION, HeaderValue::from_static("Upgrade"));
            }
            return response;
        };
        headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
        let (site, worker) = (Arc::clone(&self.site), self.worker);
        self.site.lanes.port(worker).spawner().spawn(async move {
            match upgrade.await {
                Ok(io) => tunnel::run(io, protocol, site, worker, connection).await,
                // The client left before the 101 was out.
                Err(_) => drop_attached(&site, protocol),
            }
        });
        let mut response = Response::new(Body::empty());
        *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
        *response.headers_mut() = headers;
        response
    }
}

impl Service for Bridge {
    async fn call(&self, exchange: Exchange) -> Response<Body> {
        let Some(log) = &self.site.access else {
            return self.answer(exchange).await;
        };
        let started = Instant::now();
        let client = self.site.proxies.client(&exchange.connection, &exchange.head.headers);
        let (method, path) = (exchange.head.method.to_string(), exchange.head.uri.path().to_owned());
        let response = self.answer(exchange).await;
        log.record(Access {
            client,
            method,
            path,
            status: response.status().as_u16(),
            size: response.body().size_hint().exact().unwrap_or_default(),
            seconds: started.elapsed().as_secs_f64(),
        });
        response
    }
}

/// Why a body was not taken.
enum Refusal {
    Body(BodyError),
    Form(FormError),
}

impl Refusal {
    fn response(&self) -> Response<Body> {
        let (status, detail) = match self {
            Self::Body(error) => (error.status(), error.to_string()),
            Self::Form(error) => (error.status(), error.to_string()),
        };
        // What is left of the body is not worth reading, so the connection cannot be used again.
        closing(text(status, detail))
    }
}

/// A target that names no resource: all of the server (RFC 9110, section 9.3.7), a tunnel, or nothing at all.
fn without_path(method: &Method, target: &str) -> Response<Body> {
    match (method, target) {
        (&Method::OPTIONS, "*") => options(HeaderValue::from_static("GET, HEAD, OPTIONS")),
        (&Method::CONNECT, _) => {
            closing(text(StatusCode::BAD_REQUEST, "this server is no proxy: CONNECT is not for it"))
        }
        _ => {
            closing(text(StatusCode::BAD_REQUEST, "the request target must begin with a slash (RFC 9112, section 3.2)"))
        }
    }
}

/// Where the target names the host itself (HTTP/2, absolute form), that is the one that counts (RFC 9112, section 3.2.2).
fn name_host(head: &mut http::request::Parts) {
    if let Some(authority) = head.uri.authority()
        && let Ok(host) = HeaderValue::from_str(authority.as_str())
    {
        head.headers.insert(HOST, host);
    }
}

fn is_multipart(kind: &HeaderValue) -> bool {
    let kind = kind.as_bytes();
    let essence = kind.split(|byte| *byte == b';').next().unwrap_or_default();
    essence.trim_ascii().eq_ignore_ascii_case(b"multipart/form-data")
}

async fn send_file(file: FileReply) -> Response<Body> {
    let FileReply { path, status, headers, method, conditions } = file;
    match slimeweb_http::files::serve_file(&method, &conditions, &path, headers).await {
        Ok(mut response) => {
            // A status of the handler's own stands, unless the request asked for a part or for news.
            if response.status() == StatusCode::OK {
                *response.status_mut() = status;
            }
            response
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => text(StatusCode::NOT_FOUND, "Not Found"),
        Err(_) => text(StatusCode::INTERNAL_SERVER_ERROR, "Internal Server Error"),
    }
}

/// The answer when there is no thread to be had.
pub(crate) fn overloaded() -> Response<Body> {
    let mut response = text(StatusCode::SERVICE_UNAVAILABLE, "Service Unavailable: too many requests are waiting");
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
fn closing(mut response: Response<Body>) -> Response<Body> {
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

/// Lets go of an object where that may run Python: in the loop's thread, not in a worker's.
fn drop_attached(site: &Site, object: Py<PyAny>) {
    site.lanes.in_loop(0, move |_| drop(object));
}
