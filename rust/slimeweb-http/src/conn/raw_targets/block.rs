//! Header blocks (RFC 7541): the targets in them, and what of the dynamic table is needed to find these.

use std::collections::VecDeque;

use http::HeaderName;

use super::huffman;
use super::target::{encoded, harmless, is_beginning, is_harmless};

/// The static table's entries, and two among them: `:path` with `/` and with `/index.html` (appendix A).
const STATIC: usize = 61;
const PATHS: [usize; 2] = [4, 5];
const PATH: &[u8] = b":path";
/// What an entry takes in a table beside its name and value, in bytes (section 4.1).
const ENTRY: usize = 32;
/// The size of the dynamic table that h2 has to be told, in bytes. It holds at most 128 entries.
pub(crate) const TABLE_SIZE: usize = 4096;

/// A block is malformed: h2 ends the connection.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Malformed;

/// What header blocks have put into the dynamic table: which entries are paths, and the targets that were replaced.
///
/// An entry is known by its distance from the newest one, so what has left the table need not be known: whoever names it
/// is refused by h2. A table that does not take an entry, since it is too large, is empty after it (section 4.4), so
/// that nobody can name what came before.
#[derive(Debug, Default)]
pub(super) struct Targets {
    /// Entries so far.
    entries: u64,
    /// Whether their name is `:path`, the newest in the lowest bit: no more fit the table.
    paths: u128,
    /// The targets of entries that were replaced, each with how many entries there were before it. The newest is last.
    replaced: VecDeque<(u64, Box<[u8]>)>,
    /// What they take in the table.
    size: usize,
}

impl Targets {
    /// Whether a target that was replaced may be in the table.
    pub(super) fn is_empty(&self) -> bool {
        self.replaced.is_empty()
    }

    /// The next header block for h2, where it is not the one that has come. `name` names the field for the target.
    pub(super) fn rewrite<'n>(
        &mut self,
        block: &[u8],
        name: impl FnOnce() -> Option<&'n HeaderName>,
    ) -> Result<Option<Vec<u8>>, Malformed> {
        let (mut rest, mut target) = (block, None);
        // What has been written, and how much of `block` that stands for.
        let (mut written, mut copied) = (Vec::new(), 0);
        while let Some(first) = rest.first() {
            let prefix = match first {
                0x80.. => {
                    let index = integer(&mut rest, 7)?;
                    if !self.replaced.is_empty() {
                        target = self.replaced_at(index).or(target);
                    }
                    continue;
                }
                0x40.. => 6,
                0x20.. => {
                    // The table's size changes.
                    integer(&mut rest, 5)?;
                    continue;
                }
                _ => 4,
            };
            let index = integer(&mut rest, prefix)?;
            let is_path = if index == 0 { Text::read(&mut rest)?.is_path() } else { self.is_path(index) };
            let start = block.len() - rest.len();
            let raw = Text::read(&mut rest)?.raw_target(is_path);
            if let Some(raw) = &raw {
                written.extend_from_slice(block.get(copied..start).ok_or(Malformed)?);
                copied = block.len() - rest.len();
                write_text(&mut written, raw.len(), harmless(raw));
                target = Some(encoded(raw));
            }
            if prefix == 6 {
                self.insert(is_path, raw);
            }
        }
        let Some(target) = target else { return Ok(None) };
        let name = name().ok_or(Malformed)?;
        written.extend_from_slice(block.get(copied..).ok_or(Malformed)?);
        // A literal that enters no table.
        written.push(0);
        write_text(&mut written, name.as_str().len(), name.as_str().bytes());
        write_text(&mut written, target.len(), target.iter().copied());
        Ok(Some(written))
    }

    fn insert(&mut self, is_path: bool, raw: Option<Vec<u8>>) {
        if let Some(raw) = raw {
            self.size += ENTRY + PATH.len() + raw.len();
            self.replaced.push_back((self.entries, raw.into()));
        }
        self.entries += 1;
        self.paths = (self.paths << 1) | u128::from(is_path);
        while let Some((number, raw)) = self.replaced.front() {
            if self.size <= TABLE_SIZE && self.entries - number <= u64::from(u128::BITS) {
                break;
            }
            self.size -= ENTRY + PATH.len() + raw.len();
            self.replaced.pop_front();
        }
    }

    fn is_path(&self, index: usize) -> bool {
        let distance = index.checked_sub(STATIC + 1).and_then(|distance| u32::try_from(distance).ok());
        distance.map_or(PATHS.contains(&index), |distance| self.paths.checked_shr(distance).unwrap_or(0) & 1 == 1)
    }

    fn replaced_at(&self, index: usize) -> Option<Vec<u8>> {
        let distance = index.checked_sub(STATIC)?;
        let number = self.entries.checked_sub(u64::try_from(distance).ok()?)?;
        self.replaced.iter().find(|(other, _)| *other == number).map(|(_, raw)| encoded(raw))
    }
}

/// A string in a header block (section 5.2).
struct Text<'a> {
    is_huffman: bool,
    bytes: &'a [u8],
}

impl<'a> Text<'a> {
    fn read(block: &mut &'a [u8]) -> Result<Self, Malformed> {
        let is_huffman = block.first().is_some_and(|first| first & 0x80 != 0);
        let length = integer(block, 7)?;
        let (bytes, rest) = block.split_at_checked(length).ok_or(Malformed)?;
        *block = rest;
        Ok(Self { is_huffman, bytes })
    }

    fn is_path(&self) -> bool {
        if !self.is_huffman {
            return self.bytes == PATH;
        }
        self.bytes.len() < PATH.len() && huffman::Decoder::new(self.bytes).eq(PATH.iter().map(|byte| Some(*byte)))
    }

    /// The target that this is, where h2 may not take it. What is not Huffman-coded properly is left to h2.
    fn raw_target(&self, is_path: bool) -> Option<Vec<u8>> {
        if !is_path {
            return None;
        }
        if !self.is_huffman {
            let begins = self.bytes.first().is_none_or(|first| is_beginning(*first));
            return (!begins || !self.bytes.iter().all(|byte| is_harmless(*byte))).then(|| self.bytes.to_vec());
        }
        let mut bytes = huffman::Decoder::new(self.bytes);
        let first = bytes.next()?;
        if first.is_some_and(|byte| is_beginning(byte) && is_harmless(byte))
            && bytes.all(|byte| byte.is_some_and(is_harmless))
        {
            return None;
        }
        let mut target = Vec::with_capacity(self.bytes.len() * 2);
        for byte in huffman::Decoder::new(self.bytes) {
            target.push(byte?);
        }
        Some(target)
    }
}

/// Takes an integer off the block whose first byte has so many bits of it (section 5.1). As h2, no more than five bytes.
fn integer(block: &mut &[u8], prefix: u32) -> Result<usize, Malformed> {
    let (first, mut rest) = block.split_first().ok_or(Malformed)?;
    let mask = (1 << prefix) - 1;
    let mut value = usize::from(*first) & mask;
    if value == mask {
        for shift in [0, 7, 14, 21] {
            let (byte, after) = rest.split_first().ok_or(Malformed)?;
            rest = after;
            value += usize::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                *block = rest;
                return Ok(value);
            }
        }
        return Err(Malformed);
    }
    *block = rest;
    Ok(value)
}

/// Writes a string without Huffman coding.
fn write_text(written: &mut Vec<u8>, length: usize, bytes: impl Iterator<Item = u8>) {
    let mut left = length;
    if let Some(over) = left.checked_sub(0x7f) {
        written.push(0x7f);
        left = over;
        while left >= 0x80 {
            written.push((left & 0x7f) as u8 | 0x80);
            left >>= 7;
        }
    }
    written.push(left as u8);
    written.extend(bytes);
}

#[cfg(test)]
mod tests {
    use super::*;

    static FIELD: HeaderName = HeaderName::from_static("f");

    fn rewritten(targets: &mut Targets, block: &[u8]) -> Option<Vec<u8>> {
        targets.rewrite(block, || Some(&FIELD)).unwrap()
    }

    /// A literal of a static or dynamic name: 4 is `:path`.
    fn literal(first: u8, value: &[u8]) -> Vec<u8> {
        let mut block = vec![first];
        write_text(&mut block, value.len(), value.iter().copied());
        block
    }

    fn with_field(block: &[u8], target: &[u8]) -> Option<Vec<u8>> {
        let mut block = block.to_vec();
        block.extend_from_slice(b"\0\x01f");
        write_text(&mut block, target.len(), target.iter().copied());
        Some(block)
    }

    #[test]
    fn the_requests_of_rfc_7541_appendix_c_pass_as_they_are() {
        let plain: [&[u8]; 3] = [
            b"\x82\x86\x84\x41\x0fwww.example.com",
            b"\x82\x86\x84\xbe\x58\x08no-cache",
            b"\x82\x87\x85\xbf\x40\x0acustom-key\x0ccustom-value",
        ];
        let huffman: [&[u8]; 3] = [
            b"\x82\x86\x84\x41\x8c\xf1\xe3\xc2\xe5\xf2\x3a\x6b\xa0\xab\x90\xf4\xff",
            b"\x82\x86\x84\xbe\x58\x86\xa8\xeb\x10\x64\x9c\xbf",
            b"\x82\x87\x85\xbf\x40\x88\x25\xa8\x49\xe9\x5b\xa9\x7d\x7f\x89\x25\xa8\x49\xe9\x5b\xb8\xe8\xb4\xbf",
        ];
        for blocks in [plain, huffman] {
            let mut targets = Targets::default();
            for (entries, block) in (1..).zip(blocks) {
                assert_eq!(rewritten(&mut targets, block), None);
                assert_eq!(targets.entries, entries);
            }
            assert_eq!(targets.paths, 0);
        }
        // Section C.2: literals with indexing, without, and never indexed; C.2.2 has the path `/sample/path`.
        let mut targets = Targets::default();
        for block in [
            &b"\x40\x0acustom-key\x0dcustom-header"[..],
            b"\x04\x0c/sample/path",
            b"\x10\x08password\x06secret",
            b"\x82",
            b"\x20\x3f\xe1\x1f",
        ] {
            assert_eq!(rewritten(&mut targets, block), None);
        }
        assert_eq!(targets.entries, 1);
    }

    #[test]
    fn a_raw_target_is_replaced_by_one_of_its_length_and_handed_on() {
        let mut targets = Targets::default();
        for first in [0x04, 0x05, 0x14, 0x44] {
            let block = [b"\x82", &literal(first, b"/?a=\"<\"")[..], b"\x87"].concat();
            let harmless = [b"\x82", &literal(first, b"/?a=___")[..], b"\x87"].concat();
            assert_eq!(rewritten(&mut targets, &block), with_field(&harmless, b"/?a=%22%3C%22"));
        }
        let named = |name: &[u8], value: &[u8]| [b"\0", name, &literal(0, value)[1..]].concat();
        let (plain, huffman) = (b"\x05:path", b"\x84\xb9\x58\xd3\x3f");
        for name in [&plain[..], huffman] {
            let expected = with_field(&named(name, b"/?_"), b"/?%22");
            assert_eq!(rewritten(&mut targets, &named(name, b"/?\"")), expected);
        }
        assert_eq!(rewritten(&mut targets, &named(b"\x05:patt", b"/?\"")), None);
        assert_eq!(rewritten(&mut targets, &literal(0x01, b"/?\"")), None, "another field");
        // `/?"` in Huffman coding.
        assert_eq!(rewritten(&mut targets, b"\x04\x84\x63\xfc\xfe\x7f"), with_field(&literal(0x04, b"/?_"), b"/?%22"),);
        assert_eq!(rewritten(&mut targets, b"\x04\x85\x63\xfc\xfe\x7f\xff"), None, "padded with more than seven bits");
    }

    #[test]
    fn a_target_in_the_table_is_handed_on_each_time() {
        let mut targets = Targets::default();
        rewritten(&mut targets, &literal(0x44, b"/?\"")).unwrap();
        assert_eq!(rewritten(&mut targets, b"\xbe"), with_field(b"\xbe", b"/?%22"));
        // Another entry comes before it: its name is that of the second entry now.
        assert_eq!(rewritten(&mut targets, &literal(0x41, b"a")), None);
        assert_eq!(rewritten(&mut targets, b"\xbe"), None);
        assert_eq!(rewritten(&mut targets, b"\xbf"), with_field(b"\xbf", b"/?%22"));
        let block = literal(0x0f, b"/<").into_iter().enumerate();
        let block: Vec<u8> = block.flat_map(|(at, byte)| if at == 0 { vec![0x0f, 0x30] } else { vec![byte] }).collect();
        let harmless = [&block[..block.len() - 1], b"_"].concat();
        assert_eq!(rewritten(&mut targets, &block), with_field(&harmless, b"/<"));
    }

    #[test]
    fn no_more_is_kept_than_a_table_can_hold() {
        let mut targets = Targets::default();
        for _ in 0..1000 {
            rewritten(&mut targets, &literal(0x44, &[b'"'; 100])).unwrap();
        }
        assert_eq!(targets.replaced.len(), TABLE_SIZE / (ENTRY + PATH.len() + 100));
        rewritten(&mut targets, &literal(0x44, &[b'"'; TABLE_SIZE])).unwrap();
        assert!(targets.is_empty(), "too large for the table, which is empty after it");
        rewritten(&mut targets, &literal(0x44, b"\"")).unwrap();
        for distance in 1..200u32 {
            assert_eq!(targets.is_empty(), distance > u128::BITS, "{distance}");
            assert_eq!(targets.is_path(STATIC + distance as usize), distance <= u128::BITS);
            rewritten(&mut targets, &literal(0x41, b""));
        }
        assert!(!targets.is_path(usize::MAX));
    }

    #[test]
    fn malformed_blocks_are_told() {
        for block in [
            &b"\xff"[..],
            b"\xff\x80\x80\x80\x80\x00",
            b"\x44",
            b"\x44\x02/",
            b"\x04\x7f\xff\xff\xff\x7f/",
            b"\x40\x01",
            b"\x3f\x80",
        ] {
            assert_eq!(Targets::default().rewrite(block, || Some(&FIELD)), Err(Malformed), "{block:x?}");
        }
    }
}
