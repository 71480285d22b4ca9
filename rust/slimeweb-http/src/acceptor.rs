//! Takes connections and hands each to the worker with the fewest.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use tokio::net::TcpListener;
#[cfg(unix)]
use tokio::net::UnixListener;
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore, mpsc};

use crate::address::{Address, Peer};
use crate::handle::Running;
#[cfg(unix)]
use crate::listener::SocketFile;
use crate::listener::{Listener, ListeningSocket};
use crate::worker::ConnectionRegistry;

/// How long to wait when the system cannot give a connection (too many open files, no memory).
const BACK_OFF: Duration = Duration::from_millis(50);
/// That the system cannot is said so often at most.
const SAID_EVERY: Duration = Duration::from_secs(10);

/// What the thread that accepts has for a worker.
pub(crate) enum News {
    Arrival(Arrival),
    /// Connections wait in the system's backlog that cannot be accepted.
    Unaccepted(io::Error),
}

/// A connection that nobody has read from yet.
pub(crate) struct Arrival {
    pub(crate) socket: ArrivedSocket,
    pub(crate) peer: Peer,
    pub(crate) local: Address,
    pub(crate) id: u64,
    pub(crate) permit: Permit,
}

/// A socket between two runtimes.
pub(crate) enum ArrivedSocket {
    Tcp(std::net::TcpStream),
    #[cfg(unix)]
    Unix(std::os::unix::net::UnixStream),
}

/// The connections of one worker.
#[derive(Debug, Default)]
pub(crate) struct Load {
    connections: AtomicUsize,
    /// Told when the last connection ends.
    pub(crate) none_left: Notify,
    /// Those of them that speak HTTP.
    pub(crate) registry: Arc<ConnectionRegistry>,
}

impl Load {
    pub(crate) fn connections(&self) -> usize {
        self.connections.load(Ordering::Acquire)
    }
}

/// A connection's place among those that the server has room for.
#[derive(Debug)]
pub(crate) struct Permit {
    load: Arc<Load>,
    _room: OwnedSemaphorePermit,
}

impl Permit {
    fn new(load: Arc<Load>, room: OwnedSemaphorePermit) -> Self {
        load.connections.fetch_add(1, Ordering::AcqRel);
        Self { load, _room: room }
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        if self.load.connections.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.load.none_left.notify_one();
        }
    }
}

/// Where connections go.
#[derive(Clone)]
pub(crate) struct Desk {
    pub(crate) workers: Arc<[(mpsc::UnboundedSender<News>, Arc<Load>)]>,
    pub(crate) room: Arc<Semaphore>,
    pub(crate) ids: Arc<AtomicU64>,
}

impl Desk {
    fn hand_over(&self, socket: ArrivedSocket, peer: Peer, local: Address, room: OwnedSemaphorePermit) {
        let Some((worker, load)) = self.workers.iter().min_by_key(|(_, load)| load.connections()) else { return };
        let id = self.ids.fetch_add(1, Ordering::Relaxed);
        let permit = Permit::new(Arc::clone(load), room);
        // A worker that is gone leaves its connections closed.
        let _ = worker.send(News::Arrival(Arrival { socket, peer, local, id, permit }));
    }

    /// One worker is enough to say it.
    fn complain(&self, error: io::Error) {
        if let Some((worker, _)) = self.workers.first() {
            let _ = worker.send(News::Unaccepted(error));
        }
    }
}

/// Accepts on every listener until the server shuts down. Runs on a thread of its own.
pub(crate) async fn run(listeners: Vec<Listener>, desk: Desk, running: Running) -> io::Result<()> {
    let mut gates = tokio::task::JoinSet::new();
    for listener in listeners {
        let gate = Gate::new(listener)?;
        let (desk, running) = (desk.clone(), running.clone());
        gates.spawn(async move {
            tokio::select! {
                () = running.shutting_down() => {}
                () = gate.run(&desk) => {}
            }
            gate.finish(&desk).await;
        });
    }
    while gates.join_next().await.is_some() {}
    Ok(())
}

/// One listener on the acceptor's runtime.
struct Gate {
    address: Address,
    socket: GateSocket,
}

enum GateSocket {
    Tcp(TcpListener),
    #[cfg(unix)]
    Unix {
        listener: UnixListener,
        /// Removed when accepting ends.
        _file: SocketFile,
    },
}

impl Gate {
    fn new(listener: Listener) -> io::Result<Self> {
        let address = listener.address().clone();
        let socket = match listener.socket {
            ListeningSocket::Tcp(socket) => GateSocket::Tcp(TcpListener::from_std(socket)?),
            #[cfg(unix)]
            ListeningSocket::Unix(socket, file) => {
                GateSocket::Unix { listener: UnixListener::from_std(socket)?, _file: file }
            }
        };
        Ok(Self { address, socket })
    }

    async fn run(&self, desk: &Desk) {
        let mut said: Option<Instant> = None;
        loop {
            // Room first: a connection that there is no room for waits in the backlog. The semaphore is never closed.
            let Ok(room) = Arc::clone(&desk.room).acquire_owned().await else { return };
            match self.accept().await {
                Ok((socket, peer, local)) => desk.hand_over(socket, peer, local, room),
                Err(error) if is_the_clients(&error) => {}
                Err(error) => {
                    if said.is_none_or(|said| said.elapsed() >= SAID_EVERY) {
                        said = Some(Instant::now());
                        desk.complain(error);
                    }
                    tokio::time::sleep(BACK_OFF).await;
                }
            }
        }
    }

    /// Takes what has been connected by now: the system resets what nobody has accepted when the listener is closed,
    /// and with it requests that have been sent already.
    async fn finish(&self, desk: &Desk) {
        while let Ok(room) = Arc::clone(&desk.room).try_acquire_owned() {
            let accepted = tokio::select! {
                biased;
                accepted = self.accept() => accepted,
                () = tokio::task::yield_now() => return,
            };
            match accepted {
                Ok((socket, peer, local)) => desk.hand_over(socket, peer, local, room),
                Err(error) if is_the_clients(&error) => {}
                Err(_) => return,
            }
        }
    }

    async fn accept(&self) -> io::Result<(ArrivedSocket, Peer, Address)> {
        match &self.socket {
            GateSocket::Tcp(listener) => {
                let (stream, peer) = listener.accept().await?;
                stream.set_nodelay(true)?;
                let local = match &self.address {
                    Address::Tcp(address) if address.ip().is_unspecified() => Address::Tcp(stream.local_addr()?),
                    address => address.clone(),
                };
                Ok((ArrivedSocket::Tcp(stream.into_std()?), Peer::Tcp(peer), local))
            }
            #[cfg(unix)]
            GateSocket::Unix { listener, .. } => {
                let (stream, _) = listener.accept().await?;
                Ok((ArrivedSocket::Unix(stream.into_std()?), Peer::Unix, self.address.clone()))
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
