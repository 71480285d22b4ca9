//! An upgraded connection (after a protocol switch): bytes between the socket and a protocol object in a worker's event
//! loop.
//!
//! All calls to the protocol are made in the loop's thread, in order, so no two overlap for one connection. Both
//! directions are bounded: reading stops while the protocol is behind, and the protocol is told to pause while the
//! client is.

mod connection;
pub(crate) mod transport;

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::BytesMut;
use pyo3::exceptions::PyOSError;
use pyo3::intern;
use pyo3::prelude::*;
use slimeweb_http::ConnectionInfo;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite};
use tokio::sync::oneshot;

use crate::app::Counters;
use crate::request::context::App;
use crate::route::CompiledRoute;
use crate::sent::{Cut, Switched};
use crate::switch::{AwaitedSwitch, Candidate};
use connection::{READ, UpgradedConnection};
use transport::Transport;

/// How long a connection that has ended is kept, at most, until its protocol has been told and its client has closed.
const LINGER_TIME: Duration = Duration::from_secs(2);

/// Calls the protocol's `connection_lost`: once, however the task ends.
struct LossNotice {
    upgraded: Arc<UpgradedConnection>,
    awaited: Option<Arc<AwaitedSwitch>>,
    is_sent: bool,
}

impl LossNotice {
    /// Waits until `connection_lost` has returned, so that a server that stops waits for it as well.
    async fn send(mut self, error: Option<std::io::Error>) {
        let told = self.post(error);
        let _ = tokio::time::timeout(LINGER_TIME, told).await;
    }

    fn post(&mut self, error: Option<std::io::Error>) -> oneshot::Receiver<()> {
        let (sender, receiver) = oneshot::channel();
        self.is_sent = true;
        self.upgraded.abort();
        let awaited = self.awaited.take();
        self.upgraded.call_protocol(move |upgraded, protocol| {
            let py = protocol.py();
            let reason = error.map(|error| match error.raw_os_error() {
                Some(_) => PyErr::from(error).into_value(py).into_any(),
                None => PyOSError::new_err(error.to_string()).into_value(py).into_any(),
            });
            let told = protocol.call_method1(intern!(py, "connection_lost"), (reason,));
            upgraded.forget_protocol();
            awaited.iter().for_each(|awaited| awaited.lost());
            // The receiver is gone where the worker has ended before.
            let _ = sender.send(());
            told.map(drop)
        });
        receiver
    }
}

impl Drop for LossNotice {
    fn drop(&mut self) {
        if !self.is_sent {
            drop(self.post(None));
        }
    }
}
/// Drains what a client still sends after our FIN, for up to LINGER_TIME: closing before that would make the system
/// send a reset, which can overtake what the client has not read yet.
async fn linger(mut io: impl AsyncRead + Unpin) {
    let mut rest = BytesMut::with_capacity(READ);
    let drained = async {
        while matches!(io.read_buf(&mut rest).await, Ok(1..)) {
            rest.clear();
        }
    };
    let _ = tokio::time::timeout(LINGER_TIME, drained).await;
}

/// Tells those who want to know of the connection's end, when it is dropped.
struct EndNotice {
    upgraded: Arc<UpgradedConnection>,
    switched: Option<Switched>,
    cut: Option<Cut>,
}

impl Drop for EndNotice {
    fn drop(&mut self) {
        let entry = self.switched.as_ref().and_then(|switched| switched.lock().take());
        if let Some(mut entry) = entry {
            entry.end(self.upgraded.written(), self.cut);
        }
    }
}

/// Counts one open upgraded connection.
struct OpenCount(Arc<Counters>);

impl OpenCount {
    fn new(app: &App) -> Self {
        app.counters.upgraded.fetch_add(1, Ordering::Relaxed);
        Self(Arc::clone(&app.counters))
    }
}

impl Drop for OpenCount {
    fn drop(&mut self) {
        self.0.upgraded.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Runs one upgraded connection to its end.
pub(crate) async fn run(
    io: impl AsyncRead + AsyncWrite + Unpin,
    mut candidate: Candidate,
    route: Arc<CompiledRoute>,
    app: Arc<App>,
    worker_id: usize,
    connection: Arc<ConnectionInfo>,
    switched: Option<Switched>,
) {
    let worker_id = candidate.worker_id().unwrap_or(worker_id);
    // Dropped last.
    let _after = candidate.take_after();
    let reporter = candidate.reporter();
    let (protocol, awaited) = candidate.take();
    let _counted = OpenCount::new(&app);
    let connecting = awaited.clone();
    let upgraded = UpgradedConnection::new(app, worker_id, connection, route, protocol, reporter);
    upgraded.call_protocol(move |upgraded, protocol| {
        let transport = Bound::new(protocol.py(), Transport::new(Arc::clone(upgraded)))?;
        let made = protocol.call_method1(intern!(protocol.py(), "connection_made"), (&transport,)).map(drop);
        match connecting {
            None => made,
            Some(awaited) => awaited.connected(&transport, made),
        }
    });
    let mut end_notice = EndNotice { upgraded: Arc::clone(&upgraded), switched, cut: Some(Cut::ServerStopped) };
    let loss_notice = LossNotice { upgraded: Arc::clone(&upgraded), awaited, is_sent: false };
    let (mut reader, writer) = tokio::io::split(io);
    let (error, read_all) = {
        let reading = upgraded.read(&mut reader);
        let writing = upgraded.write_out(writer);
        tokio::pin!(reading, writing);
        let mut read_all = false;
        loop {
            tokio::select! {
                read = &mut reading, if !read_all => match read {
                    // The protocol decides whether it sends more.
                    Ok(()) => read_all = true,
                    Err(error) => break (Some(error), true),
                },
                written = &mut writing => break (written.err(), read_all),
            }
        }
    };
    let closed = error.is_none() && upgraded.is_closed();
    end_notice.cut = match &error {
        _ if closed => None,
        None => Some(Cut::Aborted),
        Some(error) if error.raw_os_error() == Some(nix::libc::ETIMEDOUT) => Some(Cut::Timeout),
        Some(_) => Some(Cut::ClientLeft),
    };
    if closed && !read_all {
        tokio::join!(loss_notice.send(error), linger(reader));
    } else {
        loss_notice.send(error).await;
    }
}
