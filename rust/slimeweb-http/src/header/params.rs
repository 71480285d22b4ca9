//! Parameters in the value of a field, `text/html; charset=utf-8` (RFC 9110, section 5.6.6), and lists of such values.
//!
//! Cookies are no such values: there a quote means nothing (RFC 6265, section 5.2).

use std::borrow::Cow;

/// White space in a field's value (RFC 9110, section 5.6.3).
const SPACE: [char; 2] = [' ', '\t'];

/// A parameter that cannot be read: its quoted value has no end, or text stands behind the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a quoted value has no end, or has text behind its end")]
pub struct Malformed;

/// One parameter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Param<'a> {
    /// As it was written; names are compared without case.
    pub name: &'a str,
    /// `None` where there is no `=`.
    pub value: Option<Value<'a>>,
}

impl Param<'_> {
    /// Whether this is its name.
    #[must_use]
    pub fn is(&self, name: &str) -> bool {
        self.name.eq_ignore_ascii_case(name)
    }
}

/// What stands behind the `=` of a parameter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Value<'a> {
    /// Without quotes, the white space around it taken off. More than a token may stand there: many senders leave the
    /// quotes out that their value would need.
    Plain(&'a str),
    /// What stands between the quotes, its backslashes still in it.
    Quoted(&'a str),
}

impl<'a> Value<'a> {
    /// The value. In a quoted one a backslash makes the character behind it plain (RFC 9110, section 5.6.4).
    #[must_use]
    pub fn text(self) -> Cow<'a, str> {
        self.unescaped(|_| true)
    }

    /// The value, where a backslash counts only before a quote and before another one: some clients put the path of a
    /// file into a form as it is, `"C:\x\y.txt"`.
    #[must_use]
    pub fn path(self) -> Cow<'a, str> {
        self.unescaped(|next| matches!(next, '"' | '\\'))
    }

    fn unescaped(self, is_escaped: impl Fn(char) -> bool) -> Cow<'a, str> {
        let quoted = match self {
            Self::Quoted(quoted) if quoted.contains('\\') => quoted,
            Self::Quoted(text) | Self::Plain(text) => return Cow::Borrowed(text),
        };
        let mut text = String::with_capacity(quoted.len());
        let mut chars = quoted.chars().peekable();
        while let Some(c) = chars.next() {
            let escaped = if c == '\\' { chars.next_if(|next| is_escaped(*next)) } else { None };
            text.push(escaped.unwrap_or(c));
        }
        Cow::Owned(text)
    }
}

/// What stands before the first `;`, and the parameters behind it.
#[must_use]
pub fn split(value: &str) -> (&str, Params<'_>) {
    let (first, rest) = cut(value, b';');
    (first.trim_matches(SPACE), Params { rest })
}

/// What stands before the first `;`: of a Content-Type the media type.
#[must_use]
pub fn essence(value: &[u8]) -> &[u8] {
    let end = memchr::memchr(b';', value).unwrap_or(value.len());
    value.get(..end).unwrap_or_default().trim_ascii()
}

/// The members of a list (RFC 9110, section 5.6.1), the white space around them taken off. Empty ones are included.
pub fn members(list: &str) -> impl Iterator<Item = &str> {
    let mut rest = Some(list);
    std::iter::from_fn(move || {
        let (member, tail) = cut(rest?, b',');
        rest = tail;
        Some(member.trim_matches(SPACE))
    })
}

/// Parameters, in the order in which they stand. Empty ones, as in `a;;b=c;`, are left out.
#[derive(Debug, Clone)]
pub struct Params<'a> {
    rest: Option<&'a str>,
}

impl<'a> Iterator for Params<'a> {
    type Item = Result<Param<'a>, Malformed>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let (part, rest) = cut(self.rest?, b';');
            self.rest = rest;
            let part = part.trim_matches(SPACE);
            if !part.is_empty() {
                return Some(param(part));
            }
        }
    }
}

fn param(part: &str) -> Result<Param<'_>, Malformed> {
    let Some((name, value)) = part.split_once('=') else { return Ok(Param { name: part, value: None }) };
    // RFC 9110 allows no white space around the "="; some senders write it.
    let value = value.trim_start_matches(SPACE);
    let value = match value.strip_prefix('"') {
        None => Value::Plain(value),
        Some(quoted) => {
            let end = end_of_quoted(quoted).filter(|end| end + 1 == quoted.len()).ok_or(Malformed)?;
            Value::Quoted(quoted.get(..end).unwrap_or_default())
        }
    };
    Ok(Param { name: name.trim_end_matches(SPACE), value: Some(value) })
}

/// Where the quote is that ends what `text` begins with.
fn end_of_quoted(text: &str) -> Option<usize> {
    let mut bytes = text.bytes().enumerate();
    while let Some((at, byte)) = bytes.next() {
        match byte {
            b'"' => return Some(at),
            b'\\' => _ = bytes.next(),
            _ => {}
        }
    }
    None
}

/// What stands before the first separator that is in no quoted string, and what stands behind it. A quoted string is
/// the value of a parameter: a quote anywhere else is a character like others.
fn cut(text: &str, separator: u8) -> (&str, Option<&str>) {
    let mut expects = Expects::Name;
    let mut at = 0;
    while let Some(byte) = text.as_bytes().get(at) {
        match byte {
            byte if *byte == separator => return (text.get(..at).unwrap_or_default(), text.get(at + 1..)),
            b' ' | b'\t' => {}
            b';' => expects = Expects::Name,
            b'=' if expects == Expects::Name => expects = Expects::Value,
            b'"' if expects == Expects::Value => {
                expects = Expects::Nothing;
                let quoted = text.get(at + 1..).unwrap_or_default();
                let Some(end) = end_of_quoted(quoted) else { return (text, None) };
                at += end + 1;
            }
            _ if expects == Expects::Value => expects = Expects::Nothing,
            _ => {}
        }
        at += 1;
    }
    (text, None)
}

/// What may begin at a place of a parameter.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Expects {
    Name,
    Value,
    Nothing,
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    type Read<'a> = (&'a str, Vec<Result<(&'a str, Option<String>), Malformed>>);

    fn read(value: &str) -> Read<'_> {
        let (first, params) = split(value);
        let text = |param: Param<'_>| param.value.map(|value| value.text().into_owned());
        (first, params.map(|param| param.map(|param| (param.name, text(param)))).collect())
    }

    #[test]
    fn parameters_are_split_outside_of_quotes() {
        let ok = |name, value: &str| Ok((name, Some(value.to_owned())));
        for (value, first, expected) in [
            ("text/html", "text/html", vec![]),
            ("", "", vec![]),
            (" a/b\t;; ;", "a/b", vec![]),
            ("a; b=c;d=e", "a", vec![ok("b", "c"), ok("d", "e")]),
            ("a;\tb = c ;d", "a", vec![ok("b", "c"), Ok(("d", None))]),
            ("a; b=\"c;d\"; e=f", "a", vec![ok("b", "c;d"), ok("e", "f")]),
            (r#"a; b="\"c\\\d;" ;e=f"#, "a", vec![ok("b", "\"c\\d;"), ok("e", "f")]),
            ("a; b=\"\"", "a", vec![ok("b", "")]),
            ("a; b=", "a", vec![ok("b", "")]),
            ("a; =b", "a", vec![ok("", "b")]),
            // A quote within a value opens nothing, nor does one behind the second "=".
            ("a; b=c\"d;e=f\"", "a", vec![ok("b", "c\"d"), ok("e", "f\"")]),
            ("a; b=c=\"d;e\"", "a", vec![ok("b", "c=\"d"), Ok(("e\"", None))]),
            ("a; b=\"é\"", "a", vec![ok("b", "é")]),
            ("a; b=\"c", "a", vec![Err(Malformed)]),
            ("a; b=\"c\\\"; d=e", "a", vec![Err(Malformed)]),
            ("a; b=\"c\"d; e=f", "a", vec![Err(Malformed), ok("e", "f")]),
        ] {
            assert_eq!(read(value), (first, expected), "{value}");
        }
    }

    #[test]
    fn a_path_keeps_the_backslashes_that_escape_nothing() {
        let (_, mut params) = split(r#"a; b="C:\x\\y\".txt""#);
        assert_eq!(params.next().unwrap().unwrap().value.unwrap().path(), r#"C:\x\y".txt"#);
        assert_eq!(Value::Plain(r"C:\x").path(), r"C:\x");
    }

    #[test]
    fn lists_are_split_outside_of_quotes() {
        for (list, expected) in [
            ("", vec![""]),
            ("a", vec!["a"]),
            (" a ,b;c=d,\t,e", vec!["a", "b;c=d", "", "e"]),
            (r#"a; b="c, \"d", e"#, vec![r#"a; b="c, \"d""#, "e"]),
            ("a; b=\"c, d", vec!["a; b=\"c, d"]),
            ("\"a, b\"", vec!["\"a", "b\""]),
        ] {
            assert_eq!(members(list).collect::<Vec<_>>(), expected, "{list}");
        }
    }

    #[test]
    fn the_essence_is_what_stands_before_the_parameters() {
        assert_eq!(essence(b" text/html ; charset=utf-8"), b"text/html");
        assert_eq!(essence(b"text/html"), b"text/html");
        assert_eq!(essence(b""), b"");
    }

    proptest! {
        #[test]
        fn whatever_is_quoted_comes_back(value: String, after in "[a-z]{0,5}") {
            let quoted = value.replace('\\', "\\\\").replace('"', "\\\"");
            let field = format!("a; b=\"{quoted}\"; c={after}");
            let read: Vec<_> = split(&field).1.map(|param| param.unwrap().value.unwrap().text()).collect();
            prop_assert_eq!(read, [value, after]);
        }

        #[test]
        fn any_text_is_read(value: String) {
            for member in members(&value) {
                split(member).1.for_each(|param| _ = param.map(|param| param.value.map(Value::text)));
            }
        }
    }
}
