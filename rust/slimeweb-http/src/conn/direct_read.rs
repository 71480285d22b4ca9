//! Reads a body of known length from the socket straight into a buffer, past hyper.
//!
//! hyper hands a body out in pieces of its own buffer, which then have to be copied to where they are wanted. Where
//! there is a buffer for all of a body, `ConnIo` reads from the socket right into it, and shows hyper as many zeroes,
//! since hyper has to count.

use std::fmt;
use std::mem::MaybeUninit;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::io::ReadBuf;

/// A buffer for a whole body.
pub trait BodyBuffer: Send + 'static {
    /// All of it, always the same. As long as the body.
    fn bytes(&mut self) -> &mut [MaybeUninit<u8>];

    /// Nothing more of the body has come for now.
    fn stalled(&mut self) {}
}

/// A buffer for a body, and what of it has been written.
pub(crate) struct DirectRead<R: ?Sized> {
    /// Whose body it is: the index of its head on the connection.
    head: u64,
    /// Bytes from the first on that came by hyper.
    copied: usize,
    /// The range that has been read past hyper, if any.
    read_range: Option<(usize, usize)>,
    buffer: R,
}

/// Shared by `ConnIo` and the body's reader.
pub(crate) type SharedDirectRead = Arc<Mutex<DirectRead<dyn BodyBuffer>>>;

impl<R: ?Sized> fmt::Debug for DirectRead<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { head, copied, read_range, buffer: _ } = self;
        f.debug_struct("DirectRead")
            .field("head", head)
            .field("copied", copied)
            .field("landed", read_range)
            .finish_non_exhaustive()
    }
}

impl<R: BodyBuffer> DirectRead<R> {
    pub(crate) fn new(head: u64, buffer: R) -> Arc<Mutex<Self>> {
        Arc::new(Mutex::new(Self { head, copied: 0, read_range: None, buffer }))
    }

    /// The buffer, once every byte of it has been written.
    pub(crate) fn finish(mut self) -> Option<R> {
        let length = self.buffer.bytes().len();
        let whole = match self.read_range {
            None => self.copied == length,
            Some((from, to)) => self.copied == from && to == length,
        };
        whole.then_some(self.buffer)
    }
}

impl<R: BodyBuffer + ?Sized> DirectRead<R> {
    /// The free part of the buffer for a body of which `left` bytes have not come by `ConnIo` yet; none where it is
    /// another body's.
    pub(super) fn rest(&mut self, head: u64, left: u64) -> Option<(usize, &mut [MaybeUninit<u8>])> {
        let buffer = self.buffer.bytes();
        let from = buffer.len().checked_sub(usize::try_from(left).ok()?)?;
        let follows = self.read_range.is_none_or(|(_, to)| to == from) && self.copied <= from;
        (self.head == head && follows).then(|| (from, buffer.get_mut(from..).unwrap_or_default()))
    }

    /// There is nothing to read at the moment.
    pub(crate) fn stalled(&mut self) {
        self.buffer.stalled();
    }

    /// Records that `count` bytes have been read to `from`.
    pub(super) fn record_read(&mut self, from: usize, count: usize) {
        let start = self.read_range.map_or(from, |(start, _)| start);
        self.read_range = Some((start, from + count));
    }

    /// Takes a piece that hyper has given: copies it, or the part of it that has not been read past hyper, whose bytes
    /// mean nothing. `at` is where in the body it begins. False where it does not belong there.
    pub(crate) fn accept(&mut self, at: usize, piece: &[u8]) -> bool {
        let real = self.read_range.map_or(piece.len(), |(from, _)| from.saturating_sub(at).min(piece.len()));
        if real == 0 {
            return self.read_range.is_some_and(|(_, to)| at + piece.len() <= to);
        }
        let Some(buffer) = self.buffer.bytes().get_mut(at..at + real) else { return false };
        let Some(piece) = piece.get(..real) else { return false };
        ReadBuf::uninit(buffer).put_slice(piece);
        self.copied = at + real;
        true
    }
}

/// A thread that panicked under this lock was copying bytes: they are written, or not counted.
pub(crate) fn lock<T: ?Sized>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
