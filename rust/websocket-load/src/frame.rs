//! WebSocket frames (RFC 6455, section 5), as far as an echo client needs them: whole text messages.

/// The opcode of a whole text message, FIN included.
const FINAL_TEXT: u8 = 0x81;
const MASKED: u8 = 0x80;

/// Adds the header and the masked payload of one text message from a client to `buffer`.
pub(crate) fn write_text(buffer: &mut Vec<u8>, payload: &[u8], mask: [u8; 4]) {
    buffer.push(FINAL_TEXT);
    match payload.len() {
        length @ 0..=125 => buffer.push(MASKED | length as u8),
        length @ 126..=0xffff => {
            buffer.push(MASKED | 126);
            buffer.extend((length as u16).to_be_bytes());
        }
        length => {
            buffer.push(MASKED | 127);
            buffer.extend((length as u64).to_be_bytes());
        }
    }
    buffer.extend(mask);
    buffer.extend(payload.iter().zip(mask.iter().cycle()).map(|(byte, key)| byte ^ key));
}

/// What a client finds at the start of what a server sent.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Frame<'a> {
    /// The frame is not there as a whole yet.
    Partial,
    /// A text message, and how many bytes its frame takes.
    Text(&'a [u8], usize),
    /// A ping and how many bytes its frame takes; a load generator may leave it unanswered for some seconds.
    Ping(usize),
    /// Anything else: the two bytes it starts with.
    Other(u8, u8),
}

/// Reads the frame at the start of `buffer`.
pub(crate) fn read(buffer: &[u8]) -> Frame<'_> {
    let &[first, second, ref rest @ ..] = buffer else { return Frame::Partial };
    let (length, header): (usize, usize) = match (second, rest) {
        (0..=125, _) => (usize::from(second), 2),
        (126, &[a, b, ..]) => (usize::from(u16::from_be_bytes([a, b])), 4),
        (127, &[a, b, c, d, e, f, g, h, ..]) => match usize::try_from(u64::from_be_bytes([a, b, c, d, e, f, g, h])) {
            Ok(length) => (length, 10),
            Err(_) => return Frame::Other(first, second),
        },
        (126 | 127, _) => return Frame::Partial,
        _ => return Frame::Other(first, second),
    };
    let Some(payload) = header.checked_add(length).and_then(|end| buffer.get(header..end)) else {
        return Frame::Partial;
    };
    match first {
        FINAL_TEXT => Frame::Text(payload, header + length),
        0x89 => Frame::Ping(header + length),
        _ => Frame::Other(first, second),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes_the_masked_hello_of_the_rfc() {
        let mut buffer = Vec::new();
        write_text(&mut buffer, b"Hello", [0x37, 0xfa, 0x21, 0x3d]);
        assert_eq!(buffer, [0x81, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58]);
    }

    #[test]
    fn reads_a_text_frame_of_every_length_form_once_it_is_whole() {
        for length in [0_usize, 5, 125, 126, 0xffff, 0x1_0000] {
            let mut bytes = vec![0x81];
            match length {
                0..=125 => bytes.push(length as u8),
                126..=0xffff => {
                    bytes.push(126);
                    bytes.extend((length as u16).to_be_bytes());
                }
                _ => {
                    bytes.push(127);
                    bytes.extend((length as u64).to_be_bytes());
                }
            }
            bytes.extend(std::iter::repeat_n(b'x', length));
            assert_eq!(read(&bytes), Frame::Text(&vec![b'x'; length], bytes.len()));
            assert_eq!(read(&bytes[..bytes.len() - 1]), Frame::Partial);
            assert_eq!(read(&bytes[..1]), Frame::Partial);
        }
    }

    #[test]
    fn tells_other_frames_apart() {
        assert_eq!(read(&[0x89, 0]), Frame::Ping(2));
        assert_eq!(read(&[0x88, 0]), Frame::Other(0x88, 0));
        assert_eq!(read(&[0x81, 0x85, 0, 0, 0, 0]), Frame::Other(0x81, 0x85));
    }
}
