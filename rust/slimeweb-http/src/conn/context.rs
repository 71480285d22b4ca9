//! What the connections of a worker share.

use std::sync::Arc;

use super::registry::ConnectionRegistry;
use super::state::CoarseClock;
use crate::config::Config;
use crate::runtime::Spawner;

/// What all connections of a worker share.
pub(crate) struct WorkerContext<S> {
    pub(crate) service: Arc<S>,
    pub(crate) config: Arc<Config>,
    pub(crate) clock: Arc<CoarseClock>,
    pub(crate) registry: Arc<ConnectionRegistry>,
    pub(crate) spawner: Spawner,
}
