//! A place that a body of known length is read into, past hyper.
//!
//! hyper hands a body out in pieces of its own buffer, which then have to be copied to where they are wanted. Where
//! there is a place for all of a body, `ConnIo` reads from the socket right into it, and shows hyper as many zeroes,
//! since hyper has to count.

use std::fmt;
use std::mem::MaybeUninit;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::io::ReadBuf;

/// Memory for a whole body.
pub trait Room: Send + 'static {
    /// All of it, always the same. As long as the body.
    fn bytes(&mut self) -> &mut [MaybeUninit<u8>];

    /// Nothing more of the body has come for now.
    fn stalled(&mut self) {}
}

/// Where a body goes, and how far it has come.
pub(crate) struct Place<R: ?Sized> {
    /// Whose body it is: the index of its head on the connection.
    head: u64,
    /// Bytes from the first on that came by hyper.
    copied: usize,
    /// What has been read past it: from where to where, where anything was.
    landed: Option<(usize, usize)>,
    room: R,
}

/// A place shared by `ConnIo` and the body's reader.
pub(crate) type Landing = Arc<Mutex<Place<dyn Room>>>;

impl<R: ?Sized> fmt::Debug for Place<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { head, copied, landed, room: _ } = self;
        f.debug_struct("Place")
            .field("head", head)
            .field("copied", copied)
            .field("landed", landed)
            .finish_non_exhaustive()
    }
}

impl<R: Room> Place<R> {
    pub(crate) fn new(head: u64, room: R) -> Arc<Mutex<Self>> {
        Arc::new(Mutex::new(Self { head, copied: 0, landed: None, room }))
    }

    /// The room, once every byte of it has been written.
    pub(crate) fn finish(mut self) -> Option<R> {
        let length = self.room.bytes().len();
        let whole = match self.landed {
            None => self.copied == length,
            Some((from, to)) => self.copied == from && to == length,
        };
        whole.then_some(self.room)
    }
}

impl<R: Room + ?Sized> Place<R> {
    /// The free part of the room for a body of which `left` bytes have not come by `ConnIo` yet; none where it is
    /// another body's.
    pub(super) fn rest(&mut self, head: u64, left: u64) -> Option<(usize, &mut [MaybeUninit<u8>])> {
        let room = self.room.bytes();
        let from = room.len().checked_sub(usize::try_from(left).ok()?)?;
        let follows = self.landed.is_none_or(|(_, to)| to == from) && self.copied <= from;
        (self.head == head && follows).then(|| (from, room.get_mut(from..).unwrap_or_default()))
    }

    /// There is nothing to read at the moment.
    pub(crate) fn stalled(&mut self) {
        self.room.stalled();
    }

    /// Says that so many bytes have been read to there.
    pub(super) fn landed(&mut self, from: usize, count: usize) {
        let start = self.landed.map_or(from, |(start, _)| start);
        self.landed = Some((start, from + count));
    }

    /// Takes a piece that hyper has given: copies it, or the part of it that has not been read past hyper, whose bytes
    /// mean nothing. `at` is where in the body it begins. False where it does not belong there.
    pub(crate) fn place(&mut self, at: usize, piece: &[u8]) -> bool {
        let real = self.landed.map_or(piece.len(), |(from, _)| from.saturating_sub(at).min(piece.len()));
        if real == 0 {
            return self.landed.is_some_and(|(_, to)| at + piece.len() <= to);
        }
        let Some(room) = self.room.bytes().get_mut(at..at + real) else { return false };
        let Some(piece) = piece.get(..real) else { return false };
        ReadBuf::uninit(room).put_slice(piece);
        self.copied = at + real;
        true
    }
}

/// Whoever panicked while it held this was copying bytes: they are written, or not counted.
pub(crate) fn lock<T: ?Sized>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
