//! Limits and the rest of what a server is started with.

use std::time::Duration;

use crate::tls::TlsConfig;

/// What a client may use up. Sizes in bytes. There are no defaults here: who starts a server says every one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Request line and header fields together; more is answered with 431.
    pub head_size: usize,
    /// Header fields of a request, one for each line; more are answered with 431.
    pub header_count: usize,
    /// From the first byte of a head to its last (408), from the accept to the first byte, and for a TLS handshake.
    pub head_timeout: Duration,
    /// Between two requests on one connection.
    pub idle_timeout: Duration,
    /// Between two pieces of a request body (408).
    pub body_timeout: Duration,
    /// Least bytes of a request body for each second that was waited for it, once `body_timeout` has been waited (408); 0 for any.
    pub body_rate: u64,
    /// How long a client may take nothing of what is there for it; then its connection is cut.
    pub send_timeout: Duration,
    /// Connections open at a time; further ones wait in the system's backlog.
    pub connections: usize,
    /// How long requests in flight may take to finish once the server shuts down.
    pub shutdown_grace: Duration,
}

/// How a server runs.
#[derive(Debug, Clone)]
pub struct Config {
    /// What a client may use up.
    pub limits: Limits,
    /// Serve TLS (HTTP/2 and HTTP/1.1 by ALPN), else plain HTTP/1.1.
    pub tls: Option<TlsConfig>,
}
