//! Which media types a client asks for: Accept (RFC 9110, section 12.5.1).

use super::accept_encoding::weight;
use super::params;

/// A list is read up to this many members: no field is to cost more than the body.
const MOST: usize = 64;

/// Whether a media type is JSON: `application/json`, or one whose name ends in `+json`.
#[must_use]
pub fn is_json(essence: &[u8]) -> bool {
    let suffix = essence.len().checked_sub(b"+json".len()).filter(|start| *start > 0);
    essence.eq_ignore_ascii_case(b"application/json")
        || suffix.and_then(|start| essence.get(start..)).is_some_and(|suffix| suffix.eq_ignore_ascii_case(b"+json"))
}

/// Whether the lines of the field name a type of JSON, and do not refuse it. Ranges, such as `*/*`, name none.
pub fn names_json<'a>(lines: impl IntoIterator<Item = &'a str>) -> bool {
    lines.into_iter().flat_map(params::members).take(MOST).any(|member| {
        let (essence, params) = params::split(member);
        is_json(essence.as_bytes()) && weight(params) > 0
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_is_named_by_its_own_type_and_by_those_that_are_written_in_it() {
        for (accept, expected) in [
            ("application/json", true),
            ("text/html, Application/JSON;q=0.5", true),
            ("application/problem+json", true),
            ("application/vnd.api+json; charset=utf-8", true),
            ("application/json;q=0", false),
            ("application/json;q=x", false),
            ("*/*", false),
            ("application/*", false),
            ("application/jsonx", false),
            ("+json", false),
            ("text/html;a=application/json", false),
            ("", false),
        ] {
            assert_eq!(names_json([accept]), expected, "{accept}");
        }
        assert!(!names_json([]));
        assert!(names_json(["text/html", "application/json"]));
    }
}
