//! The listening socket, and who gets what it accepts.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};

use socket2::{Domain, Protocol, Socket, Type};

use crate::worker::Worker;

const BACKLOG: i32 = 4096;

/// Listens on the loopback interface; port 0 picks a free one.
pub(crate) fn listen(port: u16) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    socket.bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, port)).into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

/// Gives each connection to the worker that has the fewest, until accepting fails for good.
pub(crate) fn accept(listener: &TcpListener, workers: &[Worker]) -> io::Result<()> {
    loop {
        let stream = match listener.accept() {
            Ok((stream, _)) => stream,
            Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => continue,
            Err(error) => return Err(error),
        };
        stream.set_nodelay(true)?;
        stream.set_nonblocking(true)?;
        if let Some(worker) = workers.iter().min_by_key(|worker| worker.connections()) {
            worker.take(stream);
        }
    }
}
