//! The body of a close frame: a code and a reason (RFC 6455, sections 5.5.1 and 7.4).

use crate::error::Error;
use crate::frame::MAX_CONTROL;

/// The longest reason, in bytes of UTF-8.
pub const MAX_REASON: usize = MAX_CONTROL - 2;

/// Why a connection is being closed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Close {
    /// A close code (RFC 6455, section 7.4 and the IANA registry).
    pub code: u16,
    /// A text for people, possibly empty.
    pub reason: String,
}

/// Whether `code` may stand in a close frame: 1005, 1006 and 1015 only describe what happened, others are not assigned.
pub const fn is_sendable(code: u16) -> bool {
    matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999)
}

impl Close {
    /// Reads the body of a close frame. `None`: it was empty, which is allowed.
    pub(crate) fn read(body: &[u8]) -> Result<Option<Self>, Error> {
        match body {
            [] => Ok(None),
            [_] => Err(Error::protocol("a close frame of one byte")),
            [high, low, reason @ ..] => {
                let code = u16::from_be_bytes([*high, *low]);
                if !is_sendable(code) {
                    return Err(Error::protocol("a close code that must not be sent"));
                }
                match std::str::from_utf8(reason) {
                    Ok(reason) => Ok(Some(Self { code, reason: reason.to_owned() })),
                    Err(_) => Err(Error::text("a close reason that is not UTF-8")),
                }
            }
        }
    }

    /// The body of a close frame. A reason above [`MAX_REASON`] is cut at a character.
    pub fn body(&self) -> Vec<u8> {
        let mut end = self.reason.len().min(MAX_REASON);
        while !self.reason.is_char_boundary(end) {
            end -= 1;
        }
        let mut body = self.code.to_be_bytes().to_vec();
        body.extend(self.reason.bytes().take(end));
        body
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_reads_back() {
        let close = Close { code: 1001, reason: "until tomorrow ☾".to_owned() };
        assert_eq!(Close::read(&close.body()), Ok(Some(close)));
    }

    #[test]
    fn a_long_reason_is_cut_at_a_character() {
        let body = Close { code: 1000, reason: "é".repeat(100) }.body();
        assert_eq!(body.len(), 2 + 122);
        assert!(Close::read(&body).is_ok());
    }

    #[test]
    fn codes_that_only_describe_are_refused() {
        for code in [0_u16, 999, 1004, 1005, 1006, 1015, 1016, 2999, 5000, u16::MAX] {
            assert!(Close::read(&code.to_be_bytes()).is_err(), "{code}");
        }
        for code in [1000_u16, 1003, 1007, 1014, 3000, 4999] {
            assert!(Close::read(&code.to_be_bytes()).is_ok(), "{code}");
        }
    }
}
