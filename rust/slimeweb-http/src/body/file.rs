//! A stretch of a file as a body, read off the I/O thread.

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
        self.remaining = self.remaining.saturating_sub(piece.len() as u64);
        if self.remaining > 0 {
            self.state = State::Idle(file);
        }
        Ok(piece)
    }
}

fn read_piece(file: &mut File, wanted: usize) -> io::Result<Bytes> {
    let mut piece = Vec::with_capacity(wanted);
    file.take(wanted as u64).read_to_end(&mut piece)?;
    Ok(piece.into())
}
