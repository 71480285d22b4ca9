//! Ends the connections whose time is up: one timer for all connections of a worker, instead of several for each.

use std::sync::Arc;
use std::time::Duration;

use crate::config::Limits;
use crate::wire::{Clock, Order, Pulse};
use crate::worker::Roster;

const SLOWEST_TICK: Duration = Duration::from_millis(500);
const FASTEST_TICK: Duration = Duration::from_millis(5);
/// What a connection with nothing in flight gets to say goodbye in while the server shuts down, in milliseconds.
const FAREWELL: u64 = 500;

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

    fn verdict(&self, pulse: &Pulse, now: u64, draining: bool) -> Option<Order> {
        if pulse.stalled_for(now) >= self.stall {
            return Some(Order::Cut);
        }
        if let Some(head) = pulse.head_for(now) {
            return (head >= self.head).then_some(Order::Expire);
        }
        let patience = match (draining, pulse.has_served()) {
            (true, _) => FAREWELL.min(self.idle),
            (false, true) => self.idle,
            (false, false) => self.head,
        };
        // Nothing was asked, so nothing is answered: a 408 on an idle connection could be taken for the answer to a
        // request that is on its way.
        (pulse.idle_for(now)? >= patience).then_some(Order::Cut)
    }
}

/// Looks after the connections of one worker, for ever.
pub(crate) async fn run(roster: Arc<Roster>, clock: Arc<Clock>, limits: Limits) {
    let shortest = limits.head_timeout.min(limits.idle_timeout).min(limits.send_timeout);
    let tick = (shortest / 4).clamp(FASTEST_TICK, SLOWEST_TICK);
    let deadlines = Deadlines::new(&limits);
    loop {
        tokio::time::sleep(tick).await;
        let now = clock.update();
        let draining = roster.is_draining();
        roster.command(|pulse| deadlines.verdict(pulse, now, draining));
    }
}
