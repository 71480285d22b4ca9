//! A connection's bytes: the I/O object given to hyper, the validator of what passes through it, and the state that
//! both leave.

mod direct_read;
mod head_error;
mod host;
mod io;
mod net_stream;
mod state;
mod validator;

pub use direct_read::BodyBuffer;
pub(crate) use direct_read::{DirectRead, lock};
pub(crate) use head_error::HeadError;
pub(crate) use host::is_valid as is_host;
pub(crate) use io::{ConnIo, LingerSlot};
pub(crate) use net_stream::{NetStream, Socket};
pub(crate) use state::{CloseMode, CoarseClock, ConnectionState, InFlight};
