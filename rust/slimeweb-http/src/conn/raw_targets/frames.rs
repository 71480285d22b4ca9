//! The frames of a client (RFC 9113, section 4.1), as far as needed to find its header blocks.

use std::borrow::Cow;
use std::io;
use std::sync::Arc;

use super::super::state::ConnectionState;
use super::block::{Malformed, Targets};
use super::target::field_name;

const PREFACE: usize = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".len();
/// A frame's head, in bytes.
const HEAD: usize = 9;
/// The largest payload of a frame that h2 has to be told, in bytes: the least that RFC 9113 allows.
pub(crate) const MAX_FRAME_SIZE: usize = 16_384;
/// Types and flags of frames.
const HEADERS: u8 = 1;
const CONTINUATION: u8 = 9;
const END_HEADERS: u8 = 0x4;
const PADDED: u8 = 0x8;
const PRIORITY: u8 = 0x20;
/// A priority's bytes: the stream that this one depends on, and a weight.
const PRIORITY_SIZE: usize = 5;

/// What a client sends over HTTP/2, on its way to h2. See the module.
#[derive(Debug)]
pub(crate) struct RawTargets {
    state: Arc<ConnectionState>,
    targets: Targets,
    /// Bytes that pass without being looked at: the rest of the preface or of a frame, or of all there is.
    unseen: u64,
    /// The beginning of a frame's head, or of the frames of a header block.
    held: Vec<u8>,
    /// How many of these bytes are whole frames.
    whole: usize,
    /// The most bytes that the frames of a header block may have.
    block_size: usize,
}

/// What the next bytes are.
enum Next {
    /// So many that hold no header block.
    Unseen(usize),
    /// So many that are all the frames of a header block.
    Block(usize),
    /// The beginning of either.
    Partial,
}

/// What to show h2 of bytes that have come.
struct Shown {
    /// So many as they are.
    kept: usize,
    /// These in place of those that follow,
    replaced: Vec<u8>,
    /// but for what comes from here on, which is held back.
    held: usize,
}

impl RawTargets {
    pub(crate) fn new(state: Arc<ConnectionState>, block_size: usize) -> Self {
        let (targets, unseen) = (Targets::default(), PREFACE as u64);
        Self { state, targets, unseen, held: Vec::new(), whole: 0, block_size }
    }

    /// Takes the next bytes of the connection, and gives how many of them h2 is to see as they are, and what in place
    /// of the rest. An error where it can be shown nothing any more.
    pub(crate) fn feed(&mut self, bytes: &[u8]) -> io::Result<(usize, Vec<u8>)> {
        if self.held.is_empty() {
            let Shown { kept, replaced, held } = self.show(bytes)?;
            self.held.extend_from_slice(bytes.get(held..).unwrap_or_default());
            return Ok((kept, replaced));
        }
        let mut input = std::mem::take(&mut self.held);
        input.extend_from_slice(bytes);
        let Shown { kept, replaced, held } = self.show(&input)?;
        if held == 0 {
            self.held = input;
            return Ok((0, Vec::new()));
        }
        self.held.extend_from_slice(input.get(held..).unwrap_or_default());
        input.truncate(kept);
        input.extend_from_slice(&replaced);
        Ok((0, input))
    }

    /// What has been held back, for when nothing comes after it.
    pub(crate) fn finish(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.held)
    }

    fn show(&mut self, input: &[u8]) -> io::Result<Shown> {
        let mut at = 0;
        // Where the first block stood that was replaced, what is shown from there on, and up to where.
        let (mut kept, mut replaced, mut copied) = (None, Vec::new(), 0);
        while let Some(rest) = input.get(at..).filter(|rest| !rest.is_empty()) {
            if self.unseen > 0 {
                let count = usize::try_from(self.unseen).map_or(rest.len(), |unseen| unseen.min(rest.len()));
                self.unseen -= count as u64;
                at += count;
                continue;
            }
            let length = match self.next(rest) {
                Ok(Next::Partial) => break,
                Ok(Next::Unseen(length)) => {
                    self.unseen = length as u64;
                    continue;
                }
                Ok(Next::Block(length)) => length,
                Err(Malformed) => {
                    self.give_up()?;
                    continue;
                }
            };
            match self.rewrite(rest.get(..length).unwrap_or_default()) {
                Ok(None) => {}
                Ok(Some(frames)) => {
                    kept.get_or_insert(at);
                    if copied > 0 {
                        replaced.extend_from_slice(input.get(copied..at).unwrap_or_default());
                    }
                    replaced.extend_from_slice(&frames);
                    copied = at + length;
                }
                Err(Malformed) => self.give_up()?,
            }
            at += length;
        }
        if kept.is_some() {
            replaced.extend_from_slice(input.get(copied..at).unwrap_or_default());
        }
        Ok(Shown { kept: kept.unwrap_or(at), replaced, held: at })
    }

    /// What `rest` begins with, of which `whole` bytes have been looked at.
    fn next(&mut self, rest: &[u8]) -> Result<Next, Malformed> {
        let first = Frame::parse(rest);
        loop {
            let Some(frame) = rest.get(self.whole..).and_then(Frame::parse) else { return Ok(Next::Partial) };
            let end = self.whole + HEAD + frame.length;
            if self.whole == 0 && frame.kind != HEADERS {
                return Ok(Next::Unseen(end));
            }
            let follows =
                frame.kind == CONTINUATION && first.as_ref().is_some_and(|first| first.stream == frame.stream);
            if (self.whole > 0 && !follows) || frame.length > MAX_FRAME_SIZE || end > self.block_size {
                return Err(Malformed);
            }
            if rest.len() < end {
                return Ok(Next::Partial);
            }
            if frame.flags & END_HEADERS != 0 {
                self.whole = 0;
                return Ok(Next::Block(end));
            }
            self.whole = end;
        }
    }

    /// The frames of a header block for h2, where they are not those that have come.
    fn rewrite(&mut self, mut frames: &[u8]) -> Result<Option<Vec<u8>>, Malformed> {
        let (head, payload) = Frame::split(&mut frames).ok_or(Malformed)?;
        let (priority, block) = head.unpack(payload)?;
        let mut block = Cow::Borrowed(block);
        while let Some((_, payload)) = Frame::split(&mut frames) {
            block.to_mut().extend_from_slice(payload);
        }
        let state = &self.state;
        let Some(block) = self.targets.rewrite(&block, || state.target_field_or_insert(field_name))? else {
            return Ok(None);
        };
        let mut written = Vec::with_capacity(block.len() + HEAD + PRIORITY_SIZE);
        let (mut kind, mut flags, mut prefix, mut rest) =
            (HEADERS, head.flags & !(PADDED | END_HEADERS), priority, &block[..]);
        loop {
            let (here, later) = rest.split_at(rest.len().min(MAX_FRAME_SIZE - prefix.len()));
            if later.is_empty() {
                flags |= END_HEADERS;
            }
            Frame { length: prefix.len() + here.len(), kind, flags, stream: head.stream }.write(&mut written);
            written.extend_from_slice(prefix);
            written.extend_from_slice(here);
            if later.is_empty() {
                return Ok(Some(written));
            }
            (kind, flags, prefix, rest) = (CONTINUATION, 0, &[], later);
        }
    }

    /// Lets all that comes pass. h2 refuses the block that was the reason, but it may still know others.
    #[cold]
    fn give_up(&mut self) -> io::Result<()> {
        (self.unseen, self.whole) = (u64::MAX, 0);
        // What is shown from now on must not name a target that was replaced.
        if self.targets.is_empty() { Ok(()) } else { Err(io::ErrorKind::InvalidData.into()) }
    }
}

/// The head of a frame.
struct Frame {
    length: usize,
    kind: u8,
    flags: u8,
    stream: [u8; 4],
}

impl Frame {
    fn parse(bytes: &[u8]) -> Option<Self> {
        let [a, b, c, kind, flags, stream @ ..] = bytes.first_chunk::<HEAD>()?;
        let length = usize::from(*a) << 16 | usize::from(*b) << 8 | usize::from(*c);
        Some(Self { length, kind: *kind, flags: *flags, stream: *stream })
    }

    /// Takes a frame with its payload off `bytes`.
    fn split<'a>(bytes: &mut &'a [u8]) -> Option<(Self, &'a [u8])> {
        let frame = Self::parse(bytes)?;
        let (payload, rest) = bytes.get(HEAD..)?.split_at_checked(frame.length)?;
        *bytes = rest;
        Some((frame, payload))
    }

    /// The priority and the beginning of the block in a HEADERS frame (RFC 9113, section 6.2).
    fn unpack<'a>(&self, mut payload: &'a [u8]) -> Result<(&'a [u8], &'a [u8]), Malformed> {
        if self.flags & PADDED != 0 {
            let (padding, rest) = payload.split_first().ok_or(Malformed)?;
            payload = rest.len().checked_sub(usize::from(*padding)).and_then(|end| rest.get(..end)).ok_or(Malformed)?;
        }
        let size = if self.flags & PRIORITY == 0 { 0 } else { PRIORITY_SIZE };
        let (priority, block) = payload.split_at_checked(size).ok_or(Malformed)?;
        // h2 refuses a stream that depends on itself without decoding its block, so its table is not the client's.
        if priority
            .first_chunk()
            .is_some_and(|other| u32::from_be_bytes(*other) << 1 == u32::from_be_bytes(self.stream) << 1)
        {
            return Err(Malformed);
        }
        Ok((priority, block))
    }

    fn write(&self, written: &mut Vec<u8>) {
        // No more than `MAX_FRAME_SIZE`.
        let [.., a, b, c] = self.length.to_be_bytes();
        written.extend_from_slice(&[a, b, c, self.kind, self.flags]);
        written.extend_from_slice(&self.stream);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::super::state::CoarseClock;
    use super::*;

    const BLOCK_SIZE: usize = 100_000;
    const DATA: u8 = 0;
    /// `:method: GET`, and `/?"` as `:path` in the dynamic table; then the same out of it.
    const RAW: &[u8] = b"\x82\x44\x03/?\"";
    const HARMLESS: &[u8] = b"\x82\x44\x03/?_";
    const AGAIN: &[u8] = b"\x82\xbe";

    fn frame(kind: u8, flags: u8, stream: u8, payload: &[u8]) -> Vec<u8> {
        let mut bytes = Vec::new();
        Frame { length: payload.len(), kind, flags, stream: [0, 0, 0, stream] }.write(&mut bytes);
        bytes.extend_from_slice(payload);
        bytes
    }

    fn raw_targets() -> RawTargets {
        let mut raw_targets = RawTargets::new(ConnectionState::new(CoarseClock::new()), BLOCK_SIZE);
        let _ = raw_targets.state.target_field_or_insert(|| Some(http::HeaderName::from_static("f")));
        assert_eq!(raw_targets.feed(&[0; PREFACE]).unwrap(), (PREFACE, vec![]));
        raw_targets
    }

    /// What h2 is shown of these pieces, and whether that was all.
    fn shown<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> (Vec<u8>, bool) {
        let (mut raw_targets, mut shown) = (raw_targets(), Vec::new());
        for piece in pieces {
            let Ok((kept, replaced)) = raw_targets.feed(piece) else { return (shown, false) };
            shown.extend_from_slice(&piece[..kept]);
            shown.extend(replaced);
        }
        shown.extend(raw_targets.finish());
        (shown, true)
    }

    fn whole(frames: &[Vec<u8>]) -> (Vec<u8>, bool) {
        shown([&frames.concat()[..]])
    }

    fn with_field(block: &[u8]) -> Vec<u8> {
        [block, b"\0\x01f\x05/?%22"].concat()
    }

    #[test]
    fn nothing_is_copied_of_what_is_left_as_it_is() {
        let mut raw_targets = raw_targets();
        let frames = [
            frame(4, 0, 0, &[]),
            frame(HEADERS, END_HEADERS, 1, b"\x82\x84\x44\x02/a"),
            frame(DATA, 0, 1, &frame(HEADERS, END_HEADERS, 1, RAW)),
            frame(HEADERS, 0, 3, b"\x82"),
            frame(CONTINUATION, 0, 3, b""),
            frame(CONTINUATION, END_HEADERS, 3, b"\x84"),
            frame(CONTINUATION, END_HEADERS, 3, RAW),
            frame(DATA, 0, 1, &[7; 20_000])[..15_000].to_vec(),
        ]
        .concat();
        assert_eq!(raw_targets.feed(&frames).unwrap(), (frames.len(), vec![]));
        assert_eq!(raw_targets.feed(&[1; 5009]).unwrap(), (5009, vec![]));
        assert_eq!(raw_targets.feed(b"\0\0\x02").unwrap(), (0, vec![]), "the beginning of a frame's head");
        assert_eq!(raw_targets.feed(b"\0\0\0\0\0\x01ab").unwrap(), (0, frame(DATA, 0, 1, b"ab")));
        assert!(raw_targets.held.is_empty());
    }

    #[test]
    fn a_block_is_found_in_padding_priority_and_continuations() {
        let harmless = with_field(HARMLESS);
        let padded = [&[3], RAW, &[0; 3]].concat();
        assert_eq!(
            whole(&[frame(HEADERS, END_HEADERS | PADDED | 1, 5, &padded), frame(DATA, 1, 5, b"x")]),
            ([frame(HEADERS, END_HEADERS | 1, 5, &harmless), frame(DATA, 1, 5, b"x")].concat(), true),
        );
        let prior = |block: &[u8]| [&[0x80, 0, 0, 1, 9], block].concat();
        let padded = [&[2], &prior(&RAW[..3])[..], &[0; 2]].concat();
        assert_eq!(
            whole(&[frame(HEADERS, PADDED | PRIORITY, 5, &padded), frame(CONTINUATION, END_HEADERS, 5, &RAW[3..])]),
            (frame(HEADERS, END_HEADERS | PRIORITY, 5, &prior(&harmless)), true),
        );
        // Twice on a connection, the second time out of the table.
        assert_eq!(
            whole(&[
                frame(HEADERS, END_HEADERS, 1, RAW),
                frame(DATA, 0, 1, b""),
                frame(HEADERS, END_HEADERS, 3, AGAIN)
            ]),
            (
                [
                    frame(HEADERS, END_HEADERS, 1, &harmless),
                    frame(DATA, 0, 1, b""),
                    frame(HEADERS, END_HEADERS, 3, &with_field(AGAIN)),
                ]
                .concat(),
                true
            ),
        );
    }

    #[test]
    fn a_block_that_grows_beyond_a_frame_is_continued() {
        let target = [b"/?", &[b'"'; 10_000][..]].concat();
        // 9873 is 10002 less 127, less 2.
        let block = [b"\x04\x7f\x93\x4d", &target[..]].concat();
        let (shown, _) = whole(&[frame(HEADERS, END_HEADERS, 1, &block)]);
        let mut rest = &shown[..];
        let (first, payload) = Frame::split(&mut rest).unwrap();
        assert_eq!((first.length, first.kind, first.flags), (MAX_FRAME_SIZE, HEADERS, 0));
        assert_eq!(payload[..6], *b"\x04\x7f\x93\x4d/?");
        let (second, _) = Frame::split(&mut rest).unwrap();
        assert_eq!((second.length, second.kind, second.flags), (MAX_FRAME_SIZE, CONTINUATION, 0));
        let (third, payload) = Frame::split(&mut rest).unwrap();
        assert_eq!((third.kind, third.flags, third.stream), (CONTINUATION, END_HEADERS, first.stream));
        assert!(payload.ends_with(b"%22%22") && rest.is_empty());
    }

    #[test]
    fn after_a_block_that_h2_refuses_nothing_is_looked_at() {
        let raw = frame(HEADERS, END_HEADERS, 1, RAW);
        let many: Vec<u8> = std::iter::repeat_n(frame(CONTINUATION, 0, 3, &[0; 10_000]), 10).flatten().collect();
        for refused in [
            frame(HEADERS, END_HEADERS, 3, b"\x44"),
            frame(HEADERS, END_HEADERS, 3, &[0; MAX_FRAME_SIZE + 1]),
            frame(HEADERS, END_HEADERS | PADDED, 3, b"\x03\x82\0"),
            frame(HEADERS, END_HEADERS | PADDED, 3, b""),
            frame(HEADERS, END_HEADERS | PRIORITY, 3, b"\0\0\0\0"),
            frame(HEADERS, END_HEADERS | PRIORITY, 3, b"\x80\0\0\x03\0\x82"),
            [frame(HEADERS, 0, 3, b"\x82"), frame(CONTINUATION, END_HEADERS, 5, b"")].concat(),
            [frame(HEADERS, 0, 3, b"\x82"), frame(DATA, END_HEADERS, 3, b"")].concat(),
            [frame(HEADERS, 0, 3, b"\x82"), many].concat(),
        ] {
            let frames = [refused.clone(), raw.clone()];
            assert_eq!(whole(&frames), (frames.concat(), true), "{refused:x?}");
            // What h2 has in its table must not be named any more.
            assert!(!whole(&[raw.clone(), refused.clone()]).1, "{refused:x?}");
        }
    }

    /// Streams that are likely to be nearly right.
    fn stream() -> impl Strategy<Value = Vec<u8>> {
        let block = prop::sample::select(vec![
            RAW,
            HARMLESS,
            AGAIN,
            b"\x82\x84",
            b"\x41\x01a",
            b"\x05:path\x02/<",
            b"\x20",
            b"",
        ]);
        let block = prop::collection::vec(block, 0..4).prop_map(|fields| fields.concat());
        let kind = prop::sample::select(vec![HEADERS, HEADERS, HEADERS, CONTINUATION, DATA, 4]);
        let flags = prop::sample::select(vec![END_HEADERS, END_HEADERS, END_HEADERS, 0, END_HEADERS | PRIORITY]);
        let frames = (kind, flags, 1..4u8, block).prop_map(|(kind, flags, stream, block)| {
            let prior = if flags & PRIORITY == 0 { vec![] } else { vec![0, 0, 0, 1, 0] };
            frame(kind, flags, stream, &[prior, block].concat())
        });
        prop::collection::vec(frames, 0..12).prop_map(|frames| frames.concat())
    }

    proptest! {
        #[test]
        fn the_split_into_reads_does_not_matter(stream in stream(), cuts in prop::collection::vec(0usize..200, 0..16)) {
            let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(stream.len())).collect();
            cuts.sort_unstable();
            let mut pieces = Vec::new();
            let mut from = 0;
            for cut in cuts.into_iter().chain([stream.len()]) {
                pieces.push(&stream[from..cut]);
                from = cut;
            }
            let (expected, alive) = shown(stream.chunks(1));
            for (got, got_alive) in [shown(pieces), shown([&stream[..]])] {
                prop_assert_eq!(got_alive, alive);
                // A read that ends the connection is not shown at all.
                let fits = if alive { got == expected } else { expected.starts_with(&got) };
                prop_assert!(fits);
            }
        }

        #[test]
        fn arbitrary_bytes_do_no_harm(bytes in prop::collection::vec(any::<u8>(), 0..2000)) {
            shown([&bytes[..]]);
            whole(&[frame(HEADERS, END_HEADERS, 1, &bytes)]);
        }
    }
}
