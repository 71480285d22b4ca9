//! The boundary between the parts of a form (RFC 2046, section 5.1.1).

use super::disposition::parameter;
use super::error::FormError;

/// A boundary's length in bytes.
const LIMIT: usize = 70;

/// The boundary that a Content-Type announces. More lenient than the grammar: some clients leave out the quotes that
/// a `=` or `/` in it would need, and some use characters that are not for boundaries, such as `$` and `*`.
pub(super) fn boundary(content_type: &str) -> Result<String, FormError> {
    let (kind, mut rest) = content_type.split_once(';').unwrap_or((content_type, ""));
    if !kind.trim().eq_ignore_ascii_case("multipart/form-data") {
        return Err(FormError::Malformed("its Content-Type is not multipart/form-data"));
    }
    let value = loop {
        match parameter(rest) {
            // What stands before it may be no parameter at all.
            Ok(Some((key, value, _)))
                if key.rsplit(';').next().is_some_and(|key| key.trim().eq_ignore_ascii_case("boundary")) =>
            {
                break value;
            }
            Ok(Some((_, _, tail))) => rest = tail,
            Ok(None) | Err(_) => return Err(FormError::Malformed("its Content-Type has no boundary")),
        }
    };
    if value.is_empty()
        || value.len() > LIMIT
        || value.ends_with(' ')
        || !value.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic())
    {
        return Err(FormError::Malformed("its boundary is not one of RFC 2046"));
    }
    Ok(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn boundaries() {
        assert_eq!(boundary("multipart/form-data; boundary=abc").unwrap(), "abc");
        assert_eq!(boundary("multipart/form-data; boundary=----=_Part_1").unwrap(), "----=_Part_1");
        assert_eq!(boundary("Multipart/Form-Data; charset=x; Boundary=\"a b\"").unwrap(), "a b");
        assert_eq!(boundary("multipart/form-data; boundary=a_B$*#;").unwrap(), "a_B$*#");
        assert_eq!(boundary("multipart/form-data; x=\"; boundary=b\"; boundary=\"a;\\\"b\" ; y=z").unwrap(), "a;\"b");
        let long = format!("multipart/form-data; boundary={}", "a".repeat(71));
        for bad in [
            "text/plain; boundary=a",
            "multipart/form-data",
            "multipart/form-data; boundary=",
            "multipart/form-data; boundary=\"a",
            long.as_str(),
        ] {
            assert!(boundary(bad).is_err(), "{bad}");
        }
    }
}
