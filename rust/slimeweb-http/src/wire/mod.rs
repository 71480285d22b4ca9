//! What happens on a connection, seen at the level of its bytes.

mod fault;
mod host;
mod landing;
mod observer;
mod state;
mod stream;
mod transport;

pub(crate) use fault::Fault;
pub(crate) use host::is_valid as is_host;
pub use landing::Room;
pub(crate) use landing::{Place, lock};
pub(crate) use state::{CloseMode, CoarseClock, ConnectionState, InFlight};
pub(crate) use stream::{Parting, Wire};
pub(crate) use transport::{Socket, Transport};
