//! Strings as JSON writes them (RFC 8259, section 7).

const LANES: usize = size_of::<u64>();
const ONES: u64 = u64::from_ne_bytes([0x01; LANES]);
const HIGH_BITS: u64 = u64::from_ne_bytes([0x80; LANES]);
const HEX: &[u8; 16] = b"0123456789abcdef";

/// Appends `text` in double quotes, with only the escapes that are required.
pub(crate) fn write_string(out: &mut Vec<u8>, text: &str) {
    let mut rest = text.as_bytes();
    out.reserve(rest.len() + 2);
    out.push(b'"');
    while let Some((plain, special, after)) = next_special(rest) {
        out.extend_from_slice(plain);
        write_escape(out, special);
        rest = after;
    }
    out.extend_from_slice(rest);
    out.push(b'"');
}

/// What comes before the first byte that needs an escape, that byte, and what comes after it.
fn next_special(bytes: &[u8]) -> Option<(&[u8], u8, &[u8])> {
    let (words, tail) = bytes.as_chunks::<LANES>();
    let in_words = words.iter().enumerate().find_map(|(index, word)| {
        let marks = specials(u64::from_le_bytes(*word));
        (marks != 0).then(|| index * LANES + marks.trailing_zeros() as usize / 8)
    });
    let at = in_words.or_else(|| {
        let in_tail = tail.iter().position(|&byte| byte < b' ' || byte == b'"' || byte == b'\\')?;
        Some(bytes.len() - tail.len() + in_tail)
    })?;
    let (plain, from) = bytes.split_at_checked(at)?;
    let (&special, after) = from.split_first()?;
    Some((plain, special, after))
}

/// Eight bytes at once: the lowest high bit set marks the first that needs an escape; zero means none does.
///
/// A borrow out of a marked byte may mark higher ones wrongly, never lower ones, so only the lowest counts.
fn specials(word: u64) -> u64 {
    let equals = |byte: u8| {
        let differs = word ^ (ONES * u64::from(byte));
        differs.wrapping_sub(ONES) & !differs
    };
    let control = word.wrapping_sub(ONES * u64::from(b' ')) & !word;
    (control | equals(b'"') | equals(b'\\')) & HIGH_BITS
}

#[cold]
fn write_escape(out: &mut Vec<u8>, byte: u8) {
    let short = match byte {
        b'"' | b'\\' => byte,
        b'\n' => b'n',
        b'\r' => b'r',
        b'\t' => b't',
        0x08 => b'b',
        0x0c => b'f',
        _ => {
            let digit = |nibble: u8| HEX.get(usize::from(nibble)).copied().unwrap_or(b'0');
            out.extend_from_slice(b"\\u00");
            out.extend_from_slice(&[digit(byte >> 4), digit(byte & 0x0f)]);
            return;
        }
    };
    out.extend_from_slice(&[b'\\', short]);
}
