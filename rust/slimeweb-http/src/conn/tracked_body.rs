//! The body of a response on its way out.

use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker, ready};

use bytes::Bytes;
use http_body::{Frame, SizeHint};

use super::state::InFlight;
use crate::body::Body;
use crate::error::BodyError;

/// In place of a number of flushes: what came before the error has not left h2's queue yet.
const NOT_FLUSHED: u64 = u64::MAX;

/// A response's body; the request is in flight until it is dropped.
pub(super) struct TrackedBody {
    body: Body,
    in_flight: InFlight,
    multiplexed: bool,
    /// An error that waits until what came before it is written, and the number of flushes at that time.
    failure: Option<Box<(BodyError, u64)>>,
    /// Bytes left of a stream that has a Content-Length.
    remaining: Option<u64>,
    /// HTTP/2: whether what came before the error has passed flow control.
    marker: Option<Arc<FlushMarker>>,
}

/// Whether a frame that carries nothing has left h2's queue, and with it all data before it on its stream: h2 drops it
/// then.
#[derive(Default)]
struct FlushMarker {
    passed: AtomicBool,
    waker: Mutex<Option<Waker>>,
}

/// The content of that frame.
struct MarkerFrame(Arc<FlushMarker>);

impl AsRef<[u8]> for MarkerFrame {
    fn as_ref(&self) -> &[u8] {
        &[]
    }
}

impl Drop for MarkerFrame {
    fn drop(&mut self) {
        self.0.passed.store(true, Ordering::Release);
        let waker = self.0.waker.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

impl FlushMarker {
    fn poll_passed(&self, cx: &Context<'_>) -> Poll<()> {
        if !self.passed.load(Ordering::Acquire) {
            *self.waker.lock().unwrap_or_else(PoisonError::into_inner) = Some(cx.waker().clone());
            if !self.passed.load(Ordering::Acquire) {
                return Poll::Pending;
            }
        }
        Poll::Ready(())
    }
}

impl TrackedBody {
    /// `remaining`: the bytes that the body has to have, where that has to be checked while it is sent.
    pub(super) fn new(body: Body, in_flight: InFlight, multiplexed: bool, remaining: Option<u64>) -> Self {
        Self { body, in_flight, multiplexed, failure: None, remaining, marker: None }
    }

    /// hyper and h2 drop what they have not written yet when they are given an error: what came before is to be out. A
    /// client whose window has no room for it has the send timeout to make some.
    fn poll_failure(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        if self.multiplexed && self.failure.is_some() {
            match &self.marker {
                None => {
                    let marker = Arc::<FlushMarker>::default();
                    self.marker = Some(Arc::clone(&marker));
                    self.in_flight.set_untaken(true);
                    return Poll::Ready(Some(Ok(Frame::data(Bytes::from_owner(MarkerFrame(marker))))));
                }
                Some(marker) => ready!(marker.poll_passed(cx)),
            }
            self.in_flight.set_untaken(false);
            let flushes = self.in_flight.connection_state().flushes();
            if let Some(failure) = &mut self.failure
                && failure.1 == NOT_FLUSHED
            {
                failure.1 = flushes;
            }
        }
        let state = self.in_flight.connection_state();
        match &self.failure {
            // HTTP/2 flushes in between as well: then the rest is still blocked, or out before its task rests.
            Some(failure) if state.flushes() == failure.1 || state.is_write_blocked() => {
                state.await_flush(cx.waker());
                Poll::Pending
            }
            _ => Poll::Ready(self.failure.take().map(|failure| Err(failure.0))),
        }
    }

    /// Aborts a stream that is longer or shorter than its Content-Length: the bytes after it would be misread.
    #[cold]
    fn check_length(
        &mut self,
        frame: Option<Result<Frame<Bytes>, BodyError>>,
    ) -> Option<Result<Frame<Bytes>, BodyError>> {
        let left = self.remaining.unwrap_or_default();
        match frame {
            Some(Ok(frame)) => {
                let size = frame.data_ref().map_or(0, |data| data.len() as u64);
                let Some(left) = left.checked_sub(size) else { return Some(Err(BodyError::Aborted)) };
                self.remaining = Some(left);
                Some(Ok(frame))
            }
            None if left > 0 => {
                self.remaining = None;
                Some(Err(BodyError::Aborted))
            }
            other => other,
        }
    }
}

impl http_body::Body for TrackedBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        if self.failure.is_some() {
            return self.poll_failure(cx);
        }
        let mut frame = Pin::new(&mut self.body).poll_frame(cx);
        if self.remaining.is_some() {
            frame = frame.map(|frame| self.check_length(frame));
        }
        if self.multiplexed {
            let untaken = matches!(frame, Poll::Ready(Some(Ok(_))));
            self.in_flight.set_untaken(untaken);
        }
        if let Poll::Ready(Some(Err(error))) = frame {
            let since = if self.multiplexed { NOT_FLUSHED } else { self.in_flight.connection_state().flushes() };
            self.failure = Some(Box::new((error, since)));
            return self.poll_failure(cx);
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        // An error is no end, even where the body has nothing more to send.
        self.failure.is_none() && self.remaining.unwrap_or_default() == 0 && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
