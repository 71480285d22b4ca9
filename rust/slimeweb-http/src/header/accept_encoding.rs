//! Which content coding a client gets: Accept-Encoding (RFC 9110, section 12.5.3).

use smallvec::SmallVec;

use super::params::{self, Value};

/// Browsers name five codings. A list is read up to this many members: no field is to cost more than the body.
const MOST: usize = 64;
const IDENTITY: &str = "identity";
const ANY: &str = "*";
/// The weight of what is named without one, in thousandths.
const FULL: u16 = 1000;

/// A client's weights for content codings, in thousandths; 0 is what it refuses.
///
/// A coding whose weight cannot be understood is refused, and one that is named twice has the lower weight: a client
/// that gets no coding can read the answer, one that gets what it cannot decode has nothing.
#[derive(Debug, Clone, Default)]
pub struct AcceptEncoding<'a> {
    weights: SmallVec<[(&'a str, u16); 8]>,
}

impl<'a> AcceptEncoding<'a> {
    /// Reads the lines of the field, of which there may be none.
    pub fn parse(lines: impl IntoIterator<Item = &'a str>) -> Self {
        let members = lines.into_iter().flat_map(params::members).take(MOST);
        let weights = members.filter(|member| !member.is_empty()).map(|member| {
            let (coding, params) = params::split(member);
            // An old name (RFC 9110, section 8.4.1.3).
            let coding = if coding.eq_ignore_ascii_case("x-gzip") { "gzip" } else { coding };
            (coding, weight(params))
        });
        Self { weights: weights.collect() }
    }

    /// What the client likes best of what is `offered`, of equals the first; `None` to send the body as it is.
    pub fn choose<T: AsRef<str>>(&self, offered: impl IntoIterator<Item = T>) -> Option<T> {
        let (mut best, mut highest) = (None, 0);
        for coding in offered {
            let weight = self.named_or_any(coding.as_ref()).unwrap_or(0);
            if weight > highest {
                (best, highest) = (Some(coding), weight);
            }
        }
        best.filter(|_| self.named_or_any(IDENTITY).is_none_or(|identity| identity <= highest))
    }

    /// Whether the client does not want a body as it is.
    #[must_use]
    pub fn refuses_identity(&self) -> bool {
        self.named_or_any(IDENTITY) == Some(0)
    }

    fn named_or_any(&self, coding: &str) -> Option<u16> {
        self.lowest(coding).or_else(|| self.lowest(ANY))
    }

    fn lowest(&self, coding: &str) -> Option<u16> {
        self.weights.iter().filter(|(name, _)| name.eq_ignore_ascii_case(coding)).map(|(_, weight)| *weight).min()
    }
}

/// The weight among parameters, in thousandths; 0 for one that cannot be understood.
pub(super) fn weight(params: params::Params<'_>) -> u16 {
    for param in params {
        match param {
            Ok(param) if param.is("q") => {
                return match param.value {
                    Some(Value::Plain(value)) => thousandths(value).unwrap_or(0),
                    _ => 0,
                };
            }
            Ok(_) => {}
            Err(params::Malformed) => return 0,
        }
    }
    FULL
}

/// A weight (RFC 9110, section 12.4.2): 0 to 1 with up to three digits behind the point.
fn thousandths(value: &str) -> Option<u16> {
    let (whole, fraction) = value.split_once('.').unwrap_or((value, ""));
    if fraction.len() > 3 || !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let fraction = fraction.bytes().chain(*b"000").take(3).fold(0, |sum, digit| sum * 10 + u16::from(digit - b'0'));
    match whole {
        "0" => Some(fraction),
        "1" if fraction == 0 => Some(FULL),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_most_wanted_wins() {
        for (accept, expected) in [
            ("gzip, br, zstd", Some("br")),
            ("gzip;q=1.0, br;q=0.5", Some("gzip")),
            ("gzip; q=0.001, br;q=0", Some("gzip")),
            ("*", Some("br")),
            ("*;q=0.5, gzip", Some("gzip")),
            ("br;q=0, *", Some("zstd")),
            ("identity", None),
            ("", None),
            ("gzip;q=x", None),
            ("identity, gzip;q=0.5", None),
            ("identity;q=0.5, gzip;q=0.5", Some("gzip")),
            ("gzip, gzip;q=0", None),
            ("X-GZIP", Some("gzip")),
            ("gzip;q=1.001", None),
            ("gzip;q=1.5", None),
            ("gzip;q=\"1\"", None),
            ("gzip;level=\"", None),
            ("gzip;level=\",\";q=0.5", Some("gzip")),
        ] {
            let chosen = AcceptEncoding::parse([accept]).choose(["br", "zstd", "gzip"]);
            assert_eq!(chosen, expected, "{accept}");
        }
        assert_eq!(AcceptEncoding::parse([]).choose(["br"]), None);
        assert_eq!(AcceptEncoding::parse(["gzip", "br;q=0.5"]).choose(["br", "gzip"]), Some("gzip"));
    }

    #[test]
    fn a_list_without_end_is_read_up_to_a_limit() {
        let field = "a;q=0.5,".repeat(500_000);
        assert_eq!(AcceptEncoding::parse([field.as_str()]).weights.len(), MOST);
    }

    proptest! {
        #[test]
        fn any_text_is_read(field: String) {
            let accepted = AcceptEncoding::parse([field.as_str()]);
            let _ = accepted.choose(["br", "gzip"]);
        }
    }
}
