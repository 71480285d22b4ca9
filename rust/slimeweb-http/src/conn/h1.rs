//! A connection that speaks HTTP/1.1.

use std::pin::pin;
use std::sync::Arc;

use http::StatusCode;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;

use super::closing::run_until_closed;
use super::context::WorkerContext;
use super::io::ConnIo;
use super::linger::{LingerSlot, linger, say};
use super::permit::Permit;
use super::registry::Registration;
use super::service::ConnectionService;
use super::state::{CloseMode, ConnectionState};
use super::stream::NetStream;
use crate::config::Limits;
use crate::service::{ConnectionInfo, Service};

/// Header fields that hyper takes where it is told nothing. Room for them is on its stack; once it is told a number, it
/// allocates the room with each request.
const HYPER_HEADER_COUNT: usize = 100;

/// The smallest buffer that hyper takes.
const MIN_BUFFER: usize = 8 * 1024;
/// The buffers' limit where heads are smaller: big enough for bodies to flow.
const BUFFER: usize = 64 * 1024;

/// Serves the connection to its end.
pub(super) async fn http1<S: Service>(
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
    let io = ConnIo::http1(
        net_stream,
        permit,
        Arc::clone(&info),
        Arc::clone(state),
        Arc::clone(&linger_slot),
        limits.head_size,
    );
    let service = Arc::new(ConnectionService {
        context: Arc::clone(context),
        info: Arc::clone(&info),
        state: Arc::clone(state),
        multiplexed: false,
    });
    {
        let mut builder = http1::Builder::new();
        if limits.header_count != HYPER_HEADER_COUNT {
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
