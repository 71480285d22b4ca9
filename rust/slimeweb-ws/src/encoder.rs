//! Messages in, frames out.

use crate::deflate::Deflater;
use crate::frame::{Head, Opcode};
use crate::mask::apply_mask;

/// The two kinds of messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MessageKind {
    /// UTF-8.
    Text,
    /// Anything.
    Binary,
}

impl MessageKind {
    const fn opcode(self) -> Opcode {
        match self {
            Self::Text => Opcode::Text,
            Self::Binary => Opcode::Binary,
        }
    }
}

/// Appends one whole frame to `out`. Clients give a fresh, unpredictable `mask` for each (RFC 6455, section 5.3);
/// servers none.
///
/// Of a control frame's payload no more than 125 bytes are sent, and text is not checked to be UTF-8: both are the
/// caller's to see to.
pub fn write_frame(opcode: Opcode, payload: &[u8], mask: Option<[u8; 4]>, out: &mut Vec<u8>) {
    let payload = match payload.get(..crate::MAX_CONTROL) {
        Some(most) if opcode.is_control() => most,
        _ => payload,
    };
    write(Head { fin: true, compressed: false, opcode, mask, length: payload.len() as u64 }, payload, out);
}

fn write(head: Head, payload: &[u8], out: &mut Vec<u8>) {
    out.reserve(crate::frame::MAX_HEAD + payload.len());
    head.write(out);
    let start = out.len();
    out.extend_from_slice(payload);
    if let (Some(key), Some(body)) = (head.mask, out.get_mut(start..)) {
        apply_mask(body, key, 0);
    }
}

/// Turns messages into frames, compressed where that was negotiated and pays.
#[derive(Debug)]
pub struct Encoder {
    deflater: Option<Deflater>,
    threshold: usize,
}

impl Encoder {
    /// Messages shorter than `threshold` bytes are not compressed.
    pub fn new(deflater: Option<Deflater>, threshold: usize) -> Self {
        Self { deflater, threshold }
    }

    /// Whether a message of this size would be compressed, or at least tried to be.
    pub fn compresses(&self, length: usize) -> bool {
        self.deflater.is_some() && length >= self.threshold
    }

    /// One message as one frame.
    pub fn message(&mut self, kind: MessageKind, payload: &[u8], mask: Option<[u8; 4]>) -> Vec<u8> {
        let compresses = self.compresses(payload.len());
        let smaller = self.deflater.as_mut().filter(|_| compresses).and_then(|deflater| deflater.message(payload));
        let body = smaller.as_deref().unwrap_or(payload);
        let head =
            Head { fin: true, compressed: smaller.is_some(), opcode: kind.opcode(), mask, length: body.len() as u64 };
        let mut out = Vec::new();
        write(head, body, &mut out);
        out
    }
}
