//! The HTTP server under slimeweb: it knows sockets and HTTP, and nothing of Python.
//!
//! - [`Listener`], [`TlsConfig`], [`Limits`]: what a server is given;
//! - [`Server`] and [`Handle`]: threads that serve, and the way to stop them;
//! - [`Service`], [`Exchange`], [`RequestBody`], [`Body`]: what stands between a request and its answer;
//! - [`router`], [`multipart`], [`files`]: tools for a service;
//! - `wire`: watches the bytes of each connection for what hyper lets pass (RFC 9112) and for when it happens.
//!
//! A worker is one thread with one single-threaded runtime. A connection never leaves the worker it was given to, so
//! services and their futures need not be `Send`.

#![forbid(unsafe_code)]

mod acceptor;
mod address;
mod body;
mod config;
mod connection;
mod error;
pub mod files;
mod handle;
mod listener;
pub mod multipart;
mod reaper;
mod request_body;
pub mod router;
mod server;
mod service;
mod tls;
mod wire;
mod worker;

pub use address::{Address, Bind, Peer};
pub use body::{Body, BodySender, Closed};
pub use config::{Config, Limits};
pub use error::{BodyError, Error};
pub use handle::Handle;
pub use listener::Listener;
pub use request_body::RequestBody;
pub use server::Server;
pub use service::{ConnectionInfo, Exchange, OnUpgrade, Service, Upgraded};
pub use tls::TlsConfig;
