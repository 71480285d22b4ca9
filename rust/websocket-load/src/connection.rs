//! One WebSocket connection: the handshake, then one message after the other.

use std::fmt;
use std::io;
use std::net::Ipv4Addr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::frame::{self, Frame};

// The example of RFC 6455, section 1.3: a fixed key spares the generator a SHA-1.
const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
const ACCEPT: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";
const MASK: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];
const HEAD_LIMIT: usize = 16 * 1024;

/// Why a connection is of no use any more.
#[derive(Debug)]
pub(crate) enum Failure {
    Io(io::Error),
    Closed,
    Handshake(String),
    NotTheEcho(String),
}

impl fmt::Display for Failure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(error) => error.fmt(formatter),
            Self::Closed => formatter.write_str("the server closed the connection"),
            Self::Handshake(head) => write!(formatter, "the handshake was answered with {head:?}"),
            Self::NotTheEcho(frame) => write!(formatter, "instead of the echo came {frame}"),
        }
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

/// A connection that has been upgraded.
pub(crate) struct Connection {
    stream: TcpStream,
    message: Vec<u8>,
    frame: Vec<u8>,
    received: Vec<u8>,
}

impl Connection {
    /// Connects to the loopback interface and upgrades. Messages hold the connection's number and `size` bytes in all.
    pub(crate) async fn open(port: u16, path: &str, number: usize, size: usize) -> Result<Self, Failure> {
        let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await?;
        stream.set_nodelay(true)?;
        let mut message = format!("{number:05} ").into_bytes();
        message.resize(size, b'x');
        let mut connection = Self { stream, message, frame: Vec::new(), received: Vec::with_capacity(4096) };
        let request = format!(
            "GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {KEY}\r\n\r\n"
        );
        connection.stream.write_all(request.as_bytes()).await?;
        let end = loop {
            if let Some(start) = connection.received.windows(4).position(|bytes| bytes == b"\r\n\r\n") {
                break start + 4;
            }
            if connection.received.len() > HEAD_LIMIT {
                return Err(Failure::Handshake("a head that does not end".into()));
            }
            connection.receive().await?;
        };
        let head: Vec<u8> = connection.received.drain(..end).collect();
        accepted(&String::from_utf8_lossy(&head))?;
        Ok(connection)
    }

    /// Sends the message and waits until it has come back.
    pub(crate) async fn echo(&mut self) -> Result<(), Failure> {
        self.frame.clear();
        frame::write_text(&mut self.frame, &self.message, MASK);
        self.stream.write_all(&self.frame).await?;
        loop {
            let taken = match frame::read(&self.received) {
                Frame::Text(payload, length) if payload == self.message => (length, true),
                Frame::Ping(length) => (length, false),
                Frame::Partial => (0, false),
                other => return Err(Failure::NotTheEcho(format!("{other:?}"))),
            };
            self.received.drain(..taken.0);
            match taken {
                (_, true) => return Ok(()),
                (0, false) => self.receive().await?,
                _ => {}
            }
        }
    }

    async fn receive(&mut self) -> Result<(), Failure> {
        if self.stream.read_buf(&mut self.received).await? == 0 {
            return Err(Failure::Closed);
        }
        Ok(())
    }
}

fn accepted(head: &str) -> Result<(), Failure> {
    let mut lines = head.lines();
    let status = lines.next().unwrap_or_default();
    let accept = lines
        .filter_map(|line| line.split_once(':'))
        .find(|(name, _)| name.trim().eq_ignore_ascii_case("sec-websocket-accept"))
        .map(|(_, value)| value.trim());
    if status.starts_with("HTTP/1.1 101") && accept == Some(ACCEPT) {
        Ok(())
    } else {
        Err(Failure::Handshake(status.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_handshake_needs_the_status_and_the_accept_of_its_key() {
        assert!(accepted(&format!("HTTP/1.1 101 Switching\r\nsec-websocket-accept:{ACCEPT}\r\n\r\n")).is_ok());
        assert!(accepted("HTTP/1.1 101 Switching\r\nSec-WebSocket-Accept: other\r\n\r\n").is_err());
        assert!(accepted("HTTP/1.1 404 Not Found\r\n\r\n").unwrap_err().to_string().contains("404"));
    }
}
