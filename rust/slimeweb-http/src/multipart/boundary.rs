//! The boundary between the parts of a form (RFC 2046, section 5.1.1).

use super::error::FormError;
use crate::header::params;

/// A boundary's length in bytes.
const LIMIT: usize = 70;

/// The boundary that a Content-Type announces. More lenient than the grammar: some clients leave out the quotes that
/// a `=` or `/` in it would need, and some use characters that are not for boundaries, such as `$` and `*`.
pub(super) fn boundary(content_type: &str) -> Result<String, FormError> {
    let (kind, params) = params::split(content_type);
    if !kind.eq_ignore_ascii_case("multipart/form-data") {
        return Err(FormError::Malformed("its Content-Type is not multipart/form-data"));
    }
    let missing = FormError::Malformed("its Content-Type has no boundary");
    let mut value = None;
    for param in params {
        match param {
            Ok(param) if param.is("boundary") && param.value.is_some() => {
                value = param.value;
                break;
            }
            Ok(_) => {}
            Err(params::Malformed) => break,
        }
    }
    let Some(value) = value else { return Err(missing) };
    let value = value.text();
    if value.is_empty()
        || value.len() > LIMIT
        || value.ends_with(' ')
        || !value.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic())
    {
        return Err(FormError::Malformed("its boundary is not one of RFC 2046"));
    }
    Ok(value.into_owned())
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
