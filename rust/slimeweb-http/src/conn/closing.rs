//! Ends what a connection is doing when it is told to close.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::Poll;

use super::registry::Registration;
use super::state::{CloseMode, ConnectionState};

/// Polls a connection to its end, or until it is to close at once: then the result is None. `drain` begins a graceful
/// shutdown.
pub(super) async fn run_until_closed<C: Future>(
    mut connection: Pin<&mut C>,
    state: &ConnectionState,
    registration: &Registration,
    drain: impl Fn(Pin<&mut C>),
) -> Option<C::Output> {
    let (mut has_wakers, mut draining) = (false, false);
    poll_fn(|cx| {
        if !has_wakers {
            registration.set_waker(cx.waker());
            state.set_waker(cx.waker());
            has_wakers = true;
        }
        if state.close_mode() >= CloseMode::Expire {
            return Poll::Ready(None);
        }
        // Before it is drained: a request that has been read already is answered.
        if let Poll::Ready(outcome) = connection.as_mut().poll(cx) {
            return Poll::Ready(Some(outcome));
        }
        if !draining && state.close_mode() == CloseMode::Drain {
            draining = true;
            // A graceful shutdown proceeds only when it is polled again.
            cx.waker().wake_by_ref();
            drain(connection.as_mut());
        }
        Poll::Pending
    })
    .await
}
