//! `slimeweb_ws._native`: connections and rooms, as Python sees them.
//!
//! A [`connection`] is a protocol object for the core's transport. What the client sends goes through its [`inbox`],
//! from which the thread that runs the callbacks takes it ([`dispatch`], as [`events`]). What is sent to the client
//! goes through the [`outbox`], which writes no faster than the client reads: it belongs to a [`client`], which a
//! connection shares with the rooms that have it among their [`members`]. No lock is ever held while Python runs.

mod arguments;
mod client;
mod compression;
mod connection;
mod dispatch;
mod events;
mod frames;
mod inbox;
mod listener;
mod members;
mod outbox;
mod room;

use pyo3::prelude::*;

/// WebSocket connections as protocol objects, rooms of them, and the frames of a client.
#[pymodule(gil_used = false)]
mod _native {
    #[pymodule_export]
    use super::connection::Connection;
    #[pymodule_export]
    use super::events::{CloseEvent, ErrorEvent, OpenEvent};
    #[pymodule_export]
    use super::frames::ClientFrames;
    #[pymodule_export]
    use super::room::{Owed, Room};

    use super::*;

    #[pymodule_init]
    fn init(module: &Bound<'_, PyModule>) -> PyResult<()> {
        module.add("BATCH", connection::BATCH)?;
        module.add("__version__", env!("CARGO_PKG_VERSION"))
    }
}
