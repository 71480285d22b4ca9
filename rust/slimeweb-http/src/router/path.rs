//! Percent-decoding of paths (RFC 3986, section 2.1).

use std::borrow::Cow;
use std::fmt;
use std::ops::Deref;

use percent_encoding::percent_decode_str;

/// A request's path, decoded but for `%2F` and `%25`: a slash that was encoded separates nothing, and the rest can still be
/// decoded without doubt. Parameters come decoded all the way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DecodedPath<'a>(Cow<'a, str>);

impl<'a> DecodedPath<'a> {
    /// None for a `%` without two hexadecimal digits, and for bytes that are not UTF-8.
    pub(super) fn new(raw: &'a str) -> Option<Self> {
        if memchr::memchr(b'%', raw.as_bytes()).is_none() {
            return Some(Self(Cow::Borrowed(raw)));
        }
        let mut decoded = Vec::with_capacity(raw.len());
        let mut rest = raw.as_bytes();
        while let Some((&byte, tail)) = rest.split_first() {
            rest = tail;
            if byte != b'%' {
                decoded.push(byte);
                continue;
            }
            let [high, low, tail @ ..] = tail else { return None };
            match octet(*high, *low)? {
                b'/' => decoded.extend_from_slice(b"%2F"),
                b'%' => decoded.extend_from_slice(b"%25"),
                octet => decoded.push(octet),
            }
            rest = tail;
        }
        String::from_utf8(decoded).ok().map(|decoded| Self(Cow::Owned(decoded)))
    }

    /// The path where decoding has changed it.
    #[must_use]
    pub fn into_changed(self) -> Option<String> {
        match self.0 {
            Cow::Borrowed(_) => None,
            Cow::Owned(path) => Some(path),
        }
    }
}

impl Deref for DecodedPath<'_> {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for DecodedPath<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

fn octet(high: u8, low: u8) -> Option<u8> {
    let digit = |byte: u8| char::from(byte).to_digit(16);
    u8::try_from(digit(high)? * 16 + digit(low)?).ok()
}

/// Decodes the `%2F` and `%25` that are left in a part of a decoded path.
pub(super) fn finish(part: &str) -> Cow<'_, str> {
    if memchr::memchr(b'%', part.as_bytes()).is_none() {
        return Cow::Borrowed(part);
    }
    // The two that are left are ASCII.
    percent_decode_str(part).decode_utf8_lossy()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths() {
        assert!(matches!(DecodedPath::new("/plain").unwrap().0, Cow::Borrowed("/plain")));
        assert_eq!(&*DecodedPath::new("/a%20b/%C3%A9").unwrap(), "/a b/é");
        assert_eq!(&*DecodedPath::new("/a%2fb%252F").unwrap(), "/a%2Fb%252F");
        assert_eq!(finish("a%2Fb%252F"), "a/b%2F");
        for bad in ["/%", "/%4", "/%zz", "/%+1", "/%ff", "/%C3"] {
            assert_eq!(DecodedPath::new(bad), None, "{bad}");
        }
    }
}
