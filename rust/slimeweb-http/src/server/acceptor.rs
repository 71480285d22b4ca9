//! Accepts connections and gives each to the worker with the fewest.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tokio::net::TcpListener;
#[cfg(unix)]
use tokio::net::UnixListener;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};

use super::handle::ShutdownGuard;
#[cfg(unix)]
use super::listener::SocketFile;
use super::listener::{Listener, ListeningSocket};
use crate::address::{Address, Peer};
use crate::conn::{Accepted, AcceptedSocket, Permit, WorkerLoad};

/// How long to wait when the system cannot give a connection (too many open files, no memory).
const BACK_OFF: Duration = Duration::from_millis(50);
/// A failure to accept is reported at most this often.
const REPORT_INTERVAL: Duration = Duration::from_secs(10);

/// What the acceptor's thread sends to a worker.
pub(crate) enum AcceptorMessage {
    Accepted(Accepted),
    /// Accepting has failed: connections wait in the system's backlog.
    Failed(io::Error),
}

/// Gives each connection to the worker with the fewest.
#[derive(Clone)]
pub(crate) struct Balancer {
    pub(crate) workers: Arc<[(mpsc::UnboundedSender<AcceptorMessage>, Arc<WorkerLoad>)]>,
    pub(crate) room: Arc<Semaphore>,
    pub(crate) ids: Arc<AtomicU64>,
}

impl Balancer {
    fn assign(&self, socket: AcceptedSocket, peer: Peer, local: Address, room: OwnedSemaphorePermit) {
        let Some((worker, load)) = self.workers.iter().min_by_key(|(_, load)| load.connections()) else { return };
        let id = self.ids.fetch_add(1, Ordering::Relaxed);
        let permit = Permit::new(Arc::clone(load), room);
        // Where the worker has ended, the connection is closed.
        let _ = worker.send(AcceptorMessage::Accepted(Accepted { socket, peer, local, id, permit }));
    }

    /// The first worker alone: its service reports it once for all.
    fn report_error(&self, error: io::Error) {
        if let Some((worker, _)) = self.workers.first() {
            let _ = worker.send(AcceptorMessage::Failed(error));
        }
    }
}

/// Accepts on every listener until the server shuts down. Runs on a thread of its own.
pub(crate) async fn run(listeners: Vec<Listener>, balancer: Balancer, guard: ShutdownGuard) -> io::Result<()> {
    let mut accept_loops = tokio::task::JoinSet::new();
    for listener in listeners {
        let accept_loop = AcceptLoop::new(listener)?;
        let (balancer, guard) = (balancer.clone(), guard.clone());
        accept_loops.spawn(async move {
            tokio::select! {
                () = guard.shutting_down() => {}
                () = accept_loop.run(&balancer) => {}
            }
            accept_loop.finish(&balancer).await;
        });
    }
    while accept_loops.join_next().await.is_some() {}
    Ok(())
}

/// Accepts on one listener, on the acceptor's runtime.
struct AcceptLoop {
    address: Address,
    socket: ListenerSocket,
}

enum ListenerSocket {
    Tcp(TcpListener),
    #[cfg(unix)]
    Unix {
        listener: UnixListener,
        /// Removed when accepting ends.
        _file: SocketFile,
    },
}

impl AcceptLoop {
    fn new(listener: Listener) -> io::Result<Self> {
        let address = listener.address().clone();
        let socket = match listener.socket {
            ListeningSocket::Tcp(socket) => ListenerSocket::Tcp(TcpListener::from_std(socket)?),
            #[cfg(unix)]
            ListeningSocket::Unix(socket, file) => {
                ListenerSocket::Unix { listener: UnixListener::from_std(socket)?, _file: file }
            }
        };
        Ok(Self { address, socket })
    }

    async fn run(&self, balancer: &Balancer) {
        let mut reported_at: Option<Instant> = None;
        loop {
            // The permit first: a connection above the limit waits in the backlog. The semaphore is never closed.
            let Ok(room) = Arc::clone(&balancer.room).acquire_owned().await else { return };
            match self.accept().await {
                Ok((socket, peer, local)) => balancer.assign(socket, peer, local, room),
                Err(error) if is_the_clients(&error) => {}
                Err(error) => {
                    if reported_at.is_none_or(|reported_at| reported_at.elapsed() >= REPORT_INTERVAL) {
                        reported_at = Some(Instant::now());
                        balancer.report_error(error);
                    }
                    tokio::time::sleep(BACK_OFF).await;
                }
            }
        }
    }

    /// Accepts the connections in the backlog: the system resets those when the listener is closed,
    /// and with it requests that have been sent already.
    async fn finish(&self, balancer: &Balancer) {
        while let Ok(room) = Arc::clone(&balancer.room).try_acquire_owned() {
            let accepted = tokio::select! {
                biased;
                accepted = self.accept() => accepted,
                () = tokio::task::yield_now() => return,
            };
            match accepted {
                Ok((socket, peer, local)) => balancer.assign(socket, peer, local, room),
                Err(error) if is_the_clients(&error) => {}
                Err(_) => return,
            }
        }
    }

    async fn accept(&self) -> io::Result<(AcceptedSocket, Peer, Address)> {
        match &self.socket {
            ListenerSocket::Tcp(listener) => {
                let (stream, peer) = listener.accept().await?;
                stream.set_nodelay(true)?;
                let local = match &self.address {
                    Address::Tcp(address) if address.ip().is_unspecified() => Address::Tcp(stream.local_addr()?),
                    address => address.clone(),
                };
                Ok((AcceptedSocket::Tcp(stream.into_std()?), Peer::Tcp(peer), local))
            }
            #[cfg(unix)]
            ListenerSocket::Unix { listener, .. } => {
                let (stream, _) = listener.accept().await?;
                Ok((AcceptedSocket::Unix(stream.into_std()?), Peer::Unix, self.address.clone()))
            }
        }
    }
}

/// Whether an accept failed for a reason that ended with the connection it was about.
fn is_the_clients(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionReset, Interrupted, InvalidInput, NotConnected};
    // A client that has reset already makes the calls after the accept fail (EINVAL, ENOTCONN).
    matches!(error.kind(), ConnectionAborted | ConnectionReset | Interrupted | InvalidInput | NotConnected)
}
