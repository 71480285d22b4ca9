//! Answers the requests of a connection: what hyper calls, and the response that it waits for.

use std::convert::Infallible;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use http::header::CONNECTION;
use http::{HeaderValue, Request, Response, StatusCode};
use http_body::Body as _;
use hyper::body::Incoming;

use super::context::WorkerContext;
use super::framing::{HeadError, MethodKind, finalize};
use super::raw_targets::restore;
use super::request_head::{fields, http1_target_error, http2_target_error, list_size};
use super::state::{ConnectionState, InFlight};
use super::tracked_body::TrackedBody;
use crate::body::{Body, RequestBody};
use crate::service::{ConnectionInfo, Exchange, Service, plain};

/// Answers the requests of one connection: hyper's service.
pub(super) struct ConnectionService<S> {
    pub(super) context: Arc<WorkerContext<S>>,
    pub(super) info: Arc<ConnectionInfo>,
    pub(super) state: Arc<ConnectionState>,
    pub(super) multiplexed: bool,
}

impl<S: Service> ConnectionService<S> {
    pub(super) fn answer(
        self: &Arc<Self>,
        mut request: Request<Incoming>,
    ) -> impl Future<Output = Result<Response<TrackedBody>, Infallible>> + Send + use<S> {
        let method_kind = MethodKind::of(request.method());
        let (in_flight, index) = InFlight::begin(&self.state, method_kind);
        let target_error = self.state.target_field().and_then(|name| restore(&mut request, name));
        let source = match target_error.or_else(|| self.head_error(&request, index, method_kind)) {
            Some(head_error) => self.refuse(request, head_error),
            None => self.call(request, index),
        };
        ResponseFuture { source, service: Arc::clone(self), in_flight: Some(in_flight), index }
    }

    fn head_error(&self, request: &Request<Incoming>, index: u64, method_kind: MethodKind) -> Option<HeadError> {
        if !self.multiplexed {
            let names_host = request.uri().scheme().is_some() || method_kind == MethodKind::Connect;
            return self
                .state
                .head_error(index)
                .or_else(|| names_host.then(|| http1_target_error(request.uri(), method_kind)).flatten());
        }
        let limits = &self.context.config.limits;
        if request.headers().len() > limits.header_count && fields(request.headers()) > limits.header_count {
            return Some(HeadError::TooManyFields);
        }
        if list_size(request) > limits.head_size {
            return Some(HeadError::HeadTooLarge);
        }
        http2_target_error(request)
    }

    fn call(
        &self,
        request: Request<Incoming>,
        index: u64,
    ) -> ResponseSource<impl Future<Output = Response<Body>> + Send + Unpin + use<S>> {
        let (head, incoming) = request.into_parts();
        let limits = &self.context.config.limits;
        let mut body =
            RequestBody::new(incoming, &head.headers, self.multiplexed, limits.body_timeout, limits.body_rate);
        if !self.multiplexed {
            body.set_connection(&self.state, index);
        }
        let exchange = Exchange { head, body, connection: Arc::clone(&self.info) };
        // After a panic the service is used for the next request only, which it has to be ready for anyway.
        match catch_unwind(AssertUnwindSafe(|| self.context.service.call(exchange))) {
            Ok(call) => ResponseSource::Service(call),
            Err(_) => ResponseSource::Ready(Box::new(panicked())),
        }
    }

    fn refuse<F>(&self, request: Request<Incoming>, head_error: HeadError) -> ResponseSource<F> {
        let (head, incoming) = request.into_parts();
        let limits = &self.context.config.limits;
        // So that the client gets to read the answer while it sends.
        RequestBody::new(incoming, &head.headers, self.multiplexed, limits.body_timeout, limits.body_rate).discard();
        let info = Arc::clone(&self.info);
        let answer = || self.context.service.refuse(head, info, head_error.status(), head_error.explanation());
        match catch_unwind(AssertUnwindSafe(answer)) {
            Ok(refusing) => ResponseSource::Refusal(refusing),
            Err(_) => ResponseSource::Ready(Box::new(panicked())),
        }
    }

    fn finish(&self, mut response: Response<Body>, mut in_flight: InFlight, index: u64) -> Response<TrackedBody> {
        let method_kind = in_flight.method_kind();
        let remaining = finalize(&mut response, method_kind, self.multiplexed);
        let upgrades = response.status() == StatusCode::SWITCHING_PROTOCOLS;
        if response.body().size_hint().exact().is_none() {
            in_flight.begin_stream();
        }
        if self.info.tls {
            // Over HTTP/2, h2 would take the whole of it and the response be over, however little the client has taken.
            response.body_mut().cut_up();
        }
        if !self.multiplexed {
            if upgrades || (method_kind == MethodKind::Connect && response.status().is_success()) {
                self.state.set_upgraded();
            }
            let last = !upgrades && self.context.registry.is_draining();
            if last || self.state.head_error(index).is_some() {
                response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
            }
        }
        response.map(|body| TrackedBody::new(body, in_flight, self.multiplexed, remaining))
    }
}

/// Where a response comes from: the service, its refusal, or the server itself where the service has panicked.
enum ResponseSource<F> {
    Service(F),
    Refusal(Pin<Box<dyn Future<Output = Response<Body>> + Send>>),
    Ready(Box<Response<Body>>),
}

/// The response to one request. A hand-written future, since hyper moves it and reserves room for it with each
/// connection.
struct ResponseFuture<S, F> {
    source: ResponseSource<F>,
    service: Arc<ConnectionService<S>>,
    /// Moved to the response's body.
    in_flight: Option<InFlight>,
    index: u64,
}

/// For a service whose own future is an enum of 24 bytes, as that of slimeweb-core is.
const _: () = assert!(size_of::<ResponseFuture<(), Option<[usize; 2]>>>() <= 56);

impl<S: Service, F: Future<Output = Response<Body>> + Unpin> Future for ResponseFuture<S, F> {
    type Output = Result<Response<TrackedBody>, Infallible>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        let response = match &mut this.source {
            ResponseSource::Service(call) => match catch_unwind(AssertUnwindSafe(|| Pin::new(call).poll(cx))) {
                Ok(response) => ready!(response),
                Err(_) => panicked(),
            },
            ResponseSource::Refusal(call) => match catch_unwind(AssertUnwindSafe(|| call.as_mut().poll(cx))) {
                Ok(response) => ready!(response),
                Err(_) => panicked(),
            },
            ResponseSource::Ready(response) => std::mem::take(&mut **response),
        };
        // hyper does not poll a future after its end, which is when this is empty.
        let Some(in_flight) = this.in_flight.take() else { return Poll::Pending };
        Poll::Ready(Ok(this.service.finish(response, in_flight, this.index)))
    }
}

fn panicked() -> Response<Body> {
    plain(StatusCode::INTERNAL_SERVER_ERROR, "Internal Server Error\n")
}
