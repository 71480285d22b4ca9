//! The head of a part: its Content-Disposition and Content-Type.

use std::borrow::Cow;

use http::HeaderMap;
use http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};

use crate::header::content_disposition::{FormData, form_data};

/// What the head of a part says.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct PartHead {
    pub(super) name: String,
    pub(super) filename: Option<String>,
    pub(super) content_type: Option<String>,
}

/// Reads the fields of a part's head.
pub(super) fn parse(fields: &HeaderMap) -> Result<PartHead, &'static str> {
    // Browsers write names as UTF-8; what is not is shown as well as it can be.
    let text = |name| fields.get(name).map(|value| String::from_utf8_lossy(value.as_bytes()));
    let disposition = text(CONTENT_DISPOSITION).as_deref().map(form_data).transpose()?;
    let FormData { name, filename } = disposition.unwrap_or_default();
    let name = name.ok_or("a part has no name in its Content-Disposition")?;
    Ok(PartHead { name, filename, content_type: text(CONTENT_TYPE).map(Cow::into_owned) })
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn a_part_without_a_name_is_none() {
        assert!(parse(&HeaderMap::new()).is_err());
        let head = |disposition: &[u8]| {
            parse(&HeaderMap::from_iter([(CONTENT_DISPOSITION, HeaderValue::from_bytes(disposition).unwrap())]))
        };
        assert!(head(b"form-data; filename=x").is_err());
        assert_eq!(head("form-data; name=\"é\"".as_bytes()).unwrap().name, "é");
    }
}
