//! Validates the framing of HTTP/1 requests (RFC 9112) as their bytes pass.
//!
//! hyper's parser refuses most of what is malformed by itself: control bytes, space before a colon, folded lines, bad
//! chunks. This one sees the rest, above all what hyper's header map no longer shows: that a Content-Length stood
//! beside a Transfer-Encoding. Wherever the two could disagree about where a request ends, it reports an error for the
//! next one.
//!
//! A line that arrives in one read is parsed in place; only lines that are split between two reads are copied.

use memchr::memchr;

use super::error::HeadError;
use super::head::Head;
use super::query::raw_places;

/// What of a head has been seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum HeadEvent {
    /// The first byte of a head.
    Began,
    /// The last byte of a head.
    Ended,
    /// The head of that index, counted from 0, is to be refused; nothing is validated after it.
    Invalid(u64, HeadError),
}

#[derive(Debug, PartialEq)]
pub(crate) struct FramingValidator {
    state: State,
    head: Head,
    /// The part of a line that came with an earlier read.
    carry: Vec<u8>,
    heads: u64,
    head_size: usize,
    /// Positions in the bytes of the last `feed` of query bytes that the `http` crate refuses; rarely any.
    raw: Vec<usize>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Before the first byte of a head; empty lines may come first (RFC 9112, section 2.2).
    Between,
    RequestLine,
    Fields,
    Length(u64),
    ChunkStart,
    ChunkSize(u64),
    ChunkSpace(u64),
    ChunkExtension(u64),
    ChunkLineFeed(u64),
    ChunkData(u64),
    ChunkDataReturn,
    ChunkDataLineFeed,
    TrailerStart,
    Trailer,
    TrailerLineFeed,
    LastLineFeed,
    /// Ceased to validate: an error was found, or hyper is about to find one.
    Stopped,
}

impl FramingValidator {
    pub(crate) fn new(head_size: usize) -> Self {
        Self { state: State::Between, head: Head::default(), carry: Vec::new(), heads: 0, head_size, raw: Vec::new() }
    }

    /// Whether the next byte begins a head: nothing is half-read, nothing invalid.
    pub(crate) fn is_between(&self) -> bool {
        self.state == State::Between
    }

    /// The index of the request whose body is to come next, which has a length, and how much of it.
    pub(crate) fn body(&self) -> Option<(u64, u64)> {
        if let State::Length(left) = self.state { Some((self.heads - 1, left)) } else { None }
    }

    /// Where in the bytes that were fed last a query holds what has to be percent-encoded before hyper sees it, or a
    /// trailer ends in a bare line feed, which hyper has to be shown as an error. In order.
    pub(crate) fn take_raw(&mut self) -> Vec<usize> {
        std::mem::take(&mut self.raw)
    }

    /// Takes the next bytes of the connection, and calls `on_event` for each event in them.
    pub(crate) fn feed(&mut self, mut bytes: &[u8], mut on_event: impl FnMut(HeadEvent)) {
        let whole = bytes.len();
        while !bytes.is_empty() && self.state != State::Stopped {
            bytes = match self.state {
                State::RequestLine => {
                    self.scan_target(bytes, whole - bytes.len());
                    self.feed_line(bytes, &mut on_event)
                }
                State::Fields => self.feed_line(bytes, &mut on_event),
                State::Length(left) => self.skip(bytes, left, State::Between, State::Length),
                State::ChunkData(left) => self.skip(bytes, left, State::ChunkDataReturn, State::ChunkData),
                _ => self.feed_byte(bytes, whole, &mut on_event),
            };
        }
    }

    fn skip<'a>(&mut self, bytes: &'a [u8], left: u64, then: State, again: fn(u64) -> State) -> &'a [u8] {
        let here = bytes.len() as u64;
        if here < left {
            self.state = again(left - here);
            return &[];
        }
        self.state = then;
        // `left` is at most `bytes.len()` here.
        usize::try_from(left).ok().and_then(|left| bytes.get(left..)).unwrap_or_default()
    }

    /// Scans what has been read of a request line, `offset` bytes into what was fed.
    fn scan_target(&mut self, bytes: &[u8], offset: usize) {
        let end = memchr(b'\n', bytes).unwrap_or(bytes.len());
        let line = bytes.get(..end).unwrap_or_default();
        let start = if self.head.in_query { 0 } else { memchr(b'?', line).unwrap_or(line.len()) };
        let query = line.get(start..).unwrap_or_default();
        self.head.in_query |= !query.is_empty();
        self.raw.extend(raw_places(query).map(|at| offset + start + at));
    }

    fn feed_line<'a>(&mut self, bytes: &'a [u8], on_event: &mut impl FnMut(HeadEvent)) -> &'a [u8] {
        let Some(end) = memchr(b'\n', bytes) else {
            if self.carry.len() + bytes.len() > self.head_size {
                // hyper answers 431 by itself.
                self.stop(on_event);
            } else {
                self.carry.extend_from_slice(bytes);
            }
            return &[];
        };
        let (line, rest) = (bytes.get(..end).unwrap_or_default(), bytes.get(end + 1..).unwrap_or_default());
        if self.carry.is_empty() {
            self.line(line, on_event);
        } else {
            let mut whole = std::mem::take(&mut self.carry);
            whole.extend_from_slice(line);
            self.line(&whole, on_event);
        }
        rest
    }

    fn line(&mut self, line: &[u8], on_event: &mut impl FnMut(HeadEvent)) {
        let line = match line.split_last() {
            Some((b'\r', line)) => line,
            _ => {
                self.head.bare_line_feed = true;
                line
            }
        };
        if self.state == State::RequestLine {
            self.head.request_line(line);
            self.state = State::Fields;
        } else if line.is_empty() {
            self.end_head(on_event);
        } else {
            self.head.field(line);
        }
    }

    fn end_head(&mut self, on_event: &mut impl FnMut(HeadEvent)) {
        let head = std::mem::take(&mut self.head);
        on_event(HeadEvent::Ended);
        if let Some(head_error) = head.head_error() {
            on_event(HeadEvent::Invalid(self.heads, head_error));
            self.state = State::Stopped;
            return;
        }
        self.heads += 1;
        self.state = match head.length {
            _ if head.codings > 0 => State::ChunkStart,
            Some(length) if length > 0 => State::Length(length),
            _ => State::Between,
        };
    }

    fn stop(&mut self, on_event: &mut impl FnMut(HeadEvent)) {
        on_event(HeadEvent::Invalid(self.heads, HeadError::Framing));
        self.state = State::Stopped;
    }

    fn feed_byte<'a>(&mut self, bytes: &'a [u8], whole: usize, on_event: &mut impl FnMut(HeadEvent)) -> &'a [u8] {
        let Some((&byte, rest)) = bytes.split_first() else { return &[] };
        self.state = match (self.state, byte) {
            (State::Between, b'\r' | b'\n') => State::Between,
            (State::Between, _) => {
                on_event(HeadEvent::Began);
                self.state = State::RequestLine;
                return bytes;
            }
            (State::ChunkStart, _) => self.digit(0, byte),
            (State::ChunkSize(size) | State::ChunkSpace(size), b' ' | b'\t') => State::ChunkSpace(size),
            (State::ChunkSize(size) | State::ChunkSpace(size), b';') => State::ChunkExtension(size),
            (State::ChunkSize(size) | State::ChunkSpace(size) | State::ChunkExtension(size), b'\r') => {
                State::ChunkLineFeed(size)
            }
            (State::ChunkSize(size), _) => self.digit(size, byte),
            (State::ChunkExtension(_), b'\n') => State::Stopped,
            (State::ChunkExtension(size), _) => State::ChunkExtension(size),
            (State::ChunkLineFeed(0), b'\n') => State::TrailerStart,
            (State::ChunkLineFeed(size), b'\n') => State::ChunkData(size),
            (State::ChunkDataReturn, b'\r') => State::ChunkDataLineFeed,
            (State::ChunkDataLineFeed, b'\n') => State::ChunkStart,
            (State::TrailerStart | State::Trailer, b'\n') => {
                // hyper would take it for a part of the line. See `take_raw`.
                self.raw.push(whole - bytes.len());
                State::Stopped
            }
            (State::TrailerStart, b'\r') => State::LastLineFeed,
            (State::TrailerStart, _) => State::Trailer,
            (State::Trailer, b'\r') => State::TrailerLineFeed,
            (State::Trailer, _) => State::Trailer,
            (State::TrailerLineFeed, b'\n') => State::TrailerStart,
            (State::LastLineFeed, b'\n') => State::Between,
            _ => State::Stopped,
        };
        if self.state == State::Stopped {
            self.stop(on_event);
        }
        rest
    }

    fn digit(&self, size: u64, byte: u8) -> State {
        let digit = char::from(byte).to_digit(16).map(u64::from);
        digit.and_then(|digit| size.checked_mul(16)?.checked_add(digit)).map_or(State::Stopped, State::ChunkSize)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn observe<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> (Vec<HeadEvent>, FramingValidator) {
        let mut events = Vec::new();
        let mut validator = FramingValidator::new(1024);
        for piece in pieces {
            validator.feed(piece, |event| events.push(event));
        }
        (events, validator)
    }

    fn error_in(stream: &str) -> Option<(u64, HeadError)> {
        let (events, _) = observe([stream.as_bytes()]);
        events.into_iter().find_map(|event| {
            if let HeadEvent::Invalid(head, head_error) = event { Some((head, head_error)) } else { None }
        })
    }

    #[test]
    fn pipelined_requests_are_told_apart() {
        let (events, validator) = observe([&b"GET / HTTP/1.1\r\nhost: a\r\n\r\nPOST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc\r\n\
            POST / HTTP/1.1\r\nHOST:a\r\ntransfer-encoding: Chunked\r\n\r\n3;x=y\r\nabc\r\n0\r\nt: x\r\n\r\nGET / HTTP/1.0\r\n\r\n"[..]]);
        assert_eq!(events, [HeadEvent::Began, HeadEvent::Ended].repeat(4));
        assert!(validator.is_between());
    }

    #[test]
    fn faults_belong_to_their_own_request() {
        let good = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi";
        let table = [
            ("Host: a\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n", HeadError::LengthAndCoding),
            ("Host: a\r\nTransfer-Encoding: chunked\r\nContent-Length: x\r\n", HeadError::LengthAndCoding),
            ("Host: a\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", HeadError::SeveralCodings),
            ("Host: a\r\nTransfer-Encoding: gzip, chunked\r\n", HeadError::UnknownCoding),
            ("Host: a\r\nContent-Length: 3\r\nContent-Length: 4\r\n", HeadError::DifferentLengths),
            ("Host: a\r\nContent-Length: +3\r\n", HeadError::DifferentLengths),
            ("Host: a\r\nContent-Length: 3,3\r\n", HeadError::DifferentLengths),
            ("", HeadError::NoHost),
            ("Host: a\r\nHost: a\r\n", HeadError::SeveralHosts),
            ("Host: a/b\r\n", HeadError::BadHost),
            ("Host: a\n", HeadError::BareLineFeed),
        ];
        for (fields, head_error) in table {
            let bad = format!("POST / HTTP/1.1\r\n{fields}\r\n");
            assert_eq!(error_in(&bad), Some((0, head_error)), "{fields:?}");
            assert_eq!(error_in(&format!("{good}{good}{bad}{good}")), Some((2, head_error)), "{fields:?}");
        }
        assert_eq!(error_in(good), None);
        assert_eq!(error_in("GET / HTTP/1.0\r\n\r\n"), None);
        for target in ["#", "/#", "/a#b", "/?a=b#c", "http://a/#b", "/a#b?c", "/##"] {
            let line = format!("GET {target} HTTP/1.1\r\n");
            assert_eq!(error_in(&format!("{line}Host: a\r\n\r\n")), Some((0, HeadError::Fragment)), "{target}");
            assert_eq!(error_in(&format!("{line}\r\n")), Some((0, HeadError::NoHost)), "{target}");
        }
        assert_eq!(error_in("GET#A / HTTP/1.1\r\nHost: a\r\nA: #\r\n\r\n"), None);
    }

    #[test]
    fn what_is_raw_in_a_query_is_found_however_it_is_cut() {
        let stream = b"GET /\"<?a=\"b\xe9\"&c?> HTTP/1.1\r\nHost: a\r\nX: ?\"\r\n\r\nGET /> HTTP/1.1\r\nHost: a\r\n\r\nGET /?<#\" HTTP/1.1\r\n";
        let marked = |pieces: &mut dyn Iterator<Item = &[u8]>| {
            let (mut validator, mut at, mut found) = (FramingValidator::new(1024), 0, Vec::new());
            for piece in pieces {
                validator.feed(piece, |_| {});
                found.extend(validator.take_raw().into_iter().map(|place| at + place));
                at += piece.len();
            }
            found
        };
        let places = marked(&mut [&stream[..]].into_iter());
        let bytes: Vec<u8> = places.iter().map(|place| stream[*place]).collect();
        assert_eq!(bytes, b"\"\xe9\"><\"");
        for size in 1..20 {
            assert_eq!(marked(&mut stream.chunks(size)), places, "pieces of {size}");
        }
    }

    #[test]
    fn broken_chunks_refuse_whatever_follows() {
        let head = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
        for body in [
            "\r\n",
            "x\r\n",
            "3\nabc",
            "3\r\nabcd\r\n",
            "3\r\nabc\n",
            "11111111111111111\r\n",
            "3;x\ny\r\n",
            "0\r\n\rX",
        ] {
            assert_eq!(error_in(&format!("{head}{body}")), Some((1, HeadError::Framing)), "{body:?}");
        }
    }

    #[test]
    fn a_line_without_end_is_not_kept_without_end() {
        let (_, validator) = observe(std::iter::repeat_n(&b"aaaaaaaaaaaaaaaa"[..], 1000));
        assert_eq!(validator.state, State::Stopped);
        assert!(validator.carry.capacity() <= 4096);
    }

    /// Streams that are likely to be nearly right.
    fn stream() -> impl Strategy<Value = Vec<u8>> {
        let token = prop::sample::select(vec![
            "GET / HTTP/1.1\r\n",
            "POST /x HTTP/1.1\r\n",
            "GET / HTTP/1.0\r\n",
            "Host: a\r\n",
            "Host: a b\r\n",
            "Content-Length: 5\r\n",
            "Content-Length: 0\r\n",
            "Transfer-Encoding: chunked\r\n",
            "X-Y: z\r\n",
            "\r\n",
            "\n",
            "\r",
            "hello",
            "5\r\nhello\r\n",
            "0\r\n\r\n",
            "0\r\nt: x\r\n\r\n",
            "a;b=c\r\n0123456789\r\n",
            "\0",
        ]);
        prop::collection::vec(token, 0..24).prop_map(|tokens| tokens.concat().into_bytes())
    }

    proptest! {
        #[test]
        fn the_split_into_reads_does_not_matter(stream in stream(), cuts in prop::collection::vec(0usize..400, 0..16)) {
            let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(stream.len())).collect();
            cuts.sort_unstable();
            let mut pieces = Vec::new();
            let mut from = 0;
            for cut in cuts {
                pieces.push(&stream[from..cut]);
                from = cut;
            }
            pieces.push(&stream[from..]);
            prop_assert_eq!(observe(pieces), observe([&stream[..]]));
            prop_assert_eq!(observe(stream.chunks(1)).0, observe([&stream[..]]).0);
        }

        #[test]
        fn arbitrary_bytes_do_no_harm(bytes in prop::collection::vec(any::<u8>(), 0..2000)) {
            observe([&bytes[..]]);
        }
    }
}
