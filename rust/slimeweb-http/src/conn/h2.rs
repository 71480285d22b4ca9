//! A connection that speaks HTTP/2.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;

use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};

use super::closing::run_until_closed;
use super::context::WorkerContext;
use super::io::ConnIo;
use super::permit::Permit;
use super::raw_targets::{MAX_FRAME_SIZE, TABLE_SIZE};
use super::registry::Registration;
use super::service::ConnectionService;
use super::state::ConnectionState;
use super::stream::NetStream;
use crate::runtime::Spawner;
use crate::service::{ConnectionInfo, Service};

/// HTTP/2 streams that a client may have open at a time.
const MAX_STREAMS: u32 = 256;
/// What a client may send ahead on one HTTP/2 stream, in bytes, and on all of a connection: as much as all streams may,
/// so that a handler that does not read holds up no other stream.
const STREAM_WINDOW: u32 = 256 * 1024;
const CONNECTION_WINDOW: u32 = MAX_STREAMS * STREAM_WINDOW;
/// How many times `head_size` h2 takes in. It refuses what is larger with a 431 and a reset by which clients that still
/// send are told to ask again; what is smaller gets an answer of ours.
const REFUSABLE: usize = 4;

/// Serves the connection to its end.
pub(super) async fn http2<S: Service>(
    context: &Arc<WorkerContext<S>>,
    net_stream: NetStream,
    permit: Permit,
    info: Arc<ConnectionInfo>,
    state: &Arc<ConnectionState>,
    registration: &Registration,
) {
    let list_size = context.config.limits.head_size.saturating_mul(REFUSABLE);
    let io = ConnIo::http2(net_stream, permit, Arc::clone(state), list_size);
    let service =
        Arc::new(ConnectionService { context: Arc::clone(context), info, state: Arc::clone(state), multiplexed: true });
    let connection = http2::Builder::new(StreamExecutor(context.spawner.clone()))
        .timer(TokioTimer::new())
        .max_concurrent_streams(MAX_STREAMS)
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .header_table_size(TABLE_SIZE as u32)
        .max_frame_size(MAX_FRAME_SIZE as u32)
        .max_header_list_size(u32::try_from(list_size).unwrap_or(u32::MAX))
        .serve_connection(TokioIo::new(io), service_fn(move |request| service.answer(request)));
    let _ = run_until_closed(pin!(connection), state, registration, |connection| {
        connection.graceful_shutdown();
    })
    .await;
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
