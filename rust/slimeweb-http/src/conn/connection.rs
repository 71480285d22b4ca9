//! One connection from its handshake to its last byte.

use std::io;
use std::pin::Pin;
use std::sync::Arc;

use tokio_rustls::TlsAcceptor;

use super::accepted::{Accepted, AcceptedSocket};
use super::closing::run_until_closed;
use super::context::WorkerContext;
use super::h1::http1;
use super::h2::http2;
use super::state::ConnectionState;
use super::stream::{NetStream, Socket};
use crate::service::{ClientEof, ConnectionInfo, Service};

/// Serves one connection.
pub(crate) async fn run<S: Service>(context: Arc<WorkerContext<S>>, accepted: Accepted) {
    let Accepted { socket, peer, local, id, permit } = accepted;
    // A failure here ends this connection alone.
    let Ok(socket) = into_tokio(socket) else { return };
    let tls = context.config.tls.clone();
    let is_tls = tls.is_some();
    let net_stream = match tls {
        None => NetStream::Plain(socket),
        Some(tls) => {
            // Registered as a connection without a request: a handshake may take as long as a first head, and is given
            // up as soon when the server stops.
            let state = ConnectionState::new(Arc::clone(&context.clock));
            let registration = context.registry.register(id, Arc::clone(&state));
            let mut handshake = Box::pin(TlsAcceptor::from(tls.0).accept(socket));
            match run_until_closed(Pin::new(&mut handshake), &state, &registration, |_| {}).await {
                Some(Ok(stream)) => NetStream::Tls(Box::new(stream)),
                _ => return,
            }
        }
    };
    let state = ConnectionState::new(Arc::clone(&context.clock));
    let info = Arc::new(ConnectionInfo {
        peer,
        local,
        tls: is_tls,
        id,
        client_eof: ClientEof::default(),
        state: Arc::clone(&state),
    });
    let registration = context.registry.register(id, Arc::clone(&state));
    if net_stream.speaks_http2() {
        Box::pin(http2(&context, net_stream, permit, info, &state, &registration)).await;
    } else {
        http1(&context, net_stream, permit, info, &state, &registration).await;
    }
}

fn into_tokio(socket: AcceptedSocket) -> io::Result<Socket> {
    Ok(match socket {
        AcceptedSocket::Tcp(stream) => Socket::Tcp(tokio::net::TcpStream::from_std(stream)?),
        #[cfg(unix)]
        AcceptedSocket::Unix(stream) => Socket::Unix(tokio::net::UnixStream::from_std(stream)?),
    })
}
