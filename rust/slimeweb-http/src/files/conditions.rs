//! Conditional requests (RFC 9110, section 13).

use std::time::SystemTime;

use http::header::{HeaderMap, HeaderName, IF_MATCH, IF_MODIFIED_SINCE, IF_NONE_MATCH, IF_RANGE, IF_UNMODIFIED_SINCE};

/// What a representation is compared by.
#[derive(Debug)]
pub(super) struct Validators<'a> {
    pub(super) etag: &'a str,
    pub(super) modified: Option<SystemTime>,
}

/// What the conditions of a GET or HEAD come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    Send,
    NotModified,
    Failed,
}

impl Validators<'_> {
    /// In the order of RFC 9110, section 13.2.2.
    pub(super) fn evaluate(&self, request: &HeaderMap) -> Outcome {
        if request.contains_key(IF_MATCH) {
            if !self.matches(request, &IF_MATCH, strong) {
                return Outcome::Failed;
            }
        } else if let Some(date) = date(request, &IF_UNMODIFIED_SINCE)
            && self.seconds().is_some_and(|modified| modified > date)
        {
            return Outcome::Failed;
        }
        if request.contains_key(IF_NONE_MATCH) {
            if self.matches(request, &IF_NONE_MATCH, weak) {
                return Outcome::NotModified;
            }
        } else if let Some(date) = date(request, &IF_MODIFIED_SINCE)
            && self.seconds().is_some_and(|modified| modified <= date)
        {
            return Outcome::NotModified;
        }
        Outcome::Send
    }

    /// Whether a range is still one of what the client has (RFC 9110, section 13.1.5).
    pub(super) fn allow_range(&self, request: &HeaderMap) -> bool {
        let Some(value) = request.get(IF_RANGE) else { return true };
        let Ok(value) = value.to_str() else { return false };
        if value.starts_with('"') || value.starts_with("W/") {
            return strong(value, self.etag);
        }
        // The date has to be exactly that of Last-Modified.
        parse_date(value).is_some_and(|date| self.seconds() == Some(date))
    }

    fn matches(&self, request: &HeaderMap, name: &HeaderName, same: fn(&str, &str) -> bool) -> bool {
        request
            .get_all(name)
            .iter()
            .filter_map(|value| value.to_str().ok())
            .any(|value| value.trim() == "*" || tags(value).any(|tag| same(tag, self.etag)))
    }

    fn seconds(&self) -> Option<u64> {
        self.modified.and_then(seconds)
    }
}

fn strong(a: &str, b: &str) -> bool {
    a == b && !a.starts_with("W/")
}

fn weak(a: &str, b: &str) -> bool {
    a.strip_prefix("W/").unwrap_or(a) == b.strip_prefix("W/").unwrap_or(b)
}

/// The entity tags of a list. Commas may stand inside of the quotes.
fn tags(list: &str) -> impl Iterator<Item = &str> {
    let mut rest = list;
    std::iter::from_fn(move || {
        rest = rest.trim_start_matches([' ', '\t', ',']);
        let opaque = rest.strip_prefix("W/").unwrap_or(rest).strip_prefix('"')?;
        let start = rest.len() - opaque.len();
        let end = start + opaque.find('"')? + 1;
        let (tag, tail) = rest.split_at_checked(end)?;
        rest = tail;
        Some(tag)
    })
}

fn date(request: &HeaderMap, name: &HeaderName) -> Option<u64> {
    parse_date(request.get(name)?.to_str().ok()?)
}

fn parse_date(text: &str) -> Option<u64> {
    seconds(httpdate::parse_http_date(text).ok()?)
}

fn seconds(time: SystemTime) -> Option<u64> {
    time.duration_since(SystemTime::UNIX_EPOCH).ok().map(|since| since.as_secs())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn evaluate(fields: &[(HeaderName, &str)]) -> Outcome {
        let modified = SystemTime::UNIX_EPOCH + Duration::new(784_111_777, 5);
        let headers = fields.iter().map(|(name, value)| (name.clone(), value.parse().unwrap())).collect();
        Validators { etag: "\"a\"", modified: Some(modified) }.evaluate(&headers)
    }

    #[test]
    fn conditions() {
        let (same, later, earlier) =
            ("Sun, 06 Nov 1994 08:49:37 GMT", "Sun, 06 Nov 1994 08:49:38 GMT", "Sun, 06 Nov 1994 08:49:36 GMT");
        use Outcome::{Failed, NotModified, Send};
        for (fields, expected) in [
            (vec![], Send),
            (vec![(IF_NONE_MATCH, "\"a\"")], NotModified),
            (vec![(IF_NONE_MATCH, "\"b,\", W/\"a\"")], NotModified),
            (vec![(IF_NONE_MATCH, "*")], NotModified),
            (vec![(IF_NONE_MATCH, "\"b\"")], Send),
            (vec![(IF_NONE_MATCH, "\"b\""), (IF_MODIFIED_SINCE, later)], Send),
            (vec![(IF_MODIFIED_SINCE, same)], NotModified),
            (vec![(IF_MODIFIED_SINCE, earlier)], Send),
            (vec![(IF_MODIFIED_SINCE, "yesterday")], Send),
            (vec![(IF_MATCH, "\"a\"")], Send),
            (vec![(IF_MATCH, "W/\"a\"")], Failed),
            (vec![(IF_MATCH, "\"b\""), (IF_NONE_MATCH, "\"a\"")], Failed),
            (vec![(IF_UNMODIFIED_SINCE, same)], Send),
            (vec![(IF_UNMODIFIED_SINCE, earlier)], Failed),
        ] {
            assert_eq!(evaluate(&fields), expected, "{fields:?}");
        }
    }
}
