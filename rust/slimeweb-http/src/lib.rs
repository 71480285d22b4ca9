//! The HTTP server under slimeweb: it knows sockets and HTTP, and nothing of Python.
//!
//! - [`Listener`], [`TlsConfig`], [`Limits`]: what a server is given;
//! - [`Server`] and [`ServerHandle`]: start a server, and stop it;
//! - [`Executor`]: runs a worker's tasks, on whichever thread drives it;
//! - [`Service`], [`Exchange`], [`RequestBody`], [`Collected`], [`Body`]: a request, and its response;
//! - [`router`], [`multipart`], [`files`], [`header`]: tools for a service;
//! - `conn`: validates the bytes of each connection for what hyper lets pass (RFC 9112), and records when they came.
//!
//! A worker is one [`Executor`]: a single-threaded runtime that one thread drives at a time. A connection never leaves
//! the worker it was given to, but another thread may take over that worker, so services and their futures are `Send`.

#![forbid(unsafe_code)]

mod address;
mod body;
mod config;
mod conn;
mod date;
mod error;
pub mod files;
pub mod header;
pub mod multipart;
pub mod router;
mod runtime;
mod server;
mod service;
mod tls;

pub use address::{Address, Bind, Peer};
pub use body::{Body, BodyEnd, BodySender, Closed, Collected, RequestBody};
pub use config::{Config, Limits};
pub use conn::{BodyBuffer, is_without_content};
pub use error::{BodyError, Error, is_exhausted};
pub use runtime::{Executor, Spawner};
pub use server::{Listener, Server, ServerHandle};
pub use service::{ClientEof, ConnectionCut, ConnectionInfo, Exchange, OnUpgrade, Service, Upgraded};
pub use tls::TlsConfig;
