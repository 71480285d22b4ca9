//! One connection from its handshake to its last byte.

use std::convert::Infallible;
use std::future::{Future, poll_fn};
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker, ready};
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http::header::{CONNECTION, COOKIE, HOST};
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode, Uri};
use http_body::{Body as _, Frame, SizeHint};
use hyper::body::Incoming;
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_rustls::TlsAcceptor;

use crate::acceptor::{Accepted, AcceptedSocket, Permit};
use crate::body::Body;
use crate::config::{HEADER_COUNT, Limits};
use crate::conn::{self, CloseMode, ConnIo, ConnectionState, HeadError, InFlight, LingerSlot, NetStream, Socket};
use crate::error::BodyError;
use crate::executor::Spawner;
use crate::files::http_date;
use crate::framing::{self, MethodKind};
use crate::request_body::RequestBody;
use crate::service::{ConnectionInfo, Exchange, Service, plain};
use crate::worker::{Registration, WorkerContext};

/// HTTP/2 streams that a client may have open at a time.
const MAX_STREAMS: u32 = 256;
/// The smallest buffer that hyper takes.
const MIN_BUFFER: usize = 8 * 1024;
/// The buffers' limit where heads are smaller: big enough for bodies to flow.
const BUFFER: usize = 64 * 1024;
/// How long input is drained after the response and our FIN, in all and between two reads.
const LINGER_TIME: Duration = Duration::from_secs(30);
const LINGER_PAUSE: Duration = Duration::from_secs(2);
/// What a client may send ahead on one HTTP/2 stream, in bytes, and on all of a connection: as much as all streams may,
/// so that a handler that does not read holds up no other stream.
const STREAM_WINDOW: u32 = 256 * 1024;
const CONNECTION_WINDOW: u32 = MAX_STREAMS * STREAM_WINDOW;

/// How many times `head_size` h2 takes in. It refuses what is larger with a 431 and a reset by which clients that still
/// send are told to ask again; what is smaller gets an answer of ours.
const REFUSABLE: u32 = 4;

/// In place of a number of flushes: what came before the error has not left h2's queue yet.
const NOT_FLUSHED: u64 = u64::MAX;

/// Serves one connection.
pub(crate) async fn run<S: Service>(context: Arc<WorkerContext<S>>, accepted: Accepted) {
    let Accepted { socket, peer, local, id, permit } = accepted;
    // A failure here ends this connection alone.
    let Ok(socket) = into_tokio(socket) else { return };
    let tls = context.config.tls.clone();
    let info = Arc::new(ConnectionInfo { peer, local, tls: tls.is_some(), id });
    let net_stream = match tls {
        None => NetStream::Plain(socket),
        Some(tls) => {
            // Registered as a connection without a request: a handshake may take as long as a first head, and is given
            // up as soon when the server stops.
            let state = ConnectionState::new(Arc::clone(&context.clock));
            let registration = context.registry.register(id, Arc::clone(&state));
            let mut handshake = Box::pin(TlsAcceptor::from(tls.0).accept(socket));
            match run_until_closed(Pin::new(&mut handshake), &state, &registration, |_| {}).await {
                Some(Ok(stream)) => NetStream::Tls(Box::new(stream)),
                _ => return,
            }
        }
    };
    let state = ConnectionState::new(Arc::clone(&context.clock));
    let registration = context.registry.register(id, Arc::clone(&state));
    if net_stream.speaks_http2() {
        Box::pin(http2(&context, net_stream, permit, info, &state, &registration)).await;
    } else {
        http1(&context, net_stream, permit, info, &state, &registration).await;
    }
}

fn into_tokio(socket: AcceptedSocket) -> io::Result<Socket> {
    Ok(match socket {
        AcceptedSocket::Tcp(stream) => Socket::Tcp(tokio::net::TcpStream::from_std(stream)?),
        #[cfg(unix)]
        AcceptedSocket::Unix(stream) => Socket::Unix(tokio::net::UnixStream::from_std(stream)?),
    })
}

async fn http1<S: Service>(
    context: &Arc<WorkerContext<S>>,
    net_stream: NetStream,
    permit: Permit,
    info: Arc<ConnectionInfo>,
    state: &Arc<ConnectionState>,
    registration: &Registration,
) {
    let limits = &context.config.limits;
    let linger_slot = Arc::new(LingerSlot::default());
    let mut farewell = None;
    let io = ConnIo::http1(net_stream, permit, Arc::clone(state), Arc::clone(&linger_slot), limits.head_size);
    let service = Arc::new(ConnectionService {
        context: Arc::clone(context),
        info: Arc::clone(&info),
        state: Arc::clone(state),
        multiplexed: false,
    });
    {
        let mut builder = http1::Builder::new();
        if limits.header_count != HEADER_COUNT {
            // Once this is set, hyper allocates room for the fields with each request.
            builder.max_headers(limits.header_count);
        }
        // Pinned where it is made: a future has room for both ends of every move.
        let connection = pin!(
            builder
                // `ConnIo` detects that the client leaves.
                .half_close(true)
                .keep_alive(true)
                // With it, hyper keeps back an answer while unread bytes are left, also the last one before it closes.
                .pipeline_flush(false)
                .max_header_size(limits.head_size)
                .max_buf_size(limits.head_size.max(BUFFER).max(MIN_BUFFER))
                .serve_connection(TokioIo::new(io), service_fn(move |request| service.answer(request)))
                .with_upgrades()
        );
        let outcome = run_until_closed(connection, state, registration, |connection| {
            // One with nothing in flight is not closed yet: a request may be on its way. It is answered as the last
            // one, and where none comes the timeouts close the connection.
            if !state.is_idle() {
                connection.graceful_shutdown();
            }
        })
        .await;
        if let Some(Err(error)) = outcome {
            if let Some(status) = linger_slot.refusal() {
                farewell = Some((status, refusal(status, &error, limits)));
            } else if let Some(status) = status_sent_by_hyper(&error) {
                context.service.answered(&info, status, 0);
            }
        }
    }
    if let Some((mut net_stream, _permit)) = linger_slot.take() {
        if farewell.is_none() && state.close_mode() == CloseMode::Expire {
            farewell = Some((StatusCode::REQUEST_TIMEOUT, "the request head did not arrive in time\n".to_owned()));
        }
        let closing = async {
            if let Some((status, text)) = farewell {
                let taken = say(&mut net_stream, status, &text).await;
                context.service.answered(&info, status, if taken { text.len() as u64 } else { 0 });
            }
            linger(net_stream).await;
        };
        Box::pin(closing).await;
    }
}

/// Why hyper has refused a head, for the client to read.
#[cold]
fn refusal(status: StatusCode, error: &hyper::Error, limits: &Limits) -> String {
    match status {
        StatusCode::URI_TOO_LONG => "the request target is longer than 65534 bytes\n".to_owned(),
        StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE => format!(
            "the request head is larger than the {} bytes of head_size, or has more than the {} fields of header_count\n",
            limits.head_size, limits.header_count
        ),
        // hyper names the part of the head, and nothing of what was sent.
        _ => format!("this is no HTTP/1.1 request: {error} (RFC 9112)\n"),
    }
}

async fn http2<S: Service>(
    context: &Arc<WorkerContext<S>>,
    net_stream: NetStream,
    permit: Permit,
    info: Arc<ConnectionInfo>,
    state: &Arc<ConnectionState>,
    registration: &Registration,
) {
    let io = ConnIo::http2(net_stream, permit, Arc::clone(state));
    let service =
        Arc::new(ConnectionService { context: Arc::clone(context), info, state: Arc::clone(state), multiplexed: true });
    let connection = http2::Builder::new(StreamExecutor(context.spawner.clone()))
        .timer(TokioTimer::new())
        .max_concurrent_streams(MAX_STREAMS)
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_header_list_size(
            u32::try_from(context.config.limits.head_size).unwrap_or(u32::MAX).saturating_mul(REFUSABLE),
        )
        .serve_connection(TokioIo::new(io), service_fn(move |request| service.answer(request)));
    let _ = run_until_closed(pin!(connection), state, registration, |connection| {
        connection.graceful_shutdown();
    })
    .await;
}

/// Polls a connection to its end, or until it is to close at once: then the result is None. `drain` begins a graceful
/// shutdown.
async fn run_until_closed<C: Future>(
    mut connection: Pin<&mut C>,
    state: &ConnectionState,
    registration: &Registration,
    drain: impl Fn(Pin<&mut C>),
) -> Option<C::Output> {
    let (mut has_wakers, mut draining) = (false, false);
    poll_fn(|cx| {
        if !has_wakers {
            registration.set_waker(cx.waker());
            state.set_waker(cx.waker());
            has_wakers = true;
        }
        if state.close_mode() >= CloseMode::Expire {
            return Poll::Ready(None);
        }
        // Before it is drained: a request that has been read already is answered.
        if let Poll::Ready(outcome) = connection.as_mut().poll(cx) {
            return Poll::Ready(Some(outcome));
        }
        if !draining && state.close_mode() == CloseMode::Drain {
            draining = true;
            // A graceful shutdown proceeds only when it is polled again.
            cx.waker().wake_by_ref();
            drain(connection.as_mut());
        }
        Poll::Pending
    })
    .await
}

/// Writes an answer that is no service's, the last one of its connection. Gives whether the client has taken it.
async fn say(net_stream: &mut NetStream, status: StatusCode, text: &str) -> bool {
    // Without a clock that can be right there is no Date (RFC 9110, section 6.6.1).
    let date = http_date(SystemTime::now()).map(|date| format!("date: {date}\r\n")).unwrap_or_default();
    let answer = format!(
        "HTTP/1.1 {status}\r\nconnection: close\r\ncontent-type: text/plain; charset=utf-8\r\n\
         content-length: {}\r\n{date}\r\n{text}",
        text.len()
    );
    let written = async {
        net_stream.write_all(answer.as_bytes()).await?;
        net_stream.flush().await
    };
    matches!(tokio::time::timeout(LINGER_TIME, written).await, Ok(Ok(())))
}

/// Ends a connection, and listens until the client has heard it.
async fn linger(mut net_stream: NetStream) {
    let closing = async {
        net_stream.shutdown().await?;
        let mut scratch = [0; 4096];
        while tokio::time::timeout(LINGER_PAUSE, net_stream.read(&mut scratch)).await?? > 0 {}
        io::Result::Ok(())
    };
    // An error ends it as well.
    let _ = tokio::time::timeout(LINGER_TIME, closing).await;
}

/// Runs HTTP/2 streams on the worker of their connection.
#[derive(Clone)]
struct StreamExecutor(Spawner);

impl<F> hyper::rt::Executor<F> for StreamExecutor
where
    F: Future<Output = ()> + Send + 'static,
{
    fn execute(&self, future: F) {
        self.0.spawn(future);
    }
}

/// Answers the requests of one connection: hyper's service.
struct ConnectionService<S> {
    context: Arc<WorkerContext<S>>,
    info: Arc<ConnectionInfo>,
    state: Arc<ConnectionState>,
    multiplexed: bool,
}

impl<S: Service> ConnectionService<S> {
    fn answer(
        self: &Arc<Self>,
        request: Request<Incoming>,
    ) -> impl Future<Output = Result<Response<TrackedBody>, Infallible>> + Send + use<S> {
        let (in_flight, index) = InFlight::begin(&self.state);
        let method_kind = MethodKind::of(request.method());
        let source = match self.head_error(&request, index, method_kind) {
            Some(head_error) => self.refuse(request, head_error),
            None => self.call(request, index),
        };
        ResponseFuture { source, service: Arc::clone(self), in_flight: Some(in_flight), index, method_kind }
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

    fn finish(
        &self,
        mut response: Response<Body>,
        mut in_flight: InFlight,
        index: u64,
        method_kind: MethodKind,
    ) -> Response<TrackedBody> {
        let remaining = framing::finalize(&mut response, method_kind, self.multiplexed);
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
        response.map(|body| TrackedBody {
            body,
            in_flight,
            multiplexed: self.multiplexed,
            failure: None,
            remaining,
            marker: None,
        })
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
    method_kind: MethodKind,
}

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
        Poll::Ready(Ok(this.service.finish(response, in_flight, this.index, this.method_kind)))
    }
}

/// What is wrong with a target in absolute form, or with that of CONNECT (RFC 9112, section 3.2).
#[cold]
fn http1_target_error(uri: &Uri, method_kind: MethodKind) -> Option<HeadError> {
    if method_kind == MethodKind::Connect {
        return (!uri.path().is_empty()).then_some(HeadError::BadTarget);
    }
    if !is_http(uri) {
        return Some(HeadError::BadScheme);
    }
    // Without user information (RFC 9110, section 4.2.4).
    uri.authority().is_some_and(|authority| !conn::is_host(authority.as_str().as_bytes())).then_some(HeadError::BadHost)
}

fn is_http(uri: &Uri) -> bool {
    // Of any case (RFC 3986, section 3.1).
    uri.scheme_str().is_none_or(|scheme| ["http", "https"].iter().any(|name| scheme.eq_ignore_ascii_case(name)))
}

/// What is wrong with the target of an HTTP/2 request, by the rules that HTTP/1.1 has for its own (RFC 9113, section
/// 8.3.1).
fn http2_target_error(request: &Request<Incoming>) -> Option<HeadError> {
    let uri = request.uri();
    if !is_http(uri) {
        return Some(HeadError::BadScheme);
    }
    if uri.path_and_query().is_some_and(|target| target.as_str().starts_with('?')) {
        return Some(HeadError::BadTarget);
    }
    let mut hosts = request.headers().get_all(HOST).iter();
    let host = hosts.next().map(HeaderValue::as_bytes);
    if hosts.next().is_some() {
        return Some(HeadError::SeveralHosts);
    }
    let authority = uri.authority().map(|authority| authority.as_str().as_bytes());
    if [host, authority].into_iter().flatten().any(|value| !conn::is_host(value)) {
        return Some(HeadError::BadHost);
    }
    match (host, authority) {
        (None, None) => Some(HeadError::NoHost),
        (Some(host), Some(authority)) => {
            let port = default_port(uri);
            let (host, authority) = (without_port(host, port), without_port(authority, port));
            (!host.eq_ignore_ascii_case(authority)).then_some(HeadError::HostIsNotAuthority)
        }
        _ => None,
    }
}

/// The port that a host may be without: that of the scheme, as the end of a host.
fn default_port(uri: &Uri) -> &'static [u8] {
    if uri.scheme_str().is_some_and(|scheme| scheme.eq_ignore_ascii_case("http")) { b":80" } else { b":443" }
}

/// A host without that port, or without an empty one (RFC 3986, section 6.2.3).
fn without_port<'a>(host: &'a [u8], port: &[u8]) -> &'a [u8] {
    host.strip_suffix(port).or_else(|| host.strip_suffix(b":")).unwrap_or(host)
}

/// The fields of a head, as HTTP/1.1 would have sent them: HTTP/2 lets a client send each cookie apart (RFC 9113,
/// section 8.2.3).
fn fields(headers: &HeaderMap) -> usize {
    headers.len() - headers.get_all(COOKIE).iter().count().saturating_sub(1)
}

/// The size of a head in bytes, as HTTP/2 counts it (RFC 9113, section 6.5.2).
fn list_size(request: &Request<Incoming>) -> usize {
    const FIELD: usize = 32;
    const PSEUDO: usize = 4 * FIELD + ":method:scheme:authority:path".len();
    let uri = request.uri();
    let target = uri.path_and_query().map_or(0, |target| target.as_str().len());
    let authority = uri.authority().map_or(0, |authority| authority.as_str().len());
    let line = request.method().as_str().len() + uri.scheme_str().map_or(0, str::len) + authority + target + PSEUDO;
    let fields = request.headers().iter().map(|(name, value)| name.as_str().len() + value.len() + FIELD);
    line + fields.sum::<usize>()
}

fn panicked() -> Response<Body> {
    plain(StatusCode::INTERNAL_SERVER_ERROR, "Internal Server Error\n")
}

/// The status of a connection that ended with this error and an answer that could not be kept back, or none: hyper
/// gives none to the preface of HTTP/2.
fn status_sent_by_hyper(error: &hyper::Error) -> Option<StatusCode> {
    if error.is_parse_too_large() {
        Some(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE)
    } else if error.is_parse() {
        Some(StatusCode::BAD_REQUEST)
    } else {
        None
    }
}

/// A response's body; the request is in flight until it is dropped.
struct TrackedBody {
    body: Body,
    in_flight: InFlight,
    multiplexed: bool,
    /// An error that waits until what came before it is written, and the number of flushes at that time.
    failure: Option<Box<(BodyError, u64)>>,
    /// Bytes left of a stream that has a Content-Length.
    remaining: Option<u64>,
    /// HTTP/2: whether what came before the error has passed flow control.
    marker: Option<Arc<FlushMarker>>,
}

/// Whether a frame that carries nothing has left h2's queue, and with it all data before it on its stream: h2 drops it
/// then.
#[derive(Default)]
struct FlushMarker {
    passed: AtomicBool,
    waker: Mutex<Option<Waker>>,
}

/// The content of that frame.
struct MarkerFrame(Arc<FlushMarker>);

impl AsRef<[u8]> for MarkerFrame {
    fn as_ref(&self) -> &[u8] {
        &[]
    }
}

impl Drop for MarkerFrame {
    fn drop(&mut self) {
        self.0.passed.store(true, Ordering::Release);
        let waker = self.0.waker.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

impl FlushMarker {
    fn poll_passed(&self, cx: &Context<'_>) -> Poll<()> {
        if !self.passed.load(Ordering::Acquire) {
            *self.waker.lock().unwrap_or_else(PoisonError::into_inner) = Some(cx.waker().clone());
            if !self.passed.load(Ordering::Acquire) {
                return Poll::Pending;
            }
        }
        Poll::Ready(())
    }
}

impl TrackedBody {
    /// hyper and h2 drop what they have not written yet when they are given an error: what came before is to be out. A
    /// client whose window has no room for it has the send timeout to make some.
    fn poll_failure(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        if self.multiplexed && self.failure.is_some() {
            match &self.marker {
                None => {
                    let marker = Arc::<FlushMarker>::default();
                    self.marker = Some(Arc::clone(&marker));
                    self.in_flight.set_untaken(true);
                    return Poll::Ready(Some(Ok(Frame::data(Bytes::from_owner(MarkerFrame(marker))))));
                }
                Some(marker) => ready!(marker.poll_passed(cx)),
            }
            self.in_flight.set_untaken(false);
            let flushes = self.in_flight.connection_state().flushes();
            if let Some(failure) = &mut self.failure
                && failure.1 == NOT_FLUSHED
            {
                failure.1 = flushes;
            }
        }
        let state = self.in_flight.connection_state();
        match &self.failure {
            // HTTP/2 flushes in between as well: then the rest is still blocked, or out before its task rests.
            Some(failure) if state.flushes() == failure.1 || state.is_write_blocked() => {
                state.await_flush(cx.waker());
                Poll::Pending
            }
            _ => Poll::Ready(self.failure.take().map(|failure| Err(failure.0))),
        }
    }

    /// Aborts a stream that is longer or shorter than its Content-Length: the bytes after it would be misread.
    #[cold]
    fn check_length(
        &mut self,
        frame: Option<Result<Frame<Bytes>, BodyError>>,
    ) -> Option<Result<Frame<Bytes>, BodyError>> {
        let left = self.remaining.unwrap_or_default();
        match frame {
            Some(Ok(frame)) => {
                let size = frame.data_ref().map_or(0, |data| data.len() as u64);
                let Some(left) = left.checked_sub(size) else { return Some(Err(BodyError::Aborted)) };
                self.remaining = Some(left);
                Some(Ok(frame))
            }
            None if left > 0 => {
                self.remaining = None;
                Some(Err(BodyError::Aborted))
            }
            other => other,
        }
    }
}

impl http_body::Body for TrackedBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        if self.failure.is_some() {
            return self.poll_failure(cx);
        }
        let mut frame = Pin::new(&mut self.body).poll_frame(cx);
        if self.remaining.is_some() {
            frame = frame.map(|frame| self.check_length(frame));
        }
        if self.multiplexed {
            let untaken = matches!(frame, Poll::Ready(Some(Ok(_))));
            self.in_flight.set_untaken(untaken);
        }
        if let Poll::Ready(Some(Err(error))) = frame {
            let since = if self.multiplexed { NOT_FLUSHED } else { self.in_flight.connection_state().flushes() };
            self.failure = Some(Box::new((error, since)));
            return self.poll_failure(cx);
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        // An error is no end, even where the body has nothing more to send.
        self.failure.is_none() && self.remaining.unwrap_or_default() == 0 && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
