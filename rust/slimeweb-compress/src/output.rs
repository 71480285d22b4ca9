//! Room for what an encoder writes.

/// The least room to offer, in bytes.
const LEAST: usize = 1024;

/// Makes room for what `input` bytes may become: a quarter, as text does, else as often as it takes.
pub(crate) fn prepare(out: &mut Vec<u8>, input: usize) {
    out.reserve((input / 4).max(LEAST));
}

/// Makes more room, twice as much as there was, so that a large body costs few copies.
pub(crate) fn grow(out: &mut Vec<u8>) {
    out.reserve(out.capacity().max(LEAST));
}
