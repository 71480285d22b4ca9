//! permessage-deflate in the opening handshake (RFC 7692, sections 5 and 7.1).

use std::fmt;

const NAME: &str = "permessage-deflate";
/// The longest list of offers that is read, in bytes.
const MOST: usize = 4096;

/// How this server negotiates compression.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NegotiationOptions {
    /// Whether each direction may refer back to earlier messages where the client agrees: smaller messages, for some
    /// 300 KiB of memory per connection.
    pub context_takeover: bool,
}

/// Compression as agreed upon.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deflate {
    /// The server starts each message afresh.
    pub server_no_context_takeover: bool,
    /// The client starts each message afresh.
    pub client_no_context_takeover: bool,
    /// The server's window, 9 to 15 bits.
    pub server_max_window_bits: u8,
}

impl Deflate {
    /// Takes the first offer that can be met from the values of `Sec-WebSocket-Extensions`, joined by commas.
    ///
    /// `None`: there is none, and the connection goes without compression.
    pub fn negotiate(offers: &str, options: NegotiationOptions) -> Option<Self> {
        if offers.len() > MOST {
            return None;
        }
        offers.split(',').find_map(|offer| Self::accept(offer, options))
    }

    fn accept(offer: &str, options: NegotiationOptions) -> Option<Self> {
        let mut parts = offer.split(';').map(str::trim);
        if !parts.next()?.eq_ignore_ascii_case(NAME) {
            return None;
        }
        let (mut server_no_context, mut client_no_context) = (false, false);
        let (mut server_bits, mut client_bits) = (None, false);
        for part in parts {
            let (name, value) = match part.split_once('=') {
                Some((name, value)) => (name.trim(), Some(unquoted(value.trim()))),
                None => (part, None),
            };
            // A parameter given twice, an unknown one or a value that is none: the offer is to be declined (section
            // 5.1).
            match (name.to_ascii_lowercase().as_str(), value) {
                ("server_no_context_takeover", None) if !server_no_context => server_no_context = true,
                ("client_no_context_takeover", None) if !client_no_context => client_no_context = true,
                ("server_max_window_bits", Some(bits)) if server_bits.is_none() => server_bits = Some(window(bits)?),
                ("client_max_window_bits", bits) if !client_bits => {
                    client_bits = true;
                    if let Some(bits) = bits {
                        window(bits)?;
                    }
                }
                _ => return None,
            }
        }
        // zlib's raw DEFLATE has no window of 8 bits to send with.
        if server_bits == Some(8) {
            return None;
        }
        Some(Self {
            server_no_context_takeover: server_no_context || !options.context_takeover,
            client_no_context_takeover: client_no_context || !options.context_takeover,
            server_max_window_bits: server_bits.unwrap_or(15),
        })
    }
}

impl fmt::Display for Deflate {
    /// The value of the response's `Sec-WebSocket-Extensions`.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(NAME)?;
        if self.server_no_context_takeover {
            formatter.write_str("; server_no_context_takeover")?;
        }
        if self.client_no_context_takeover {
            formatter.write_str("; client_no_context_takeover")?;
        }
        if self.server_max_window_bits < 15 {
            write!(formatter, "; server_max_window_bits={}", self.server_max_window_bits)?;
        }
        Ok(())
    }
}

fn unquoted(value: &str) -> &str {
    value.strip_prefix('"').and_then(|value| value.strip_suffix('"')).unwrap_or(value)
}

/// A window size: 8 to 15, without leading zeros (section 7.1.2.1).
fn window(bits: &str) -> Option<u8> {
    let digits = !bits.starts_with('0') && bits.bytes().all(|byte| byte.is_ascii_digit());
    bits.parse().ok().filter(|bits| digits && (8..=15).contains(bits))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn answer(offers: &str, context_takeover: bool) -> Option<String> {
        Deflate::negotiate(offers, NegotiationOptions { context_takeover }).map(|deflate| deflate.to_string())
    }

    #[test]
    fn offers_and_their_answers() {
        let table = [
            ("permessage-deflate", Some("permessage-deflate")),
            ("Permessage-Deflate; client_max_window_bits", Some("permessage-deflate")),
            ("x-other, permessage-deflate ; client_max_window_bits = \"10\"", Some("permessage-deflate")),
            ("permessage-deflate; server_max_window_bits=10", Some("permessage-deflate; server_max_window_bits=10")),
            (
                "permessage-deflate; server_no_context_takeover; client_no_context_takeover",
                Some("permessage-deflate; server_no_context_takeover; client_no_context_takeover"),
            ),
            ("permessage-deflate; server_max_window_bits=8, permessage-deflate", Some("permessage-deflate")),
            ("permessage-deflate; server_max_window_bits=8", None),
            ("permessage-deflate; server_max_window_bits", None),
            ("permessage-deflate; server_max_window_bits=16", None),
            ("permessage-deflate; server_max_window_bits=09", None),
            ("permessage-deflate; server_max_window_bits=+9", None),
            ("permessage-deflate; client_max_window_bits=7", None),
            ("permessage-deflate; server_no_context_takeover=1", None),
            ("permessage-deflate; server_no_context_takeover; server_no_context_takeover", None),
            ("permessage-deflate; x", None),
            ("permessage-bzip2", None),
            ("", None),
        ];
        for (offers, expected) in table {
            assert_eq!(answer(offers, true).as_deref(), expected, "{offers}");
        }
    }

    #[test]
    fn without_context_takeover_the_answer_says_so() {
        assert_eq!(
            answer("permessage-deflate", false).unwrap(),
            "permessage-deflate; server_no_context_takeover; client_no_context_takeover"
        );
    }

    proptest! {
        #[test]
        fn no_header_panics(offers: String) {
            let _ = answer(&offers, true);
            let _ = answer(&format!("{NAME};{offers}"), false);
        }
    }
}
