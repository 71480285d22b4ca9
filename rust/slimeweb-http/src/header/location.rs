//! Location (RFC 9110, section 10.2.2).

use percent_encoding::{AsciiSet, utf8_percent_encode};

/// What cannot stand in a URL reference as it is (RFC 3986, appendix A). Control characters are left as they are, for a
/// value that holds one is refused.
const REFERENCE: &AsciiSet = &AsciiSet::EMPTY
    .add(b' ')
    .add(b'"')
    .add(b'<')
    .add(b'>')
    .add(b'\\')
    .add(b'^')
    .add(b'`')
    .add(b'{')
    .add(b'|')
    .add(b'}');

/// A target with the characters escaped that a URL cannot hold.
#[must_use]
pub fn escaped(target: &str) -> String {
    utf8_percent_encode(target, REFERENCE).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_url_cannot_hold_is_escaped_once() {
        assert_eq!(escaped("/a b/é?x=\"{}\"&y=%20#z"), "/a%20b/%C3%A9?x=%22%7B%7D%22&y=%20#z");
        assert_eq!(escaped("/a\r\nb"), "/a\r\nb");
    }
}
