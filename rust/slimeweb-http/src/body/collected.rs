//! A request body that has been read as a whole.

use std::sync::OnceLock;

use bytes::{Bytes, BytesMut};

/// A piece below this size is copied to others like it, in bytes: it may hold a whole read buffer of 64 KiB in memory.
const SMALL: usize = 16 * 1024;

/// A body in the pieces that it came in, so that large ones need not be copied to be kept.
#[derive(Debug, Default)]
pub struct Collected {
    pieces: Vec<Bytes>,
    length: usize,
    joined: OnceLock<Bytes>,
}

impl Collected {
    /// Bytes of the whole.
    #[must_use]
    pub fn len(&self) -> usize {
        self.length
    }

    /// Whether there is nothing in it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.length == 0
    }

    /// The pieces in order, none of them empty.
    #[must_use]
    pub fn pieces(&self) -> &[Bytes] {
        &self.pieces
    }

    /// The whole in one piece: a copy, made once, where it is not that already.
    #[must_use]
    pub fn joined(&self) -> &Bytes {
        match &self.pieces[..] {
            [whole] => whole,
            pieces => self.joined.get_or_init(|| pieces.concat().into()),
        }
    }
}

/// Puts a body together.
#[derive(Default)]
pub(crate) struct Collector {
    collected: Collected,
    /// Small pieces in a row.
    small: BytesMut,
}

impl Collector {
    pub(crate) fn push(&mut self, piece: Bytes) {
        self.collected.length += piece.len();
        if piece.len() < SMALL {
            self.small.extend_from_slice(&piece);
        } else {
            self.end_small();
            self.collected.pieces.push(piece);
        }
    }

    /// The last piece may stay as it is, however small: mostly it is the only one.
    pub(crate) fn finish(mut self, last: Option<Bytes>) -> Collected {
        match last {
            Some(last) if self.small.is_empty() => {
                self.collected.length += last.len();
                self.collected.pieces.push(last);
            }
            Some(last) => self.push(last),
            None => {}
        }
        self.end_small();
        self.collected
    }

    fn end_small(&mut self) {
        if !self.small.is_empty() {
            self.collected.pieces.push(self.small.split().freeze());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn collect(sizes: &[usize]) -> Collected {
        let mut collector = Collector::default();
        let mut pieces: Vec<Bytes> =
            sizes.iter().enumerate().map(|(at, size)| vec![b'a' + at as u8 % 26; *size].into()).collect();
        let last = pieces.pop();
        pieces.into_iter().for_each(|piece| collector.push(piece));
        collector.finish(last)
    }

    #[test]
    fn large_pieces_stay_and_small_ones_are_put_together() {
        for (sizes, lengths) in [
            (&[][..], &[][..]),
            (&[3], &[3]),
            (&[SMALL], &[SMALL]),
            (&[1; 1000], &[1000]),
            (&[SMALL, 1, 2, 3, SMALL, SMALL, 4], &[SMALL, 6, SMALL, SMALL, 4]),
            (&[5, SMALL], &[5, SMALL]),
        ] {
            let collected = collect(sizes);
            assert_eq!(collected.pieces().iter().map(Bytes::len).collect::<Vec<_>>(), lengths, "{sizes:?}");
            assert_eq!(collected.len(), sizes.iter().sum::<usize>());
            assert_eq!(collected.is_empty(), sizes.is_empty());
            let expected: Vec<u8> =
                sizes.iter().enumerate().flat_map(|(at, size)| vec![b'a' + at as u8 % 26; *size]).collect();
            assert_eq!(collected.joined(), &expected);
            assert_eq!(collected.joined().as_ptr(), collected.joined().as_ptr());
        }
    }
}
