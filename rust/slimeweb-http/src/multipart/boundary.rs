//! The boundary between the parts of a form (RFC 2046, section 5.1.1).

use super::error::FormError;

/// A boundary's length in bytes.
const LIMIT: usize = 70;

/// The boundary that a Content-Type announces. More lenient than the grammar: some clients leave out the quotes that
/// a `=` or `/` in it would need.
pub(super) fn boundary(content_type: &str) -> Result<String, FormError> {
    let (kind, parameters) = content_type.split_once(';').unwrap_or((content_type, ""));
    if !kind.trim().eq_ignore_ascii_case("multipart/form-data") {
        return Err(FormError::Malformed("its Content-Type is not multipart/form-data"));
    }
    let value = parameters.split(';').find_map(|parameter| {
        let (key, value) = parameter.split_once('=')?;
        key.trim().eq_ignore_ascii_case("boundary").then(|| value.trim())
    });
    let value = value.ok_or(FormError::Malformed("its Content-Type has no boundary"))?;
    let bare = value.strip_prefix('"').and_then(|value| value.strip_suffix('"')).unwrap_or(value);
    // A semicolon cannot be in a boundary, so splitting at it was right.
    let is_valid = |byte: u8| byte.is_ascii_alphanumeric() || b"'()+_,-./:=? ".contains(&byte);
    if bare.is_empty() || bare.len() > LIMIT || bare.ends_with(' ') || !bare.bytes().all(is_valid) {
        return Err(FormError::Malformed("its boundary is not one of RFC 2046"));
    }
    Ok(bare.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn boundaries() {
        assert_eq!(boundary("multipart/form-data; boundary=abc").unwrap(), "abc");
        assert_eq!(boundary("multipart/form-data; boundary=----=_Part_1").unwrap(), "----=_Part_1");
        assert_eq!(boundary("Multipart/Form-Data; charset=x; Boundary=\"a b\"").unwrap(), "a b");
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
