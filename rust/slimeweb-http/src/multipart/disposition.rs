//! The head of a part: its Content-Disposition and Content-Type.

use std::borrow::Cow;

use encoding_rs::Encoding;
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
            "name" => name = Some(unescape(value)),
            "filename" => filename = Some(unescape(value)),
            // RFC 8187. RFC 7578 forbids it here, yet some clients send it. One that cannot be read still says that this is a file.
            "filename*" => {
                extended = extended_value(&value);
                filename = filename.or(Some(value));
            }
            _ => {}
        }
    }
    Ok((name, extended.or(filename)))
}

/// The next `key=value` and what follows it.
pub(super) fn parameter(text: &str) -> Result<Option<(&str, String, &str)>, &'static str> {
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

/// Undoes what browsers do to a name (HTML, "multipart/form-data"): they encode line ends and quotes, and nothing else, so that
/// `%20` stands for itself.
fn unescape(text: String) -> String {
    if !text.contains('%') {
        return text;
    }
    let mut plain = String::with_capacity(text.len());
    let mut rest = text.as_str();
    while let Some((before, after)) = rest.split_once('%') {
        plain.push_str(before);
        let letter = match after.get(..2) {
            Some("22") => Some('"'),
            Some("0D" | "0d") => Some('\r'),
            Some("0A" | "0a") => Some('\n'),
            _ => None,
        };
        plain.push(letter.unwrap_or('%'));
        rest = letter.and_then(|_| after.get(2..)).unwrap_or(after);
    }
    plain.push_str(rest);
    plain
}

fn extended_value(value: &str) -> Option<String> {
    let (charset, rest) = value.split_once('\'')?;
    let (_language, encoded) = rest.split_once('\'')?;
    let encoding = Encoding::for_label(charset.as_bytes())?;
    let bytes = Cow::from(percent_decode_str(encoded));
    Some(encoding.decode_without_bom_handling(&bytes).0.into_owned())
}

/// The charset that a part's Content-Type names, where it is known here (WHATWG Encoding).
pub(super) fn charset(content_type: &str) -> Option<&'static Encoding> {
    content_type.split(';').skip(1).find_map(|parameter| {
        let (key, value) = parameter.split_once('=')?;
        if !key.trim().eq_ignore_ascii_case("charset") {
            return None;
        }
        Encoding::for_label(value.trim().trim_matches('"').as_bytes())
    })
}

/// What of a client's filename is no directory, whichever system wrote it: nothing that could lead anywhere.
pub(super) fn base_name(filename: &str) -> &str {
    // The system ends a name at a NUL.
    let filename = filename.split('\0').next().unwrap_or_default();
    match filename.rsplit(['/', '\\']).next().unwrap_or_default() {
        "." | ".." => "",
        name => name,
    }
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
    fn names_are_decoded_as_browsers_encode_them() {
        assert_eq!(
            head("form-data; name=\"%22a%0D%0ab%22\"; filename=\"100%25 %2 é%.txt\""),
            Ok(("\"a\r\nb\"".to_owned(), Some("100%25 %2 é%.txt".to_owned())))
        );
        let latin = head("form-data; name=a; filename*=iso-8859-1'en'na%EFve.txt").map(|(_, filename)| filename);
        assert_eq!(latin, Ok(Some("naïve.txt".to_owned())));
        let unknown = head("form-data; name=a; filename=b; filename*=x-none''c").map(|(_, filename)| filename);
        assert_eq!(unknown, Ok(Some("b".to_owned())));
        for alone in ["form-data; name=a; filename*=b", "form-data; name=a; filename*=b; filename*=x''c; filename=b"] {
            assert_eq!(head(alone).map(|(_, filename)| filename), Ok(Some("b".to_owned())), "{alone}");
        }
    }

    #[test]
    fn a_filename_has_no_directories() {
        for (given, base) in [
            ("/etc/passwd", "passwd"),
            (r"C:\x\y.txt", "y.txt"),
            ("../../x", "x"),
            ("a/..", ""),
            ("..", ""),
            (".", ""),
            ("a/", ""),
            ("..a", "..a"),
            ("a.txt\0.png", "a.txt"),
        ] {
            assert_eq!(base_name(given), base, "{given}");
        }
    }

    #[test]
    fn charsets() {
        assert_eq!(charset("text/plain; charset=\"ISO-8859-1\"").map(Encoding::name), Some("windows-1252"));
        assert_eq!(charset("text/plain; Charset = utf-8").map(Encoding::name), Some("UTF-8"));
        assert_eq!(charset("text/plain; charset=x"), None);
        assert_eq!(charset("text/plain"), None);
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
