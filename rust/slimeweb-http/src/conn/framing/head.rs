//! What the fields of a request's head say about its framing.

use memchr::memrchr;

use super::error::HeadError;
use super::host;

/// What has been parsed of one head's fields.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Head {
    is_http_11: bool,
    /// Whether the request line has come to its query.
    pub(super) in_query: bool,
    has_fragment: bool,
    hosts: u32,
    bad_host: bool,
    pub(super) length: Option<u64>,
    bad_length: bool,
    pub(super) codings: u32,
    unknown_coding: bool,
    pub(super) bare_line_feed: bool,
}

impl Head {
    /// Takes the request line.
    pub(super) fn request_line(&mut self, line: &[u8]) {
        self.is_http_11 = line.ends_with(b"HTTP/1.1");
        // A method may have a `#`, its target begins after a space.
        self.has_fragment =
            memrchr(b'#', line).is_some_and(|at| line.get(..at).is_some_and(|before| before.contains(&b' ')));
    }

    /// Takes one field line.
    pub(super) fn field(&mut self, line: &[u8]) {
        // Few fields decide about framing: the first letter sorts the others out.
        match line.first().map(u8::to_ascii_lowercase) {
            Some(b'h') => {
                if let Some(value) = value_of(line, b"host:") {
                    self.hosts += 1;
                    self.bad_host |= !host::is_valid(value);
                }
            }
            Some(b'c') => {
                if let Some(value) = value_of(line, b"content-length:") {
                    let length = parse_length(value);
                    self.bad_length |= length.is_none() || (self.length.is_some() && self.length != length);
                    self.length = length;
                }
            }
            Some(b't') => {
                if let Some(value) = value_of(line, b"transfer-encoding:") {
                    self.codings += 1;
                    self.unknown_coding |= !value.eq_ignore_ascii_case(b"chunked");
                }
            }
            _ => {}
        }
    }

    /// What is wrong with the head, now that it has ended.
    pub(super) fn head_error(&self) -> Option<HeadError> {
        if self.bare_line_feed {
            Some(HeadError::BareLineFeed)
        } else if self.codings > 0 && (self.length.is_some() || self.bad_length) {
            Some(HeadError::LengthAndCoding)
        } else if self.codings > 1 {
            Some(HeadError::SeveralCodings)
        } else if self.unknown_coding {
            Some(HeadError::UnknownCoding)
        } else if self.bad_length {
            Some(HeadError::DifferentLengths)
        } else if self.hosts > 1 {
            Some(HeadError::SeveralHosts)
        } else if self.bad_host {
            Some(HeadError::BadHost)
        } else if self.hosts == 0 && self.is_http_11 {
            Some(HeadError::NoHost)
        } else if self.has_fragment {
            Some(HeadError::Fragment)
        } else {
            None
        }
    }
}

fn value_of<'a>(line: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    let (start, value) = line.split_at_checked(name.len())?;
    start.eq_ignore_ascii_case(name).then(|| value.trim_ascii())
}

fn parse_length(value: &[u8]) -> Option<u64> {
    if value.is_empty() {
        return None;
    }
    value.iter().try_fold(0u64, |length, byte| {
        let digit = byte.is_ascii_digit().then(|| u64::from(byte - b'0'))?;
        length.checked_mul(10)?.checked_add(digit)
    })
}
