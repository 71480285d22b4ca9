//! Raw DEFLATE, a message at a time (RFC 7692, section 7.2).

use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress, Status};

use crate::error::Error;

/// What the sender takes off the end of each message and the receiver puts back.
const TAIL: [u8; 4] = [0x00, 0x00, 0xFF, 0xFF];
/// The least to make room for, in bytes.
const OUTPUT_CHUNK: usize = 4096;

const BROKEN: Error = Error::protocol("a compressed message that does not decompress");
const TOO_BIG: Error = Error::too_big("a message that decompresses to more than the limit");

/// Decompresses the messages of one direction.
///
/// Without context takeover it holds no memory between messages.
#[derive(Debug)]
pub struct Inflater {
    stream: Option<Decompress>,
    window_bits: u8,
    keep: bool,
    /// The peer has ended its stream of blocks (RFC 7692, section 7.2.3.4): whatever comes now begins another.
    ended: bool,
}

impl Inflater {
    /// For a peer whose window is at most `window_bits` (9 to 15; taken to the nearest of them).
    pub fn new(window_bits: u8, keep_context: bool) -> Self {
        Self { stream: None, window_bits: window_bits.clamp(9, 15), keep: keep_context, ended: false }
    }

    /// Decompresses a part of a message onto the end of `out`, which never grows beyond `limit` bytes by more than one
    /// step.
    ///
    /// # Errors
    /// Bytes that are no DEFLATE, or more than `limit` bytes in `out`.
    pub fn push(&mut self, mut input: &[u8], out: &mut Vec<u8>, limit: usize) -> Result<(), Error> {
        loop {
            if std::mem::take(&mut self.ended) {
                if input.is_empty() {
                    self.ended = true;
                    return Ok(());
                }
                self.stream = None;
            }
            let stream = self.stream.get_or_insert_with(|| Decompress::new_with_window_bits(false, self.window_bits));
            if out.capacity() == out.len() {
                out.reserve(out.len().min(limit.saturating_sub(out.len())).max(OUTPUT_CHUNK));
            }
            let (read, written) = (stream.total_in(), stream.total_out());
            let status = stream.decompress_vec(input, out, FlushDecompress::Sync).map_err(|_| BROKEN)?;
            if out.len() > limit {
                return Err(TOO_BIG);
            }
            let count = usize::try_from(stream.total_in() - read).map_err(|_| BROKEN)?;
            let idle = count == 0 && stream.total_out() == written;
            input = input.get(count..).ok_or(BROKEN)?;
            self.ended = status == Status::StreamEnd;
            if !self.ended && input.is_empty() && out.len() < out.capacity() {
                return Ok(());
            }
            // Neither reads on nor writes although there is room and, above, input: it never will.
            if idle && !self.ended && out.len() < out.capacity() {
                return Err(BROKEN);
            }
        }
    }

    /// Ends a message.
    ///
    /// # Errors
    /// As [`push`](Self::push).
    pub fn finish(&mut self, out: &mut Vec<u8>, limit: usize) -> Result<(), Error> {
        if !self.ended {
            self.push(&TAIL, out, limit)?;
        }
        if !self.keep {
            self.stream = None;
            self.ended = false;
        }
        Ok(())
    }
}

/// Compresses the messages of one direction.
///
/// Without context takeover it holds no memory between messages.
#[derive(Debug)]
pub struct Deflater {
    stream: Option<Compress>,
    level: Compression,
    window_bits: u8,
    keep: bool,
}

impl Deflater {
    /// `level` 1 (fast) to 9 (small), `window_bits` 9 to 15; each taken to the nearest it may be.
    pub fn new(level: u8, window_bits: u8, keep_context: bool) -> Self {
        Self {
            stream: None,
            level: Compression::new(u32::from(level.clamp(1, 9))),
            window_bits: window_bits.clamp(9, 15),
            keep: keep_context,
        }
    }

    /// One whole message, compressed. `None` where that does not make it smaller (or fails): it is to be sent as it is.
    pub fn message(&mut self, data: &[u8]) -> Option<Vec<u8>> {
        let compressed = self.compress(data);
        if compressed.is_none() || !self.keep {
            self.stream = None;
        }
        // With context takeover the peer has to see everything that this end's window has seen.
        compressed.filter(|compressed| self.keep || compressed.len() < data.len())
    }

    fn compress(&mut self, data: &[u8]) -> Option<Vec<u8>> {
        let stream =
            self.stream.get_or_insert_with(|| Compress::new_with_window_bits(self.level, false, self.window_bits));
        let mut out = Vec::with_capacity(data.len() / 2 + 64);
        let mut rest = data;
        loop {
            if out.capacity() == out.len() {
                out.reserve(out.len().max(OUTPUT_CHUNK));
            }
            let read = stream.total_in();
            let status = stream.compress_vec(rest, &mut out, FlushCompress::Sync).ok()?;
            rest = rest.get(usize::try_from(stream.total_in() - read).ok()?..)?;
            if rest.is_empty() && (out.len() < out.capacity() || status == Status::BufError) {
                break;
            }
        }
        if data.is_empty() {
            // Nothing new to flush gives nothing at all: the empty message has a form of its own (section 7.2.3.6).
            return Some(vec![0]);
        }
        out.ends_with(&TAIL).then(|| {
            out.truncate(out.len() - TAIL.len());
            out
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn inflated(inflater: &mut Inflater, pieces: &[&[u8]], limit: usize) -> Result<Vec<u8>, Error> {
        let mut out = Vec::new();
        for piece in pieces {
            inflater.push(piece, &mut out, limit)?;
        }
        inflater.finish(&mut out, limit)?;
        Ok(out)
    }

    proptest! {
        #[test]
        fn messages_come_back(
            messages in prop::collection::vec(prop::collection::vec(0_u8..8, 0..3000), 1..6),
            bits in 9_u8..=15, level in 1_u8..=9, keep: bool, cut in 0_usize..64,
        ) {
            let (mut deflater, mut inflater) = (Deflater::new(level, bits, keep), Inflater::new(bits, keep));
            for message in messages {
                let Some(compressed) = deflater.message(&message) else { continue };
                let (head, rest) = compressed.split_at(cut.min(compressed.len()));
                prop_assert_eq!(inflated(&mut inflater, &[head, rest], 3000)?, message);
            }
        }

        #[test]
        fn no_bytes_panic_or_pass_the_limit(data in prop::collection::vec(any::<Vec<u8>>(), 0..5), limit in 0_usize..5000, keep: bool) {
            let mut inflater = Inflater::new(15, keep);
            let pieces: Vec<&[u8]> = data.iter().map(Vec::as_slice).collect();
            if let Ok(out) = inflated(&mut inflater, &pieces, limit) {
                prop_assert!(out.len() <= limit);
            }
        }
    }

    #[test]
    fn a_bomb_stops_at_the_limit() {
        let bomb = Deflater::new(9, 15, false).message(&vec![0; 50_000_000]).unwrap();
        assert!(bomb.len() < 60_000);
        let mut out = Vec::new();
        let error = Inflater::new(15, false).push(&bomb, &mut out, 100_000).unwrap_err();
        assert_eq!(error, TOO_BIG);
        assert!(out.capacity() < 400_000, "{}", out.capacity());
    }

    #[test]
    fn a_message_of_exactly_the_limit_passes() {
        let message = vec![b'a'; 100_000];
        let compressed = Deflater::new(1, 15, false).message(&message).unwrap();
        assert_eq!(inflated(&mut Inflater::new(15, false), &[&compressed], 100_000).unwrap(), message);
        assert!(inflated(&mut Inflater::new(15, false), &[&compressed], 99_999).is_err());
    }

    #[test]
    fn the_examples_of_the_rfc() {
        // RFC 7692, sections 7.2.3.1 (one block), 7.2.3.2 (shared window), 7.2.3.3 (no compression), 7.2.3.4 (BFINAL),
        // 7.2.3.6.
        let hello: &[u8] = &[0xF2, 0x48, 0xCD, 0xC9, 0xC9, 0x07, 0x00];
        let again: &[u8] = &[0xF2, 0x00, 0x11, 0x00, 0x00];
        let mut kept = Inflater::new(15, true);
        assert_eq!(inflated(&mut kept, &[hello], 5).unwrap(), b"Hello");
        assert_eq!(inflated(&mut kept, &[again], 5).unwrap(), b"Hello");
        let stored: &[u8] = &[0x00, 0x05, 0x00, 0xFA, 0xFF, 0x48, 0x65, 0x6C, 0x6C, 0x6F, 0x00];
        assert_eq!(inflated(&mut Inflater::new(15, false), &[stored], 5).unwrap(), b"Hello");
        let last: &[u8] = &[0xF3, 0x48, 0xCD, 0xC9, 0xC9, 0x07, 0x00, 0x00];
        let mut inflater = Inflater::new(15, true);
        assert_eq!(inflated(&mut inflater, &[last], 5).unwrap(), b"Hello");
        assert_eq!(inflated(&mut inflater, &[hello], 5).unwrap(), b"Hello");
        assert_eq!(inflated(&mut Inflater::new(15, false), &[&[0x00]], 5).unwrap(), b"");
    }
}
