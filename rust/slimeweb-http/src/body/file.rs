//! A stretch of a file as a body: read at once where the system has it in memory, else off the I/O thread.

use std::fs::File;
use std::future::Future;
use std::io::{self, Read};
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use tokio::task::JoinHandle;

use crate::error::BodyError;

/// Bytes read at a time.
pub(crate) const PIECE: usize = 64 * 1024;

/// The bytes of a file from its cursor on.
pub(crate) struct FileSection {
    remaining: u64,
    state: State,
}

enum State {
    Idle(File),
    Reading(JoinHandle<(File, io::Result<Bytes>)>),
    Done,
}

impl FileSection {
    pub(crate) fn new(file: File, length: u64) -> Self {
        Self { remaining: length, state: if length == 0 { State::Done } else { State::Idle(file) } }
    }

    pub(crate) fn remaining(&self) -> u64 {
        self.remaining
    }

    pub(super) fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, BodyError>>> {
        loop {
            match std::mem::replace(&mut self.state, State::Done) {
                State::Done => return Poll::Ready(None),
                State::Idle(mut file) => {
                    let wanted = usize::try_from(self.remaining).unwrap_or(PIECE).min(PIECE);
                    if let Some(piece) = read_at_once(&file, wanted) {
                        return Poll::Ready(Some(Ok(self.taken(file, piece))));
                    }
                    self.state = State::Reading(tokio::task::spawn_blocking(move || {
                        let piece = read_piece(&mut file, wanted);
                        (file, piece)
                    }));
                }
                State::Reading(mut reading) => {
                    let Poll::Ready(outcome) = Pin::new(&mut reading).poll(cx) else {
                        self.state = State::Reading(reading);
                        return Poll::Pending;
                    };
                    return Poll::Ready(Some(self.take(outcome)));
                }
            }
        }
    }

    fn take(&mut self, outcome: Result<(File, io::Result<Bytes>), tokio::task::JoinError>) -> Result<Bytes, BodyError> {
        let (file, piece) = outcome.map_err(|_| BodyError::Aborted)?;
        let piece = piece.map_err(|error| BodyError::File(error.kind()))?;
        if piece.is_empty() {
            // It has become shorter since its length was announced.
            return Err(BodyError::File(io::ErrorKind::UnexpectedEof));
        }
        Ok(self.taken(file, piece))
    }

    fn taken(&mut self, file: File, piece: Bytes) -> Bytes {
        self.remaining = self.remaining.saturating_sub(piece.len() as u64);
        if self.remaining > 0 {
            self.state = State::Idle(file);
        }
        piece
    }
}

/// What of the next `wanted` bytes is in memory. `None` where that is nothing, or cannot be known.
#[cfg(target_os = "linux")]
pub(crate) fn read_at_once(file: &File, wanted: usize) -> Option<Bytes> {
    use rustix::io::{ReadWriteFlags, preadv2};
    /// For preadv2(2): from the cursor on, and moving it.
    const CURSOR: u64 = u64::MAX;
    let mut piece = vec![0; wanted];
    let count = preadv2(file, &mut [io::IoSliceMut::new(&mut piece)], CURSOR, ReadWriteFlags::NOWAIT).ok()?;
    piece.truncate(count);
    (count > 0).then(|| piece.into())
}

#[cfg(not(target_os = "linux"))]
pub(crate) fn read_at_once(_: &File, _: usize) -> Option<Bytes> {
    None
}

fn read_piece(file: &mut File, wanted: usize) -> io::Result<Bytes> {
    let mut piece = Vec::with_capacity(wanted);
    file.take(wanted as u64).read_to_end(&mut piece)?;
    Ok(piece.into())
}
