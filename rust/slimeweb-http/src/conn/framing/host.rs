//! The syntax of a Host field's value.

/// Whether `value` is `uri-host [ ":" port ]` (RFC 9110, section 7.2; RFC 3986, section 3.2.2). The empty host is one.
pub(crate) fn is_valid(value: &[u8]) -> bool {
    let rest = match value.strip_prefix(b"[") {
        Some(literal) => {
            let Some(end) = memchr::memchr(b']', literal) else { return false };
            let (address, rest) = literal.split_at(end);
            if !is_ip_literal(address) {
                return false;
            }
            rest.get(1..).unwrap_or_default()
        }
        None => {
            let end = memchr::memchr(b':', value).unwrap_or(value.len());
            let (name, rest) = value.split_at(end);
            if !is_reg_name(name) {
                return false;
            }
            rest
        }
    };
    match rest.split_first() {
        None => true,
        Some((b':', port)) => port.len() <= 5 && port.iter().all(u8::is_ascii_digit),
        Some(_) => false,
    }
}

fn is_reg_name(name: &[u8]) -> bool {
    let mut rest = name;
    while let Some((&byte, tail)) = rest.split_first() {
        rest = match byte {
            b'%' => match tail {
                [a, b, tail @ ..] if a.is_ascii_hexdigit() && b.is_ascii_hexdigit() => tail,
                _ => return false,
            },
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' => tail,
            b'-' | b'.' | b'_' | b'~' | b'!' | b'$' | b'&' | b'\'' | b'(' | b')' | b'*' | b'+' | b',' | b';' | b'=' => {
                tail
            }
            _ => return false,
        };
    }
    true
}

fn is_ip_literal(address: &[u8]) -> bool {
    std::str::from_utf8(address).is_ok_and(|address| address.parse::<std::net::Ipv6Addr>().is_ok())
}

#[cfg(test)]
mod tests {
    use super::is_valid;

    #[test]
    fn hosts() {
        for good in ["", "a", "a.example:8080", "127.0.0.1:80", "[::1]", "[::1]:443", "x_y", "a:", "%41"] {
            assert!(is_valid(good.as_bytes()), "{good:?}");
        }
        for bad in [
            "a b", "a/b", "u@a", "a:b", "[::1", "[::1]x", "[zz]", "a:80:80", "a?b", "a#b", "a\\b", "%4", "\"a\"",
            "a:123456", "é",
        ] {
            assert!(!is_valid(bad.as_bytes()), "{bad:?}");
        }
    }
}
