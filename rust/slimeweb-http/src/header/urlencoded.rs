//! Names and values of queries and forms: `application/x-www-form-urlencoded` (WHATWG URL, section 5).

use encoding_rs::{Encoding, UTF_8};

use super::charset;

/// Names and values, in the order in which they came.
pub type Pairs = Vec<(String, String)>;

/// A form that has more fields than it may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the form has more than the {limit} fields that form_fields allows")]
pub struct TooMany {
    /// How many it may have.
    pub limit: usize,
}

/// A query string. What is not UTF-8 reads as U+FFFD: a link from elsewhere must not break a page.
pub fn query(input: &str) -> form_urlencoded::Parse<'_> {
    form_urlencoded::parse(input.as_bytes())
}

/// A form body, which may have `limit` fields: in the charset that its Content-Type names, else in that of its field
/// `_charset_` (HTML, "form submission"), else in UTF-8. What is not in it reads as U+FFFD, as browsers and the URL
/// standard have it.
///
/// # Errors
/// [`TooMany`].
pub fn form(input: &[u8], content_type: Option<&str>, limit: usize) -> Result<Pairs, TooMany> {
    let encoding = content_type
        .and_then(charset::encoding)
        .or_else(|| named_encoding(input))
        .map_or(UTF_8, Encoding::output_encoding);
    let pairs = if encoding == UTF_8 {
        let fields = form_urlencoded::parse(input).map(|(name, value)| (name.into_owned(), value.into_owned()));
        at_most(limit, fields)
    } else {
        at_most(limit, raw_pairs(input).map(|(name, value)| (decoded(name, encoding), decoded(value, encoding))))
    };
    pairs.ok_or(TooMany { limit })
}

/// All pairs; none where there are more than `limit`.
fn at_most(limit: usize, mut fields: impl Iterator<Item = (String, String)>) -> Option<Pairs> {
    let pairs = fields.by_ref().take(limit).collect();
    fields.next().is_none().then_some(pairs)
}

fn named_encoding(input: &[u8]) -> Option<&'static Encoding> {
    const NAME: &[u8] = b"_charset_";
    memchr::memmem::find(input, NAME)?;
    let (_, label) = raw_pairs(input).find(|(name, _)| *name == NAME)?;
    Encoding::for_label(label)
}

/// Names and values as they were sent.
fn raw_pairs(input: &[u8]) -> impl Iterator<Item = (&[u8], &[u8])> {
    input.split(|byte| *byte == b'&').filter(|pair| !pair.is_empty()).map(|pair| {
        let end = memchr::memchr(b'=', pair).unwrap_or(pair.len());
        (pair.get(..end).unwrap_or_default(), pair.get(end + 1..).unwrap_or_default())
    })
}

fn decoded(raw: &[u8], encoding: &'static Encoding) -> String {
    let spaced: Vec<u8> = raw.iter().map(|byte| if *byte == b'+' { b' ' } else { *byte }).collect();
    let bytes: Vec<u8> = percent_encoding::percent_decode(&spaced).collect();
    encoding.decode_without_bom_handling(&bytes).0.into_owned()
}

/// Borrowed, as [`query`] has them.
pub fn borrowed(pairs: &Pairs) -> impl Iterator<Item = (&str, &str)> {
    pairs.iter().map(|(name, value)| (name.as_str(), value.as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(input: &str, content_type: Option<&str>) -> Vec<(String, String)> {
        form(input.as_bytes(), content_type, 3).unwrap()
    }

    #[test]
    fn a_form_is_in_the_charset_that_it_names() {
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        assert_eq!(read("a=%C3%A9+b&&c", None), [pair("a", "é b"), pair("c", "")]);
        assert_eq!(read("a=%e9+b", Some("x/y; charset=\"latin1\"")), [pair("a", "é b")]);
        let named = [pair("_charset_", "latin1"), pair("a", "é")];
        assert_eq!(read("_charset_=latin1&a=%e9", None), named);
        assert_eq!(read("a=%e9", Some("x/y; charset=unknown")), [pair("a", "\u{fffd}")]);
    }

    #[test]
    fn a_form_has_no_more_fields_than_allowed() {
        assert_eq!(form(b"a&b", None, 2).unwrap().len(), 2);
        assert_eq!(form(b"a&b&c", None, 2), Err(TooMany { limit: 2 }));
    }
}
