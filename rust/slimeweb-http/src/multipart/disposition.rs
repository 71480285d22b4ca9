//! The head of a part: its Content-Disposition and Content-Type.

use std::borrow::Cow;

use http::HeaderMap;
use http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use percent_encoding::percent_decode_str;

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
    let (name, filename) = text(CONTENT_DISPOSITION).as_deref().map(disposition).transpose()?.unwrap_or_default();
    let name = name.ok_or("a part has no name in its Content-Disposition")?;
    Ok(PartHead { name, filename, content_type: text(CONTENT_TYPE).map(Cow::into_owned) })
}

fn disposition(value: &str) -> Result<(Option<String>, Option<String>), &'static str> {
    let (kind, mut rest) = value.split_once(';').unwrap_or((value, ""));
    if !kind.trim().eq_ignore_ascii_case("form-data") {
        return Err("a part's Content-Disposition is not form-data");
    }
    let (mut name, mut filename, mut extended) = (None, None, None);
    while let Some((key, value, tail)) = parameter(rest)? {
        rest = tail;
        match key.to_ascii_lowercase().as_str() {
            "name" => name = Some(value),
            "filename" => filename = Some(value),
            // RFC 8187. RFC 7578 forbids it here, yet some clients send it.
            "filename*" => extended = extended_value(&value),
            _ => {}
        }
    }
    Ok((name, extended.or(filename)))
}

/// The next `key=value` and what follows it.
fn parameter(text: &str) -> Result<Option<(&str, String, &str)>, &'static str> {
    let text = text.trim_start_matches([' ', '\t', ';']);
    if text.is_empty() {
        return Ok(None);
    }
    let (key, value) = text.split_once('=').ok_or("a parameter of a Content-Disposition has no value")?;
    let value = value.trim_start();
    let Some(quoted) = value.strip_prefix('"') else {
        let (value, rest) = value.split_once(';').unwrap_or((value, ""));
        return Ok(Some((key.trim(), value.trim().to_owned(), rest)));
    };
    let mut text = String::new();
    let mut chars = quoted.char_indices().peekable();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return Ok(Some((key.trim(), text, quoted.get(at + 1..).unwrap_or_default()))),
            // Only what needs it: some clients put plain backslashes into a path.
            '\\' => match chars.next_if(|(_, next)| matches!(next, '"' | '\\')) {
                Some((_, escaped)) => text.push(escaped),
                None => text.push('\\'),
            },
            c => text.push(c),
        }
    }
    Err("a quoted value in a Content-Disposition has no end")
}

fn extended_value(value: &str) -> Option<String> {
    let (charset, rest) = value.split_once('\'')?;
    let (_language, encoded) = rest.split_once('\'')?;
    charset.eq_ignore_ascii_case("utf-8").then(|| percent_decode_str(encoded).decode_utf8_lossy().into_owned())
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn head(disposition: &str) -> Result<(String, Option<String>), &'static str> {
        let value = HeaderValue::from_bytes(disposition.as_bytes()).unwrap();
        parse(&HeaderMap::from_iter([(CONTENT_DISPOSITION, value)])).map(|head| (head.name, head.filename))
    }

    #[test]
    fn names_and_filenames() {
        let some = |name: &str, filename: Option<&str>| Ok((name.to_owned(), filename.map(str::to_owned)));
        assert_eq!(head("form-data; name=\"a\""), some("a", None));
        assert_eq!(head("Form-Data;name=a;filename=b.txt"), some("a", Some("b.txt")));
        assert_eq!(
            head(r#"form-data; name="a;b\"c\\d"; filename="C:\x\y.txt""#),
            some(r#"a;b"c\d"#, Some(r"C:\x\y.txt"))
        );
        assert_eq!(head("form-data; name=\"é\"; filename=\"\""), some("é", Some("")));
        assert_eq!(head("form-data; name=a; filename=x; filename*=UTF-8''%e2%82%ac.txt"), some("a", Some("€.txt")));
    }

    #[test]
    fn what_is_no_part() {
        for bad in
            ["attachment; name=a", "form-data", "form-data; filename=x", "form-data; name=\"a", "form-data; name"]
        {
            assert!(head(bad).is_err(), "{bad}");
        }
        assert!(parse(&HeaderMap::new()).is_err());
    }
}
