//! Sockets, with TLS around them or without.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
#[cfg(unix)]
use tokio::net::UnixStream;
use tokio_rustls::server::TlsStream;

#[derive(Debug)]
pub(crate) enum Socket {
    Tcp(TcpStream),
    #[cfg(unix)]
    Unix(UnixStream),
}

#[derive(Debug)]
pub(crate) enum NetStream {
    Plain(Socket),
    Tls(Box<TlsStream<Socket>>),
}

macro_rules! forward_io {
    ($type:ty, $($(#[$condition:meta])* $variant:ident),+) => {
        impl AsyncRead for $type {
            fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
                match self.get_mut() { $( $(#[$condition])* Self::$variant(inner) => Pin::new(inner).poll_read(cx, buf), )+ }
            }
        }

        impl AsyncWrite for $type {
            fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, data: &[u8]) -> Poll<io::Result<usize>> {
                match self.get_mut() { $( $(#[$condition])* Self::$variant(inner) => Pin::new(inner).poll_write(cx, data), )+ }
            }

            fn poll_write_vectored(
                self: Pin<&mut Self>,
                cx: &mut Context<'_>,
                data: &[io::IoSlice<'_>],
            ) -> Poll<io::Result<usize>> {
                match self.get_mut() { $( $(#[$condition])* Self::$variant(inner) => Pin::new(inner).poll_write_vectored(cx, data), )+ }
            }

            fn is_write_vectored(&self) -> bool {
                match self { $( $(#[$condition])* Self::$variant(inner) => inner.is_write_vectored(), )+ }
            }

            fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
                match self.get_mut() { $( $(#[$condition])* Self::$variant(inner) => Pin::new(inner).poll_flush(cx), )+ }
            }

            fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
                match self.get_mut() { $( $(#[$condition])* Self::$variant(inner) => Pin::new(inner).poll_shutdown(cx), )+ }
            }
        }
    };
}

forward_io!(
    Socket,
    Tcp,
    #[cfg(unix)]
    Unix
);
forward_io!(NetStream, Plain, Tls);

impl NetStream {
    /// Whether the client has chosen HTTP/2 by ALPN (RFC 7301).
    pub(crate) fn speaks_http2(&self) -> bool {
        match self {
            Self::Plain(_) => false,
            Self::Tls(stream) => stream.get_ref().1.alpn_protocol() == Some(b"h2"),
        }
    }
}
