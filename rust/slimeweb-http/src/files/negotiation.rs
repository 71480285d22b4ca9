//! Which precompressed file to send (RFC 9110, section 12.5.3).

use http::HeaderMap;
use http::header::ACCEPT_ENCODING;

/// An encoding with the extension of the files that are in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Encoding {
    pub(super) name: &'static str,
    pub(super) extension: &'static str,
}

/// The best first, among those that the client likes equally.
pub(super) const ENCODINGS: [Encoding; 3] = [
    Encoding { name: "br", extension: ".br" },
    Encoding { name: "zstd", extension: ".zst" },
    Encoding { name: "gzip", extension: ".gz" },
];

/// What a client likes, from 0 (not at all) to 1000.
fn weight(request: &HeaderMap, encoding: &str) -> u16 {
    let (mut named, mut any) = (None, None);
    let items = request
        .get_all(ACCEPT_ENCODING)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','));
    for item in items {
        let (name, parameters) = item.split_once(';').unwrap_or((item, ""));
        let name = name.trim();
        if name.eq_ignore_ascii_case(encoding) {
            named = Some(quality(parameters));
        } else if name == "*" {
            any = Some(quality(parameters));
        }
    }
    named.or(any).unwrap_or(0)
}

fn quality(parameters: &str) -> u16 {
    let value = parameters.split(';').find_map(|parameter| {
        let (key, value) = parameter.split_once('=')?;
        key.trim().eq_ignore_ascii_case("q").then(|| value.trim())
    });
    let Some(value) = value else { return 1000 };
    // What is no weight is no wish.
    let (whole, fraction) = value.split_once('.').unwrap_or((value, ""));
    let digits = fraction.len() <= 3 && fraction.bytes().all(|byte| byte.is_ascii_digit());
    match whole {
        "1" => 1000,
        "0" if digits => format!("{fraction:0<3}").parse().unwrap_or(0),
        _ => 0,
    }
}

/// Those of the `available` encodings that the client takes, the most wanted first.
pub(super) fn wanted(request: &HeaderMap, available: &[Encoding]) -> Option<Encoding> {
    let liked =
        available.iter().map(|encoding| (weight(request, encoding.name), *encoding)).filter(|(weight, _)| *weight > 0);
    // The first of equals.
    liked.reduce(|best, next| if next.0 > best.0 { next } else { best }).map(|(_, encoding)| encoding)
}

#[cfg(test)]
mod tests {
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
        ] {
            let mut request = HeaderMap::new();
            request.insert(ACCEPT_ENCODING, accept.parse().unwrap());
            assert_eq!(wanted(&request, &ENCODINGS).map(|encoding| encoding.name), expected, "{accept}");
        }
        assert_eq!(wanted(&HeaderMap::new(), &ENCODINGS), None);
    }
}
