//! A connection: the I/O object given to hyper, the validator of what passes through it, the state that both leave, and
//! the service that hyper calls.

mod accepted;
mod closing;
pub(crate) mod connection;
mod context;
mod direct_read;
mod framing;
mod h1;
mod h2;
mod io;
mod linger;
mod permit;
mod raw_targets;
mod registry;
mod request_head;
mod service;
mod state;
mod stream;
pub(crate) mod timeouts;
mod tracked_body;

pub(crate) use accepted::{Accepted, AcceptedSocket};
pub(crate) use context::WorkerContext;
pub use direct_read::BodyBuffer;
pub(crate) use direct_read::{DirectRead, lock};
pub use framing::is_without_content;
pub(crate) use permit::{Permit, WorkerLoad};
pub(crate) use state::{CloseMode, CoarseClock, ConnectionState};
