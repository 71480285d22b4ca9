//! Sockets that listen.

use std::io;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};

use socket2::{Domain, Protocol, Socket, Type};

use crate::address::{Address, Bind};
use crate::error::Error;

/// Connections that the system keeps waiting until they are accepted; it may cut this to its own maximum.
const BACKLOG: i32 = 4096;

/// A bound socket that takes connections from now on and serves them once a [`Server`](crate::Server) starts.
#[derive(Debug)]
pub struct Listener {
    address: Address,
    pub(crate) socket: ListeningSocket,
}

#[derive(Debug)]
pub(crate) enum ListeningSocket {
    Tcp(std::net::TcpListener),
    #[cfg(unix)]
    Unix(std::os::unix::net::UnixListener, SocketFile),
}

impl Listener {
    /// Binds and listens. A name that resolves to several addresses gets the first that can be bound.
    ///
    /// # Errors
    /// [`Error::Bind`] when the address is in use, not this machine's, or cannot be resolved.
    pub fn bind(bind: &Bind) -> Result<Self, Error> {
        match bind {
            Bind::Tcp { host, port } => {
                bind_tcp(host, *port).map_err(|source| Error::Bind { address: format!("{host}:{port}"), source })
            }
            Bind::Unix { path, mode } => bind_unix(path, *mode)
                .map_err(|source| Error::Bind { address: format!("unix:{}", path.display()), source }),
        }
    }

    /// Where it listens, with the port that the system chose for port 0.
    #[must_use]
    pub fn address(&self) -> &Address {
        &self.address
    }
}

fn bind_tcp(host: &str, port: u16) -> io::Result<Listener> {
    let bare = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(host);
    let candidates: Vec<SocketAddr> = match bare.parse::<IpAddr>() {
        Ok(ip) => vec![SocketAddr::new(ip, port)],
        Err(_) => (bare, port).to_socket_addrs()?.collect(),
    };
    let mut failure = io::Error::new(io::ErrorKind::NotFound, "the name resolves to no address");
    for address in candidates {
        match listen_tcp(address) {
            Ok(socket) => {
                let address = Address::Tcp(socket.local_addr()?);
                return Ok(Listener { address, socket: ListeningSocket::Tcp(socket) });
            }
            Err(error) => failure = error,
        }
    }
    Err(failure)
}

fn listen_tcp(address: SocketAddr) -> io::Result<std::net::TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    // Without it a restart has to wait for the old connections' TIME_WAIT. On Windows it means something else: stealing
    // the port.
    #[cfg(not(windows))]
    socket.set_reuse_address(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    socket.set_nonblocking(true)?;
    Ok(socket.into())
}

/// The file of a Unix socket, removed when its listener ends.
#[cfg(unix)]
#[derive(Debug)]
pub(crate) struct SocketFile {
    path: std::path::PathBuf,
    identity: (u64, u64),
}

#[cfg(unix)]
impl SocketFile {
    fn new(path: &std::path::Path) -> io::Result<Self> {
        Ok(Self { path: path.to_owned(), identity: Self::identity(path)? })
    }

    fn identity(path: &std::path::Path) -> io::Result<(u64, u64)> {
        use std::os::unix::fs::MetadataExt;
        let metadata = std::fs::symlink_metadata(path)?;
        Ok((metadata.dev(), metadata.ino()))
    }
}

#[cfg(unix)]
impl Drop for SocketFile {
    fn drop(&mut self) {
        // A successor may have put its own socket there already.
        if Self::identity(&self.path).is_ok_and(|now| now == self.identity) {
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

#[cfg(unix)]
fn bind_unix(path: &std::path::Path, mode: Option<u32>) -> io::Result<Listener> {
    use std::os::unix::fs::{FileTypeExt, PermissionsExt};
    use std::os::unix::net::UnixStream;

    if std::fs::symlink_metadata(path).is_ok_and(|metadata| metadata.file_type().is_socket()) {
        match UnixStream::connect(path) {
            Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => std::fs::remove_file(path)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            // The socket is in use, or may be.
            Ok(_) | Err(_) => return Err(io::ErrorKind::AddrInUse.into()),
        }
    }
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    socket.bind(&socket2::SockAddr::unix(path)?)?;
    let file = SocketFile::new(path)?;
    if let Some(mode) = mode {
        // Before it listens: until then no client can connect, whatever the umask allows.
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode))?;
    }
    socket.listen(BACKLOG)?;
    socket.set_nonblocking(true)?;
    Ok(Listener { address: Address::Unix(path.to_owned()), socket: ListeningSocket::Unix(socket.into(), file) })
}

#[cfg(not(unix))]
fn bind_unix(_: &std::path::Path, _: Option<u32>) -> io::Result<Listener> {
    Err(io::Error::new(io::ErrorKind::Unsupported, "this system has no Unix domain sockets; bind a host and a port"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tcp(host: &str, port: u16) -> Bind {
        Bind::Tcp { host: host.into(), port }
    }

    #[test]
    fn port_zero_becomes_a_real_port() {
        let listener = Listener::bind(&tcp("127.0.0.1", 0)).unwrap();
        assert!(matches!(listener.address(), Address::Tcp(address) if address.port() != 0));
        assert!(listener.address().to_string().starts_with("127.0.0.1:"));
    }

    #[test]
    fn names_are_resolved() {
        Listener::bind(&tcp("localhost", 0)).unwrap();
    }

    #[test]
    fn a_port_in_use_is_an_error_that_names_it() {
        let first = Listener::bind(&tcp("127.0.0.1", 0)).unwrap();
        let Address::Tcp(address) = first.address() else { unreachable!() };
        let error = Listener::bind(&tcp("127.0.0.1", address.port())).unwrap_err();
        assert!(error.to_string().contains(&address.to_string()), "{error}");
        assert_eq!(error.into_io().unwrap().kind(), io::ErrorKind::AddrInUse);
    }

    #[cfg(unix)]
    #[test]
    fn a_stale_socket_is_replaced_a_live_one_is_not() {
        let directory = tempfile::tempdir().unwrap();
        let bind = Bind::Unix { path: directory.path().join("s"), mode: None };
        let first = Listener::bind(&bind).unwrap();
        assert!(Listener::bind(&bind).is_err());
        drop(first);
        assert!(!directory.path().join("s").exists());

        drop(std::os::unix::net::UnixListener::bind(directory.path().join("s")).unwrap());
        assert!(directory.path().join("s").exists());
        Listener::bind(&bind).unwrap();
    }

    #[cfg(unix)]
    #[test]
    fn a_socket_has_the_mode_that_it_is_given() {
        use std::os::unix::fs::PermissionsExt;

        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("s");
        for mode in [0o600, 0o660, 0o666] {
            let _listener = Listener::bind(&Bind::Unix { path: path.clone(), mode: Some(mode) }).unwrap();
            assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, mode);
        }
    }

    #[cfg(unix)]
    #[test]
    fn a_file_in_the_way_is_left_alone() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("s");
        std::fs::write(&path, "precious").unwrap();
        assert!(Listener::bind(&Bind::Unix { path: path.clone(), mode: None }).is_err());
        assert_eq!(std::fs::read(path).unwrap(), b"precious");
    }
}
