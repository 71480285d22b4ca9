//! Closes connections that have exceeded a timeout: one timer for all connections of a worker, instead of several for
//! each.

use std::sync::Arc;
use std::time::Duration;

use super::registry::ConnectionRegistry;
use super::state::{CloseMode, CoarseClock, ConnectionState};
use crate::config::Limits;

const SLOWEST_TICK: Duration = Duration::from_millis(500);
const DRAINING_TICK: Duration = Duration::from_millis(50);
const FASTEST_TICK: Duration = Duration::from_millis(5);
/// How long a connection with nothing in flight is kept while the server shuts down, in milliseconds.
const IDLE_GRACE: u64 = 500;

/// Limits in the clock's milliseconds.
struct Deadlines {
    head: u64,
    idle: u64,
    stall: u64,
}

impl Deadlines {
    fn new(limits: &Limits) -> Self {
        let millis = |duration: Duration| u64::try_from(duration.as_millis()).unwrap_or(u64::MAX).max(1);
        Self {
            head: millis(limits.head_timeout),
            idle: millis(limits.idle_timeout),
            stall: millis(limits.send_timeout),
        }
    }

    fn close_mode(&self, state: &ConnectionState, now: u64, draining_for: Option<u64>) -> Option<CloseMode> {
        if state.stalled_for(now) >= self.stall {
            return Some(CloseMode::Abort);
        }
        if let Some(head) = state.head_for(now) {
            return (head >= self.head).then_some(CloseMode::Expire);
        }
        let patience = if state.has_served() { self.idle } else { self.head };
        let idle = state.idle_for(now)?;
        // However long it has been idle: a request may have been sent before the client could know of the shutdown.
        let is_drained = draining_for.is_some_and(|draining| draining.min(idle) >= IDLE_GRACE);
        // Nothing was asked, so nothing is answered: a 408 on an idle connection could be taken for the answer to a
        // request that is on its way.
        (is_drained || idle >= patience).then_some(CloseMode::Abort)
    }
}

/// Checks the connections of one worker at every tick. Does not return.
pub(crate) async fn run(registry: Arc<ConnectionRegistry>, clock: Arc<CoarseClock>, limits: Limits) {
    let shortest = limits.head_timeout.min(limits.idle_timeout).min(limits.send_timeout);
    let tick = (shortest / 4).clamp(FASTEST_TICK, SLOWEST_TICK);
    let deadlines = Deadlines::new(&limits);
    loop {
        tokio::time::sleep(if registry.is_draining() { tick.min(DRAINING_TICK) } else { tick }).await;
        let now = clock.update();
        let draining_for = registry.draining_for(now);
        registry.close_each(|state| deadlines.close_mode(state, now, draining_for));
    }
}
