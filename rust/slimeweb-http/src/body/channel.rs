//! A body written from any thread, as fast as the client reads it.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use bytes::Bytes;

use crate::error::BodyError;

/// The body takes no more: the client is gone, or the body has been closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the body is closed: the client has gone or close() has been called")]
pub struct Closed;

type Callback = Box<dyn FnOnce() + Send>;

/// What both ends share. Callbacks never run under the lock.
struct Channel {
    state: Mutex<State>,
    room: Condvar,
    high_water: usize,
}

#[derive(Default)]
struct State {
    /// Threads that wait for room. Waking is a system call, made only where a thread waits.
    blocked: usize,
    pieces: VecDeque<Bytes>,
    buffered: usize,
    end: Option<StreamEnd>,
    receiver_gone: bool,
    receiver: Option<Waker>,
    on_room: Vec<Callback>,
    on_closed: Vec<Callback>,
    on_gone: Vec<Callback>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum StreamEnd {
    Closed,
    Aborted,
}

impl State {
    fn is_closed(&self) -> bool {
        self.receiver_gone || self.end.is_some()
    }

    fn push(&mut self, data: Bytes) -> Option<Waker> {
        if data.is_empty() {
            return None;
        }
        self.buffered += data.len();
        self.pieces.push_back(data);
        self.receiver.take()
    }
}

impl Channel {
    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing that can panic runs under the lock.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets the threads that wait for room look again.
    fn unblock(&self, state: MutexGuard<'_, State>) {
        let blocked = state.blocked > 0;
        drop(state);
        if blocked {
            self.room.notify_all();
        }
    }

    fn end(&self, end: StreamEnd) {
        let mut state = self.lock();
        if state.is_closed() {
            return;
        }
        state.end = Some(end);
        let (waker, callbacks) = (state.receiver.take(), std::mem::take(&mut state.on_room));
        let unneeded = std::mem::take(&mut state.on_closed);
        self.unblock(state);
        drop(unneeded);
        if let Some(waker) = waker {
            waker.wake();
        }
        callbacks.into_iter().for_each(|callback| callback());
    }
}

pub(super) fn channel(high_water: usize) -> (BodySender, BodyReceiver) {
    let channel = Arc::new(Channel { state: Mutex::default(), room: Condvar::new(), high_water: high_water.max(1) });
    (BodySender { owner: Arc::new(Owner(Arc::clone(&channel))) }, BodyReceiver { channel, ended: false })
}

/// The writing end of [`Body::channel`](crate::Body::channel). Cheap to clone; usable from any thread.
///
/// The last one dropped without a [`close`](Self::close) or an [`abort`](Self::abort) closes the body.
#[derive(Clone)]
pub struct BodySender {
    owner: Arc<Owner>,
}

/// Shared by all clones of a sender, so that its drop is the last one's.
struct Owner(Arc<Channel>);

impl Drop for Owner {
    fn drop(&mut self) {
        self.0.end(StreamEnd::Closed);
    }
}

impl fmt::Debug for BodySender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.channel().lock();
        f.debug_struct("BodySender").field("buffered", &state.buffered).field("closed", &state.is_closed()).finish()
    }
}

impl BodySender {
    fn channel(&self) -> &Channel {
        &self.owner.0
    }

    /// Gives `data` to the client, waiting on this thread while the buffer is full. Not for an async context.
    ///
    /// # Errors
    /// [`Closed`]; `data` is lost then.
    pub fn send_blocking(&self, data: Bytes) -> Result<(), Closed> {
        let channel = self.channel();
        let mut state = channel.lock();
        while !state.is_closed() && state.buffered >= channel.high_water {
            state.blocked += 1;
            state = channel.room.wait(state).unwrap_or_else(PoisonError::into_inner);
            state.blocked -= 1;
        }
        Self::take(state, data)
    }

    /// Gives a copy of `data` to the client: `Ok(true)`. While the buffer is full nothing is taken: `Ok(false)`.
    ///
    /// # Errors
    /// [`Closed`].
    pub fn try_send(&self, data: &[u8]) -> Result<bool, Closed> {
        let state = self.channel().lock();
        if !state.is_closed() && state.buffered >= self.channel().high_water {
            return Ok(false);
        }
        Self::take(state, Bytes::copy_from_slice(data)).map(|()| true)
    }

    /// Gives `data` to the client even while the buffer is full: for what was made before that was known, such as a
    /// compressor's tail. It is up to the caller to bound it.
    ///
    /// # Errors
    /// [`Closed`].
    pub fn send_last(&self, data: Bytes) -> Result<(), Closed> {
        Self::take(self.channel().lock(), data)
    }

    fn take(mut state: MutexGuard<'_, State>, data: Bytes) -> Result<(), Closed> {
        if state.is_closed() {
            return Err(Closed);
        }
        let waker = state.push(data);
        drop(state);
        if let Some(waker) = waker {
            waker.wake();
        }
        Ok(())
    }

    /// Whether [`try_send`](Self::try_send) would take data now. False when closed.
    #[must_use]
    pub fn has_room(&self) -> bool {
        let state = self.channel().lock();
        !state.is_closed() && state.buffered < self.channel().high_water
    }

    /// Calls `f` once, when there is room or the body is closed: at once if that is so already, else from the thread
    /// that made it so.
    pub fn on_room(&self, f: Callback) {
        let mut state = self.channel().lock();
        if state.is_closed() || state.buffered < self.channel().high_water {
            drop(state);
            f();
        } else {
            state.on_room.push(f);
        }
    }

    /// Calls `f` once if the client goes away before the body's end: at once if it has gone already. Dropped uncalled
    /// when the body ends by [`close`](Self::close) or [`abort`](Self::abort).
    pub fn on_closed(&self, f: Callback) {
        let mut state = self.channel().lock();
        if state.receiver_gone && state.end.is_none() {
            drop(state);
            f();
        } else if state.end.is_none() {
            state.on_closed.push(f);
        }
    }

    /// Calls `f` once the connection is done with the body, whether it has taken all of it or not: at once if that is so
    /// already.
    pub fn on_gone(&self, f: Callback) {
        let mut state = self.channel().lock();
        if state.receiver_gone {
            drop(state);
            f();
        } else {
            state.on_gone.push(f);
        }
    }

    /// Ends the body. What is buffered is still sent. Does nothing the second time.
    pub fn close(&self) {
        self.channel().end(StreamEnd::Closed);
    }

    /// Aborts the body: what is buffered is still sent, then the connection is closed so that the client sees
    /// (HTTP/1.1: no final chunk; HTTP/2: RST_STREAM).
    pub fn abort(&self) {
        self.channel().end(StreamEnd::Aborted);
    }

    /// Whether the client has gone, or the body has been closed or aborted.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.channel().lock().is_closed()
    }
}

pub(super) struct BodyReceiver {
    channel: Arc<Channel>,
    ended: bool,
}

impl BodyReceiver {
    /// Whether there is nothing left to send. True of an aborted body only once its error has been taken.
    pub(super) fn has_ended(&self) -> bool {
        let state = self.channel.lock();
        self.ended || (state.end == Some(StreamEnd::Closed) && state.pieces.is_empty())
    }

    pub(super) fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, BodyError>>> {
        if self.ended {
            return Poll::Ready(None);
        }
        let mut state = self.channel.lock();
        let Some(piece) = state.pieces.pop_front() else {
            return match state.end {
                None => {
                    state.receiver = Some(cx.waker().clone());
                    Poll::Pending
                }
                Some(end) => {
                    drop(state);
                    self.ended = true;
                    Poll::Ready((end == StreamEnd::Aborted).then_some(Err(BodyError::Aborted)))
                }
            };
        };
        state.buffered -= piece.len();
        let callbacks =
            if state.buffered < self.channel.high_water { std::mem::take(&mut state.on_room) } else { Vec::new() };
        self.channel.unblock(state);
        callbacks.into_iter().for_each(|callback| callback());
        Poll::Ready(Some(Ok(piece)))
    }
}

impl Drop for BodyReceiver {
    fn drop(&mut self) {
        let mut state = self.channel.lock();
        state.receiver_gone = true;
        let pieces = std::mem::take(&mut state.pieces);
        state.buffered = 0;
        let (room, closed) = (std::mem::take(&mut state.on_room), std::mem::take(&mut state.on_closed));
        let gone = std::mem::take(&mut state.on_gone);
        let told = state.end.is_some();
        self.channel.unblock(state);
        drop(pieces);
        room.into_iter().for_each(|callback| callback());
        if !told {
            closed.into_iter().for_each(|callback| callback());
        }
        gone.into_iter().for_each(|callback| callback());
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;
    use std::thread;

    use super::*;

    fn next(receiver: &mut BodyReceiver) -> Poll<Option<Result<Bytes, BodyError>>> {
        receiver.poll_next(&mut Context::from_waker(Waker::noop()))
    }

    #[test]
    fn a_full_buffer_takes_nothing_until_there_is_room() {
        let (sender, mut receiver) = channel(4);
        assert_eq!(sender.try_send(b"abcdef"), Ok(true));
        assert_eq!(sender.try_send(b"g"), Ok(false));
        let (told, hear) = mpsc::channel();
        sender.on_room(Box::new(move || told.send(()).unwrap()));
        assert!(hear.try_recv().is_err());
        assert_eq!(next(&mut receiver), Poll::Ready(Some(Ok(Bytes::from_static(b"abcdef")))));
        hear.try_recv().unwrap();
        assert_eq!(sender.try_send(b"g"), Ok(true));
    }

    #[test]
    fn a_blocked_writer_goes_on_when_the_reader_takes_a_piece() {
        let (sender, mut receiver) = channel(1);
        sender.send_blocking(Bytes::from_static(b"a")).unwrap();
        let writer = thread::spawn({
            let sender = sender.clone();
            move || sender.send_blocking(Bytes::from_static(b"b"))
        });
        assert_eq!(next(&mut receiver), Poll::Ready(Some(Ok(Bytes::from_static(b"a")))));
        writer.join().unwrap().unwrap();
        assert_eq!(next(&mut receiver), Poll::Ready(Some(Ok(Bytes::from_static(b"b")))));
    }

    #[test]
    fn a_blocked_writer_hears_that_the_client_left() {
        let (sender, receiver) = channel(1);
        sender.send_blocking(Bytes::from_static(b"a")).unwrap();
        let (told, hear) = mpsc::channel();
        sender.on_closed(Box::new(move || told.send(()).unwrap()));
        let writer = thread::spawn({
            let sender = sender.clone();
            move || sender.send_blocking(Bytes::from_static(b"b"))
        });
        drop(receiver);
        assert_eq!(writer.join().unwrap(), Err(Closed));
        hear.try_recv().unwrap();
        assert!(sender.is_closed());
    }

    #[test]
    fn what_is_buffered_is_sent_before_the_end_and_before_an_error() {
        let (sender, mut receiver) = channel(8);
        sender.try_send(b"a").unwrap();
        drop(sender);
        assert_eq!(next(&mut receiver), Poll::Ready(Some(Ok(Bytes::from_static(b"a")))));
        assert!(receiver.has_ended());
        assert_eq!(next(&mut receiver), Poll::Ready(None));

        let (sender, mut receiver) = channel(8);
        sender.try_send(b"a").unwrap();
        sender.abort();
        assert_eq!(sender.try_send(b"b"), Err(Closed));
        assert_eq!(next(&mut receiver), Poll::Ready(Some(Ok(Bytes::from_static(b"a")))));
        assert!(!receiver.has_ended());
        assert_eq!(next(&mut receiver), Poll::Ready(Some(Err(BodyError::Aborted))));
        assert_eq!(next(&mut receiver), Poll::Ready(None));
    }

    #[test]
    fn the_end_of_a_body_is_told_however_it_comes() {
        for close in [false, true] {
            let (sender, receiver) = channel(8);
            let (told, hear) = mpsc::channel();
            let late = told.clone();
            sender.on_gone(Box::new(move || told.send("ended").unwrap()));
            if close {
                sender.close();
            }
            assert!(hear.try_recv().is_err());
            drop(receiver);
            assert_eq!(hear.try_recv(), Ok("ended"));
            sender.on_gone(Box::new(move || late.send("has ended").unwrap()));
            assert_eq!(hear.try_recv(), Ok("has ended"));
        }
    }

    #[test]
    fn a_close_by_the_writer_is_not_a_client_that_left() {
        let (sender, receiver) = channel(8);
        let (told, hear) = mpsc::channel::<()>();
        sender.on_closed(Box::new(move || told.send(()).unwrap()));
        sender.close();
        drop(receiver);
        assert!(hear.recv().is_err());
    }
}
