//! What proxies say of the connection that they received: X-Forwarded-For and X-Forwarded-Proto.

use std::net::{IpAddr, SocketAddr};

use http::HeaderMap;

/// The addresses in `X-Forwarded-For`, the last one first; `None` for what is no address. Empty members are left out
/// (RFC 9110, section 5.6.1).
pub fn addresses(headers: &HeaderMap) -> impl Iterator<Item = Option<IpAddr>> {
    let lines = headers.get_all("x-forwarded-for").into_iter().rev();
    let hops = lines.flat_map(|value| value.as_bytes().rsplit(|byte| *byte == b',')).map(<[u8]>::trim_ascii);
    hops.filter(|hop| !hop.is_empty()).map(|hop| std::str::from_utf8(hop).ok().and_then(address))
}

/// `http` or `https` as `X-Forwarded-Proto` has it: of several, the first, since each proxy appends the one that it
/// received.
#[must_use]
pub fn scheme(headers: &HeaderMap) -> Option<&'static str> {
    let values = headers.get_all("x-forwarded-proto").into_iter();
    let mut schemes = values.flat_map(|value| value.as_bytes().split(|byte| *byte == b',')).map(<[u8]>::trim_ascii);
    let first = schemes.find(|scheme| !scheme.is_empty())?;
    let first = first.strip_prefix(b"\"").and_then(|rest| rest.strip_suffix(b"\"")).unwrap_or(first);
    let is = |name: &[u8]| first.eq_ignore_ascii_case(name);
    if is(b"https") || is(b"wss") {
        Some("https")
    } else if is(b"http") || is(b"ws") {
        Some("http")
    } else {
        None
    }
}

/// `192.0.2.1`, `192.0.2.1:80`, `2001:db8::1` or `[2001:db8::1]:80`.
fn address(text: &str) -> Option<IpAddr> {
    // Some proxies quote what has colons, as RFC 7239 would.
    let text = text.strip_prefix('"').and_then(|text| text.strip_suffix('"')).unwrap_or(text);
    text.parse::<IpAddr>()
        .or_else(|_| text.parse::<SocketAddr>().map(|address| address.ip()))
        .or_else(|_| text.trim_matches(['[', ']']).parse::<IpAddr>())
        .ok()
        .map(|address| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn fields(name: &'static str, lines: &[&'static str]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(name, HeaderValue::from_static(line));
        }
        headers
    }

    #[test]
    fn addresses_come_from_the_last_to_the_first() {
        let headers = fields("x-forwarded-for", &["192.0.2.1, , unknown", "\"[2001:db8::1]:80\",192.0.2.2:80"]);
        let found: Vec<_> = addresses(&headers).map(|address| address.map(|address| address.to_string())).collect();
        let some = |text: &str| Some(text.to_owned());
        assert_eq!(found, [some("192.0.2.2"), some("2001:db8::1"), None, some("192.0.2.1")]);
    }

    #[test]
    fn of_several_schemes_the_first_counts() {
        for (line, expected) in [
            ("https", Some("https")),
            (", WSS, http", Some("https")),
            ("\"http\"", Some("http")),
            ("ftp, https", None),
            ("", None),
        ] {
            assert_eq!(scheme(&fields("x-forwarded-proto", &[line])), expected, "{line}");
        }
    }
}
