//! UTF-8 checked while a message is still arriving (RFC 6455, section 8.1).

use crate::error::Error;

const NOT_UTF8: Error = Error::text("a text message that is not UTF-8");

/// How much of a growing message has been found to be UTF-8.
#[derive(Debug, Default)]
pub(crate) struct Checked {
    /// Ends at a character's end: what follows is unchecked, or the beginning of a character.
    until: usize,
}

impl Checked {
    /// Looks at what has come since the last time. A character may still be incomplete, but not beyond repair.
    pub(crate) fn advance(&mut self, message: &[u8]) -> Result<(), Error> {
        match std::str::from_utf8(message.get(self.until..).unwrap_or_default()) {
            Ok(_) => self.until = message.len(),
            Err(error) if error.error_len().is_none() => self.until += error.valid_up_to(),
            Err(_) => return Err(NOT_UTF8),
        }
        Ok(())
    }

    /// The whole message as text, and ready for the next one.
    pub(crate) fn finish(&mut self, message: Vec<u8>) -> Result<String, Error> {
        self.until = 0;
        String::from_utf8(message).map_err(|_| NOT_UTF8)
    }
}
