//! The HTTP server under slimeweb: it knows sockets and HTTP, and nothing of Python.
//!
//! - [`Listener`], [`TlsConfig`], [`Limits`]: what a server is given;
//! - [`Server`] and [`ServerHandle`]: start a server, and stop it;
//! - [`Executor`]: runs a worker's tasks, on whichever thread drives it;
//! - [`Service`], [`Exchange`], [`RequestBody`], [`Collected`], [`Body`]: a request, and its response;
//! - [`router`], [`multipart`], [`files`]: tools for a service;
//! - `conn`: validates the bytes of each connection for what hyper lets pass (RFC 9112), and records when they came.
//!
//! A worker is one [`Executor`]: a single-threaded runtime that one thread drives at a time. A connection never leaves
//! the worker it was given to, but another thread may take over that worker, so services and their futures are `Send`.

#![forbid(unsafe_code)]

mod acceptor;
mod address;
mod body;
mod collected;
mod config;
mod conn;
mod connection;
mod error;
mod executor;
pub mod files;
mod framing;
mod handle;
mod listener;
pub mod multipart;
mod park;
mod request_body;
pub mod router;
mod server;
mod service;
mod timeouts;
mod tls;
mod worker;

pub use address::{Address, Bind, Peer};
pub use body::{Body, BodySender, Closed};
pub use collected::Collected;
pub use config::{Config, Limits};
pub use conn::BodyBuffer;
pub use error::{BodyError, Error, is_exhausted};
pub use executor::{Executor, Spawner};
pub use framing::is_without_content;
pub use handle::ServerHandle;
pub use listener::Listener;
pub use request_body::RequestBody;
pub use server::Server;
pub use service::{ConnectionInfo, Exchange, OnUpgrade, Service, Upgraded};
pub use tls::TlsConfig;
