//! Content-Disposition: of a part of a form (RFC 7578, section 4.2), and of an attachment (RFC 6266).

use std::borrow::Cow;

use encoding_rs::Encoding;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

use super::params::{self, Malformed};

/// `attr-char` of RFC 8187, section 3.2.1.
const ATTRIBUTE: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'!')
    .remove(b'#')
    .remove(b'$')
    .remove(b'&')
    .remove(b'+')
    .remove(b'-')
    .remove(b'.')
    .remove(b'^')
    .remove(b'_')
    .remove(b'`')
    .remove(b'|')
    .remove(b'~');

/// `attachment` with a name for old clients and one for all (RFC 6266, section 5).
#[must_use]
pub fn attachment(name: &str) -> String {
    let plain: String = name
        .chars()
        .map(|c| if c.is_ascii_graphic() && !matches!(c, '"' | '\\') || c == ' ' { c } else { '_' })
        .collect();
    let full = utf8_percent_encode(name, ATTRIBUTE);
    format!("attachment; filename=\"{plain}\"; filename*=UTF-8''{full}")
}

/// What a part of a form says of itself.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FormData {
    /// The name of the form's field.
    pub name: Option<String>,
    /// What the client calls the file.
    pub filename: Option<String>,
}

/// Reads the Content-Disposition of a part of a form.
///
/// # Errors
/// Says in words what is wrong with it.
pub fn form_data(value: &str) -> Result<FormData, &'static str> {
    let (kind, params) = params::split(value);
    if !kind.eq_ignore_ascii_case("form-data") {
        return Err("a part's Content-Disposition is not form-data");
    }
    let (mut name, mut filename, mut extended) = (None, None, None);
    for param in params {
        let param =
            param.map_err(|Malformed| "a quoted value in a Content-Disposition has no end, or text behind it")?;
        let Some(value) = param.value else { return Err("a parameter of a Content-Disposition has no value") };
        let value = value.path();
        if param.is("name") {
            name = Some(unescape(value));
        } else if param.is("filename") {
            filename = Some(unescape(value));
        } else if param.is("filename*") {
            // RFC 8187. RFC 7578 forbids it here, yet some clients send it. One that cannot be read still says that
            // this is a file.
            extended = extended_value(&value);
            filename = filename.or_else(|| Some(value.into_owned()));
        }
    }
    Ok(FormData { name, filename: extended.or(filename) })
}

/// Undoes what browsers do to a name (HTML, "multipart/form-data"): they encode line ends and quotes, and
/// nothing else, so that `%20` stands for itself.
fn unescape(text: Cow<'_, str>) -> String {
    if !text.contains('%') {
        return text.into_owned();
    }
    let mut plain = String::with_capacity(text.len());
    let mut rest = &*text;
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

/// What of a client's filename is no directory, whichever system wrote it: nothing that could lead anywhere.
pub(crate) fn base_name(filename: &str) -> &str {
    // The system ends a name at a NUL.
    let filename = filename.split('\0').next().unwrap_or_default();
    match filename.rsplit(['/', '\\']).next().unwrap_or_default() {
        "." | ".." => "",
        name => name,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(disposition: &str) -> Result<(String, Option<String>), &'static str> {
        form_data(disposition).and_then(|FormData { name, filename }| Ok((name.ok_or("no name")?, filename)))
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
    fn what_is_no_part() {
        for bad in
            ["attachment; name=a", "form-data", "form-data; filename=x", "form-data; name=\"a", "form-data; name"]
        {
            assert!(head(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn an_attachment_has_a_name_for_old_clients_and_one_for_all() {
        assert_eq!(attachment("a b.txt"), "attachment; filename=\"a b.txt\"; filename*=UTF-8''a%20b.txt");
        assert_eq!(attachment("é\"\\"), "attachment; filename=\"___\"; filename*=UTF-8''%C3%A9%22%5C");
    }
}
