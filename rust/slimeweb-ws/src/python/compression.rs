//! How messages to one client are compressed.

use parking_lot::Mutex;

use crate::{Deflate, Deflater, Encoder};

/// What was agreed upon with a client, and how hard to try.
pub(super) struct Compression {
    level: u8,
    /// Shorter messages, in bytes, are not compressed.
    pub(super) threshold: usize,
    window_bits: u8,
    /// With context takeover: what earlier messages have left, for one message at a time.
    pub(super) kept: Option<Mutex<Encoder>>,
}

impl Compression {
    pub(super) fn new(deflate: Deflate, level: u8, threshold: usize) -> Self {
        let window_bits = deflate.server_max_window_bits;
        let kept = (!deflate.server_no_context_takeover)
            .then(|| Mutex::new(Encoder::new(Some(Deflater::new(level, window_bits, true)), threshold)));
        Self { level, threshold, window_bits, kept }
    }

    /// Whether a message compressed for one client with these terms reads the same for all of them.
    pub(super) fn is_shareable(&self) -> bool {
        self.kept.is_none() && self.window_bits == 15
    }

    /// An encoder that starts afresh.
    pub(super) fn encoder(&self) -> Encoder {
        Encoder::new(Some(Deflater::new(self.level, self.window_bits, false)), self.threshold)
    }
}
