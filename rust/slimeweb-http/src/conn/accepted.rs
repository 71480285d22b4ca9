//! A connection on its way from the acceptor to its worker.

use super::permit::Permit;
use crate::address::{Address, Peer};

/// A connection that has been accepted, and not read from yet.
pub(crate) struct Accepted {
    pub(crate) socket: AcceptedSocket,
    pub(crate) peer: Peer,
    pub(crate) local: Address,
    pub(crate) id: u64,
    pub(crate) permit: Permit,
}

/// A socket on its way from the acceptor's runtime to a worker's.
pub(crate) enum AcceptedSocket {
    Tcp(std::net::TcpStream),
    #[cfg(unix)]
    Unix(std::os::unix::net::UnixStream),
}
