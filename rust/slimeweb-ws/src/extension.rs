//! permessage-deflate in the opening handshake (RFC 7692, sections 5 and 7.1).

use std::fmt;

const NAME: &str = "permessage-deflate";

/// An extension that a client offers (RFC 6455, section 9.1): its name, and its parameters with their values, unquoted.
pub type Offer = (String, Vec<(String, Option<String>)>);

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
    /// Takes the first offer that can be met.
    ///
    /// `None`: there is none, and the connection goes without compression.
    pub fn negotiate(offers: &[Offer], options: NegotiationOptions) -> Option<Self> {
        offers.iter().find_map(|offer| Self::accept(offer, options))
    }

    fn accept((extension, params): &Offer, options: NegotiationOptions) -> Option<Self> {
        if !extension.eq_ignore_ascii_case(NAME) {
            return None;
        }
        let (mut server_no_context, mut client_no_context) = (false, false);
        let (mut server_bits, mut client_bits) = (None, false);
        for (name, value) in params {
            // A parameter given twice, an unknown one or a value that is none: the offer is to be declined (section
            // 5.1).
            match (name.to_ascii_lowercase().as_str(), value.as_deref()) {
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

/// A window size: 8 to 15, without leading zeros (section 7.1.2.1).
fn window(bits: &str) -> Option<u8> {
    let digits = !bits.starts_with('0') && bits.bytes().all(|byte| byte.is_ascii_digit());
    bits.parse().ok().filter(|bits| digits && (8..=15).contains(bits))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A list of offers: for each its name and its parameters.
    type Offers<'a> = &'a [(&'a str, &'a [(&'a str, Option<&'a str>)])];

    fn answer(offers: Offers<'_>, context_takeover: bool) -> Option<String> {
        let param = |(name, value): &(&str, Option<&str>)| ((*name).to_owned(), value.map(str::to_owned));
        let offers: Vec<Offer> =
            offers.iter().map(|(name, params)| ((*name).to_owned(), params.iter().map(param).collect())).collect();
        Deflate::negotiate(&offers, NegotiationOptions { context_takeover }).map(|deflate| deflate.to_string())
    }

    #[test]
    fn offers_and_their_answers() {
        let name = "permessage-deflate";
        let bits = |bits| [("server_max_window_bits", Some(bits))];
        let flags = [("server_no_context_takeover", None), ("client_no_context_takeover", None)];
        assert_eq!(answer(&[], true), None);
        assert_eq!(answer(&[("permessage-bzip2", &[])], true), None);
        let table: [(Offers<'_>, Option<&str>); 15] = [
            (&[(name, &[])], Some("permessage-deflate")),
            (&[("Permessage-Deflate", &[("client_max_window_bits", None)])], Some("permessage-deflate")),
            (&[("x-other", &[]), (name, &[("Client_Max_Window_Bits", Some("10"))])], Some("permessage-deflate")),
            (&[(name, &bits("10"))], Some("permessage-deflate; server_max_window_bits=10")),
            (&[(name, &flags)], Some("permessage-deflate; server_no_context_takeover; client_no_context_takeover")),
            (&[(name, &bits("8")), (name, &[])], Some("permessage-deflate")),
            (&[(name, &bits("8"))], None),
            (&[(name, &[("server_max_window_bits", None)])], None),
            (&[(name, &bits("16"))], None),
            (&[(name, &bits("09"))], None),
            (&[(name, &bits("+9"))], None),
            (&[(name, &[("client_max_window_bits", Some("7"))])], None),
            (&[(name, &[("server_no_context_takeover", Some("1"))])], None),
            (&[(name, &[("server_no_context_takeover", None), ("server_no_context_takeover", None)])], None),
            (&[(name, &[("x", None)])], None),
        ];
        for (offers, expected) in table {
            assert_eq!(answer(offers, true).as_deref(), expected, "{offers:?}");
        }
    }

    #[test]
    fn without_context_takeover_the_answer_says_so() {
        assert_eq!(
            answer(&[("permessage-deflate", &[])], false).unwrap(),
            "permessage-deflate; server_no_context_takeover; client_no_context_takeover"
        );
    }

    proptest! {
        #[test]
        fn no_offer_panics(name: String, value: Option<String>) {
            let params = [(name.as_str(), value.as_deref()), ("server_max_window_bits", value.as_deref())];
            let _ = answer(&[(name.as_str(), &params), (NAME, &params)], true);
            let _ = answer(&[(NAME, &params[1..])], false);
        }
    }
}
