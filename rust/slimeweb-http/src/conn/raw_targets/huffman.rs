//! The Huffman code of header strings (RFC 7541, section 5.2 and appendix B).

use std::slice;

/// The length of each byte's code in bits. The code is canonical: codes of one length are consecutive numbers in the
/// order of the bytes, so the lengths say everything. That of the end of a string, thirty ones, is left out.
const LENGTHS: [u8; 256] = [
    13, 23, 28, 28, 28, 28, 28, 28, 28, 24, 30, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 30, 28, 28, 28, 28, 28, 28,
    28, 28, 28, 6, 10, 10, 12, 13, 6, 8, 11, 10, 10, 8, 11, 8, 6, 6, 6, 5, 5, 5, 6, 6, 6, 6, 6, 6, 6, 7, 8, 15, 6, 12,
    10, 13, 6, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 8, 7, 8, 13, 19, 13, 14, 6, 15, 5, 6,
    5, 6, 5, 6, 6, 6, 5, 7, 7, 6, 6, 6, 5, 6, 7, 6, 5, 5, 6, 7, 7, 7, 7, 7, 15, 11, 14, 13, 28, 20, 22, 20, 20, 22, 22,
    22, 23, 22, 23, 23, 23, 23, 23, 24, 23, 24, 24, 22, 23, 24, 23, 23, 23, 23, 21, 22, 23, 22, 23, 23, 24, 22, 21, 20,
    22, 22, 23, 23, 21, 23, 22, 22, 24, 21, 22, 23, 23, 21, 21, 22, 21, 23, 22, 23, 23, 20, 22, 22, 22, 23, 22, 22, 23,
    26, 26, 20, 19, 22, 23, 22, 25, 26, 26, 26, 27, 27, 26, 24, 25, 19, 21, 26, 27, 27, 26, 27, 24, 21, 21, 26, 26, 28,
    27, 27, 27, 20, 24, 20, 21, 22, 21, 21, 23, 22, 22, 25, 25, 24, 24, 26, 23, 26, 27, 26, 26, 27, 27, 27, 27, 27, 28,
    27, 27, 27, 27, 27, 26,
];
const SHORTEST: usize = 5;
const LONGEST: usize = 30;

/// The codes of one length.
#[derive(Clone, Copy)]
struct Group {
    /// Bits of a code.
    length: u32,
    /// The first number beyond the codes of this length, with zeroes up to 32 bits.
    end: u32,
    /// What to add to a code to get its place in `BYTES`.
    offset: u32,
}

/// A group for each length, whether there are codes of it or not, and the bytes in the order of their codes.
const TABLE: ([Group; LONGEST - SHORTEST + 1], [u8; 256]) = table();

#[allow(clippy::indexing_slicing, reason = "the compiler evaluates it")]
const fn table() -> ([Group; LONGEST - SHORTEST + 1], [u8; 256]) {
    let mut groups = [Group { length: 0, end: 0, offset: 0 }; LONGEST - SHORTEST + 1];
    let mut bytes = [0; 256];
    let (mut place, mut code, mut length) = (0, 0, SHORTEST);
    while length <= LONGEST {
        let offset = (place as u32).wrapping_sub(code);
        let mut byte = 0;
        while byte < bytes.len() {
            if LENGTHS[byte] as usize == length {
                bytes[place] = byte as u8;
                place += 1;
                code += 1;
            }
            byte += 1;
        }
        groups[length - SHORTEST] = Group { length: length as u32, end: code << (32 - length), offset };
        code <<= 1;
        length += 1;
    }
    (groups, bytes)
}

/// The bytes of an encoded string one by one; None where it does not follow the code, which is the end.
pub(super) struct Decoder<'a> {
    encoded: slice::Iter<'a, u8>,
    /// The bits that are next, from the highest on, and ones after them.
    bits: u64,
    count: u32,
}

impl<'a> Decoder<'a> {
    pub(super) fn new(encoded: &'a [u8]) -> Self {
        Self { encoded: encoded.iter(), bits: u64::MAX, count: 0 }
    }
}

impl Iterator for Decoder<'_> {
    type Item = Option<u8>;

    fn next(&mut self) -> Option<Option<u8>> {
        while self.count <= 56 {
            let Some(byte) = self.encoded.next() else { break };
            // The byte takes the place of eight ones.
            self.bits ^= u64::from(!byte) << (56 - self.count);
            self.count += 8;
        }
        let next = (self.bits >> 32) as u32;
        let (groups, bytes) = &TABLE;
        let group = groups.iter().find(|group| next < group.end).filter(|group| group.length <= self.count);
        let Some(group) = group else {
            // A string ends with less than a byte of ones.
            let ends = self.count < 8 && self.bits == u64::MAX;
            *self = Self::new(&[]);
            return if ends { None } else { Some(None) };
        };
        let place = (next >> (32 - group.length)).wrapping_add(group.offset);
        self.bits = (self.bits << group.length) | ((1 << group.length) - 1);
        self.count -= group.length;
        Some(bytes.get(place as usize).copied())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decoded(encoded: &[u8]) -> Option<Vec<u8>> {
        Decoder::new(encoded).collect()
    }

    #[test]
    fn the_examples_of_rfc_7541_appendix_c() {
        let examples: [(&[u8], &[u8]); 6] = [
            (b"\xf1\xe3\xc2\xe5\xf2\x3a\x6b\xa0\xab\x90\xf4\xff", b"www.example.com"),
            (b"\xa8\xeb\x10\x64\x9c\xbf", b"no-cache"),
            (b"\x25\xa8\x49\xe9\x5b\xa9\x7d\x7f", b"custom-key"),
            (b"\x64\x02", b"302"),
            (
                b"\xd0\x7a\xbe\x94\x10\x54\xd4\x44\xa8\x20\x05\x95\x04\x0b\x81\x66\xe0\x82\xa6\x2d\x1b\xff",
                b"Mon, 21 Oct 2013 20:13:21 GMT",
            ),
            (b"\x9d\x29\xad\x17\x18\x63\xc7\x8f\x0b\x97\xc8\xe9\xae\x82\xae\x43\xd3", b"https://www.example.com"),
        ];
        for (encoded, text) in examples {
            assert_eq!(decoded(encoded).as_deref(), Some(text));
        }
        assert_eq!(decoded(b"").as_deref(), Some(&b""[..]));
    }

    #[test]
    fn each_byte_has_the_code_of_its_length() {
        let mut code = 0u32;
        let mut seen = Vec::new();
        for length in SHORTEST..=LONGEST {
            for byte in (0..=255u8).filter(|byte| usize::from(LENGTHS[usize::from(*byte)]) == length) {
                let bits = (u64::from(code) << (64 - length)) | (u64::MAX >> length);
                let encoded = bits.to_be_bytes();
                assert_eq!(decoded(&encoded[..length.div_ceil(8)]), Some(vec![byte]), "{byte:#x}");
                seen.push(byte);
                code += 1;
            }
            code <<= 1;
        }
        assert_eq!(seen.len(), 256);
    }

    #[test]
    fn what_does_not_follow_the_code_has_no_text() {
        // A whole byte of ones, the end of a string within it, zeroes as the last bits, half a code.
        for encoded in [&b"\x64\x02\xff"[..], b"\xff\xff\xff\xff", b"\x64\x02\x00", b"\xfe"] {
            assert_eq!(decoded(encoded), None, "{encoded:x?}");
        }
    }
}
