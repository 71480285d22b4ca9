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
use crate::error::BodyError;
use crate::executor::Spawner;
use crate::files::http_date;
use crate::framing::{self, Asked};
use crate::request_body::RequestBody;
use crate::service::{ConnectionInfo, Exchange, Service, plain};
use crate::wire::{self, CloseMode, ConnectionState, Fault, InFlight, Parting, Socket, Transport, Wire};
use crate::worker::{Registration, WorkerContext};

/// HTTP/2 streams that a client may have open at a time.
const STREAMS: u32 = 256;
/// hyper's least buffer.
const LEAST_BUFFER: usize = 8 * 1024;
/// The buffers' limit where heads are smaller: big enough for bodies to flow.
const BUFFER: usize = 64 * 1024;
/// For how long a client is listened to that has been answered already, altogether and between two pieces.
const LINGER_TIME: Duration = Duration::from_secs(30);
const LINGER_PAUSE: Duration = Duration::from_secs(2);
/// What a client may send ahead on one HTTP/2 stream, in bytes, and on all of a connection: as much as all streams may,
/// so that a handler that does not read holds up no other stream.
const STREAM_WINDOW: u32 = 256 * 1024;
const CONNECTION_WINDOW: u32 = STREAMS * STREAM_WINDOW;

/// How many times `head_size` h2 takes in. It refuses what is larger with a 431 and a reset by which clients that still
/// send are told to ask again; what is smaller gets an answer of ours.
const REFUSABLE: u32 = 4;

/// Instead of a number of flushes: what came before an error is not written yet.
const NOT_PASSED: u64 = u64::MAX;

/// Serves one connection.
pub(crate) async fn run<S: Service>(context: Arc<WorkerContext<S>>, accepted: Accepted) {
    let Accepted { socket, peer, local, id, permit } = accepted;
    // A failure here is the connection's own; there is nobody to tell.
    let Ok(socket) = into_tokio(socket) else { return };
    let tls = context.config.tls.clone();
    let info = Arc::new(ConnectionInfo { peer, local, tls: tls.is_some(), id });
    let transport = match tls {
        None => Transport::Plain(socket),
        Some(tls) => {
            // Registered as a connection without a request: a handshake may take as long as a first head, and is given
            // up as soon when the server stops.
            let state = ConnectionState::new(Arc::clone(&context.clock));
            let registration = context.registry.register(id, Arc::clone(&state));
            let mut handshake = Box::pin(TlsAcceptor::from(tls.0).accept(socket));
            match drive(Pin::new(&mut handshake), &state, &registration, |_| {}).await {
                Some(Ok(stream)) => Transport::Tls(Box::new(stream)),
                _ => return,
            }
        }
    };
    let state = ConnectionState::new(Arc::clone(&context.clock));
    let registration = context.registry.register(id, Arc::clone(&state));
    if transport.speaks_http2() {
        Box::pin(http2(&context, transport, permit, info, &state, &registration)).await;
    } else {
        http1(&context, transport, permit, info, &state, &registration).await;
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
    transport: Transport,
    permit: Permit,
    info: Arc<ConnectionInfo>,
    state: &Arc<ConnectionState>,
    registration: &Registration,
) {
    let limits = &context.config.limits;
    let parting = Arc::new(Parting::default());
    let mut farewell = None;
    let wire = Wire::http1(transport, permit, Arc::clone(state), Arc::clone(&parting), limits.head_size);
    let desk = Arc::new(Desk {
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
                // The wire looks whether the client leaves.
                .half_close(true)
                .keep_alive(true)
                // With it, hyper keeps back an answer while unread bytes are left, also the last one before it closes.
                .pipeline_flush(false)
                .max_header_size(limits.head_size)
                .max_buf_size(limits.head_size.max(BUFFER).max(LEAST_BUFFER))
                .serve_connection(TokioIo::new(wire), service_fn(move |request| desk.answer(request)))
                .with_upgrades()
        );
        let outcome = drive(connection, state, registration, |connection| {
            // One with nothing in flight is not closed yet: a request may be on its way. It is answered as the last
            // one, and where none comes the timeouts close the connection.
            if !state.is_idle() {
                connection.graceful_shutdown();
            }
        })
        .await;
        if let Some(Err(error)) = outcome {
            if let Some(status) = parting.refusal() {
                farewell = Some((status, refusal(status, &error, limits)));
            } else if let Some(status) = own_answer(&error) {
                context.service.answered(&info, status, 0);
            }
        }
    }
    if let Some((mut transport, _permit)) = parting.take() {
        if farewell.is_none() && state.close_mode() == CloseMode::Expire {
            farewell = Some((StatusCode::REQUEST_TIMEOUT, "the request head did not arrive in time\n".to_owned()));
        }
        let goodbye = async {
            if let Some((status, text)) = farewell {
                let taken = say(&mut transport, status, &text).await;
                context.service.answered(&info, status, if taken { text.len() as u64 } else { 0 });
            }
            linger(transport).await;
        };
        Box::pin(goodbye).await;
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
    transport: Transport,
    permit: Permit,
    info: Arc<ConnectionInfo>,
    state: &Arc<ConnectionState>,
    registration: &Registration,
) {
    let wire = Wire::http2(transport, permit, Arc::clone(state));
    let desk = Arc::new(Desk { context: Arc::clone(context), info, state: Arc::clone(state), multiplexed: true });
    let connection = http2::Builder::new(Streams(context.spawner.clone()))
        .timer(TokioTimer::new())
        .max_concurrent_streams(STREAMS)
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_header_list_size(
            u32::try_from(context.config.limits.head_size).unwrap_or(u32::MAX).saturating_mul(REFUSABLE),
        )
        .serve_connection(TokioIo::new(wire), service_fn(move |request| desk.answer(request)));
    let _ = drive(pin!(connection), state, registration, |connection| {
        connection.graceful_shutdown();
    })
    .await;
}

/// Polls a connection to its end, or until it is to close at once: then the result is None. `drain` begins a graceful
/// shutdown.
async fn drive<C: Future>(
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
async fn say(transport: &mut Transport, status: StatusCode, text: &str) -> bool {
    // Without a clock that can be right there is no Date (RFC 9110, section 6.6.1).
    let date = http_date(SystemTime::now()).map(|date| format!("date: {date}\r\n")).unwrap_or_default();
    let answer = format!(
        "HTTP/1.1 {status}\r\nconnection: close\r\ncontent-type: text/plain; charset=utf-8\r\n\
         content-length: {}\r\n{date}\r\n{text}",
        text.len()
    );
    let written = async {
        transport.write_all(answer.as_bytes()).await?;
        transport.flush().await
    };
    matches!(tokio::time::timeout(LINGER_TIME, written).await, Ok(Ok(())))
}

/// Ends a connection, and listens until the client has heard it.
async fn linger(mut transport: Transport) {
    let goodbye = async {
        transport.shutdown().await?;
        let mut scratch = [0; 4096];
        while tokio::time::timeout(LINGER_PAUSE, transport.read(&mut scratch)).await?? > 0 {}
        io::Result::Ok(())
    };
    // Whatever goes wrong, it is over.
    let _ = tokio::time::timeout(LINGER_TIME, goodbye).await;
}

/// Runs HTTP/2 streams on the worker of their connection.
#[derive(Clone)]
struct Streams(Spawner);

impl<F> hyper::rt::Executor<F> for Streams
where
    F: Future<Output = ()> + Send + 'static,
{
    fn execute(&self, future: F) {
        self.0.spawn(future);
    }
}

/// Where a connection's requests are answered.
struct Desk<S> {
    context: Arc<WorkerContext<S>>,
    info: Arc<ConnectionInfo>,
    state: Arc<ConnectionState>,
    multiplexed: bool,
}

impl<S: Service> Desk<S> {
    fn answer(
        self: &Arc<Self>,
        request: Request<Incoming>,
    ) -> impl Future<Output = Result<Response<Answer>, Infallible>> + Send + use<S> {
        let (in_flight, index) = InFlight::begin(&self.state);
        let asked = Asked::by(request.method());
        let call = match self.fault(&request, index, asked) {
            Some(fault) => self.refuse(request, fault),
            None => self.call(request, index),
        };
        Answering { call, desk: Arc::clone(self), in_flight: Some(in_flight), index, asked }
    }

    fn fault(&self, request: &Request<Incoming>, index: u64, asked: Asked) -> Option<Fault> {
        if !self.multiplexed {
            let names_host = request.uri().scheme().is_some() || asked == Asked::Connect;
            return self.state.fault(index).or_else(|| names_host.then(|| http1_fault(request.uri(), asked)).flatten());
        }
        let limits = &self.context.config.limits;
        if request.headers().len() > limits.header_count && fields(request.headers()) > limits.header_count {
            return Some(Fault::TooManyFields);
        }
        if list_size(request) > limits.head_size {
            return Some(Fault::HeadTooLarge);
        }
        http2_fault(request)
    }

    fn call(
        &self,
        request: Request<Incoming>,
        index: u64,
    ) -> Call<impl Future<Output = Response<Body>> + Send + Unpin + use<S>> {
        let (head, incoming) = request.into_parts();
        let limits = &self.context.config.limits;
        let mut body =
            RequestBody::new(incoming, &head.headers, self.multiplexed, limits.body_timeout, limits.body_rate);
        if !self.multiplexed {
            body.on_wire(&self.state, index);
        }
        let exchange = Exchange { head, body, connection: Arc::clone(&self.info) };
        // The service is not looked at again after a panic but for the next request, which it has to be ready for
        // anyway.
        match catch_unwind(AssertUnwindSafe(|| self.context.service.call(exchange))) {
            Ok(call) => Call::Running(call),
            Err(_) => Call::Ended(Box::new(panicked())),
        }
    }

    fn refuse<F>(&self, request: Request<Incoming>, fault: Fault) -> Call<F> {
        let (head, incoming) = request.into_parts();
        let limits = &self.context.config.limits;
        // So that the client gets to read the answer while it sends.
        RequestBody::new(incoming, &head.headers, self.multiplexed, limits.body_timeout, limits.body_rate).discard();
        let info = Arc::clone(&self.info);
        let answer = || self.context.service.refuse(head, info, fault.status(), fault.explanation());
        match catch_unwind(AssertUnwindSafe(answer)) {
            Ok(refusing) => Call::Refusing(refusing),
            Err(_) => Call::Ended(Box::new(panicked())),
        }
    }

    fn finish(
        &self,
        mut response: Response<Body>,
        mut in_flight: InFlight,
        index: u64,
        asked: Asked,
    ) -> Response<Answer> {
        let promised = framing::settle(&mut response, asked, self.multiplexed);
        let upgrades = response.status() == StatusCode::SWITCHING_PROTOCOLS;
        if response.body().size_hint().exact().is_none() {
            in_flight.begin_stream();
        }
        if self.info.tls {
            // Over HTTP/2, h2 would take the whole of it and the response be over, however little the client has taken.
            response.body_mut().cut_up();
        }
        if !self.multiplexed {
            if upgrades || (asked == Asked::Connect && response.status().is_success()) {
                self.state.become_tunnel();
            }
            let last = !upgrades && self.context.registry.is_draining();
            if last || self.state.fault(index).is_some() {
                response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
            }
        }
        response.map(|body| Answer {
            body,
            in_flight,
            multiplexed: self.multiplexed,
            failure: None,
            promised,
            mark: None,
        })
    }
}

/// A service at work, or the answer of one that is not asked or has panicked.
enum Call<F> {
    Running(F),
    Refusing(Pin<Box<dyn Future<Output = Response<Body>> + Send>>),
    Ended(Box<Response<Body>>),
}

/// One request's answer to come. Written out, since hyper moves it and keeps room for it with each connection.
struct Answering<S, F> {
    call: Call<F>,
    desk: Arc<Desk<S>>,
    /// Taken by the answer.
    in_flight: Option<InFlight>,
    index: u64,
    asked: Asked,
}

impl<S: Service, F: Future<Output = Response<Body>> + Unpin> Future for Answering<S, F> {
    type Output = Result<Response<Answer>, Infallible>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        let response = match &mut this.call {
            Call::Running(call) => match catch_unwind(AssertUnwindSafe(|| Pin::new(call).poll(cx))) {
                Ok(response) => ready!(response),
                Err(_) => panicked(),
            },
            Call::Refusing(call) => match catch_unwind(AssertUnwindSafe(|| call.as_mut().poll(cx))) {
                Ok(response) => ready!(response),
                Err(_) => panicked(),
            },
            Call::Ended(response) => std::mem::take(&mut **response),
        };
        // hyper does not poll a future after its end, which is when this is empty.
        let Some(in_flight) = this.in_flight.take() else { return Poll::Pending };
        Poll::Ready(Ok(this.desk.finish(response, in_flight, this.index, this.asked)))
    }
}

/// What is wrong with a target in absolute form, or with that of CONNECT (RFC 9112, section 3.2).
#[cold]
fn http1_fault(uri: &Uri, asked: Asked) -> Option<Fault> {
    if asked == Asked::Connect {
        return (!uri.path().is_empty()).then_some(Fault::BadTarget);
    }
    if !is_http(uri) {
        return Some(Fault::BadScheme);
    }
    // Without user information (RFC 9110, section 4.2.4).
    uri.authority().is_some_and(|authority| !wire::is_host(authority.as_str().as_bytes())).then_some(Fault::BadHost)
}

fn is_http(uri: &Uri) -> bool {
    // Of any case (RFC 3986, section 3.1).
    uri.scheme_str().is_none_or(|scheme| ["http", "https"].iter().any(|name| scheme.eq_ignore_ascii_case(name)))
}

/// What is wrong with the target of an HTTP/2 request, by the rules that HTTP/1.1 has for its own (RFC 9113, section
/// 8.3.1).
fn http2_fault(request: &Request<Incoming>) -> Option<Fault> {
    let uri = request.uri();
    if !is_http(uri) {
        return Some(Fault::BadScheme);
    }
    if uri.path_and_query().is_some_and(|target| target.as_str().starts_with('?')) {
        return Some(Fault::BadTarget);
    }
    let mut hosts = request.headers().get_all(HOST).iter();
    let host = hosts.next().map(HeaderValue::as_bytes);
    if hosts.next().is_some() {
        return Some(Fault::SeveralHosts);
    }
    let authority = uri.authority().map(|authority| authority.as_str().as_bytes());
    if [host, authority].into_iter().flatten().any(|value| !wire::is_host(value)) {
        return Some(Fault::BadHost);
    }
    match (host, authority) {
        (None, None) => Some(Fault::NoHost),
        (Some(host), Some(authority)) => {
            let port = default_port(uri);
            let (host, authority) = (without_port(host, port), without_port(authority, port));
            (!host.eq_ignore_ascii_case(authority)).then_some(Fault::HostIsNotAuthority)
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
fn own_answer(error: &hyper::Error) -> Option<StatusCode> {
    if error.is_parse_too_large() {
        Some(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE)
    } else if error.is_parse() {
        Some(StatusCode::BAD_REQUEST)
    } else {
        None
    }
}

/// A response's body, at whose end the request's time in flight ends.
struct Answer {
    body: Body,
    in_flight: InFlight,
    multiplexed: bool,
    /// An error that waits until what came before it is out, and the number of flushes until then.
    failure: Option<Box<(BodyError, u64)>>,
    /// Bytes that are still to come of a stream that has said how many there will be.
    promised: Option<u64>,
    /// HTTP/2: whether what came before the error is with the client as far as flow control goes.
    mark: Option<Arc<Mark>>,
}

/// Whether a frame that carries nothing has left h2's queue, and with it all data before it on its stream: h2 drops it
/// then.
#[derive(Default)]
struct Mark {
    passed: AtomicBool,
    waker: Mutex<Option<Waker>>,
}

/// The content of that frame.
struct Carried(Arc<Mark>);

impl AsRef<[u8]> for Carried {
    fn as_ref(&self) -> &[u8] {
        &[]
    }
}

impl Drop for Carried {
    fn drop(&mut self) {
        self.0.passed.store(true, Ordering::Release);
        let waker = self.0.waker.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

impl Mark {
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

impl Answer {
    /// hyper and h2 drop what they have not written yet when they are given an error: what came before is to be out. A
    /// client whose window has no room for it has the send timeout to make some.
    fn poll_failure(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        if self.multiplexed && self.failure.is_some() {
            match &self.mark {
                None => {
                    let mark = Arc::<Mark>::default();
                    self.mark = Some(Arc::clone(&mark));
                    self.in_flight.set_untaken(true);
                    return Poll::Ready(Some(Ok(Frame::data(Bytes::from_owner(Carried(mark))))));
                }
                Some(mark) => ready!(mark.poll_passed(cx)),
            }
            self.in_flight.set_untaken(false);
            let flushes = self.in_flight.connection_state().flushes();
            if let Some(failure) = &mut self.failure
                && failure.1 == NOT_PASSED
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

    /// Breaks a stream off that is longer or shorter than it said: whatever came after it would be misread.
    #[cold]
    fn hold_to_promise(
        &mut self,
        frame: Option<Result<Frame<Bytes>, BodyError>>,
    ) -> Option<Result<Frame<Bytes>, BodyError>> {
        let left = self.promised.unwrap_or_default();
        match frame {
            Some(Ok(frame)) => {
                let size = frame.data_ref().map_or(0, |data| data.len() as u64);
                let Some(left) = left.checked_sub(size) else { return Some(Err(BodyError::Aborted)) };
                self.promised = Some(left);
                Some(Ok(frame))
            }
            None if left > 0 => {
                self.promised = None;
                Some(Err(BodyError::Aborted))
            }
            other => other,
        }
    }
}

impl http_body::Body for Answer {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        if self.failure.is_some() {
            return self.poll_failure(cx);
        }
        let mut frame = Pin::new(&mut self.body).poll_frame(cx);
        if self.promised.is_some() {
            frame = frame.map(|frame| self.hold_to_promise(frame));
        }
        if self.multiplexed {
            let untaken = matches!(frame, Poll::Ready(Some(Ok(_))));
            self.in_flight.set_untaken(untaken);
        }
        if let Poll::Ready(Some(Err(error))) = frame {
            let since = if self.multiplexed { NOT_PASSED } else { self.in_flight.connection_state().flushes() };
            self.failure = Some(Box::new((error, since)));
            return self.poll_failure(cx);
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        // An error is not an end, also where the body has nothing more to say.
        self.failure.is_none() && self.promised.unwrap_or_default() == 0 && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
