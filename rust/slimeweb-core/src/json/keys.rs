//! The object keys met so far in one document, so that a list of alike objects shares its key strings.

use pyo3::prelude::*;
use pyo3::types::PyString;

/// A power of two; few, because the table is made and dropped with every document.
const SLOTS: usize = 32;
/// Longer keys, in bytes, are rarely repeated and cost more to compare than to make.
const MAX_LEN: usize = 64;

/// A direct-mapped table: a key displaces whatever its slot held, so no input makes it slow or large.
pub(super) struct KeyCache<'py> {
    py: Python<'py>,
    slots: [Option<Bound<'py, PyString>>; SLOTS],
}

impl<'py> KeyCache<'py> {
    pub(super) fn new(py: Python<'py>) -> Self {
        Self { py, slots: [const { None }; SLOTS] }
    }

    /// The Python string of `key`, the same object as last time where that is still remembered.
    pub(super) fn string(&mut self, key: &str, depth: usize) -> Bound<'py, PyString> {
        // The outermost object has no like. Reading a remembered string back costs nothing only while it is ASCII.
        if depth == 0 || key.len() > MAX_LEN || !key.is_ascii() {
            return PyString::new(self.py, key);
        }
        let Some(slot) = self.slots.get_mut(slot_of(key.as_bytes())) else {
            return PyString::new(self.py, key);
        };
        match slot {
            Some(known) if known.to_str().is_ok_and(|known| known == key) => known.clone(),
            _ => slot.insert(PyString::new(self.py, key)).clone(),
        }
    }
}

/// First and last byte and the length distinguish most keys of one document; a collision only costs a new string.
fn slot_of(key: &[u8]) -> usize {
    let ends = match (key.first_chunk::<8>(), key.last_chunk::<8>()) {
        (Some(first), Some(last)) => u64::from_le_bytes(*first) ^ u64::from_le_bytes(*last).rotate_left(29),
        _ => key.iter().fold(0, |seen, &byte| (seen << 8) | u64::from(byte)),
    };
    let mixed = (ends ^ key.len() as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (mixed >> (u64::BITS - SLOTS.trailing_zeros())) as usize
}
