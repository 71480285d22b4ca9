//! Where a server listens and who is at the other end.

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;

/// What to listen on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Bind {
    /// A TCP port; `host` is an address or a name, `port` 0 asks the system for a free one.
    Tcp {
        /// An IP address, with or without the brackets of an IPv6 one, or a name to resolve.
        host: String,
        /// The port, 0 for any.
        port: u16,
    },
    /// A Unix domain socket.
    Unix {
        /// Where its file is made.
        path: PathBuf,
        /// The permissions of its file, such as 0o660; none leaves them to the umask.
        mode: Option<u32>,
    },
}

/// Where a listener listens. Reads as `127.0.0.1:3000` or `unix:/path`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Address {
    /// The TCP address, its port resolved.
    Tcp(SocketAddr),
    /// The path of the socket's file.
    Unix(PathBuf),
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => address.fmt(f),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

/// The other end of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Peer {
    /// A TCP client.
    Tcp(SocketAddr),
    /// A client of a Unix domain socket, which has no address.
    Unix,
}
