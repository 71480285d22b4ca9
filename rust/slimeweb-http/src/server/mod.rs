//! Starting a server and stopping it: listeners, the thread that accepts, and the workers that it gives connections to.

mod acceptor;
mod handle;
mod listener;
mod start;
mod worker;

pub use handle::ServerHandle;
pub use listener::Listener;
pub use start::Server;
