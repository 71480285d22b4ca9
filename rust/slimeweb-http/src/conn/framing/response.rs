//! What of a response frames it on its connection. The server alone decides that, for both versions of HTTP.

use http::header::{
    CONNECTION, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, TE, TRAILER, TRANSFER_ENCODING, UPGRADE,
};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Response, StatusCode};
use http_body::Body as _;

use crate::body::Body;

/// What of a request decides on the framing of its response.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum MethodKind {
    Head,
    Connect,
    Other,
}

impl MethodKind {
    pub(crate) fn of(method: &Method) -> Self {
        match *method {
            Method::HEAD => Self::Head,
            Method::CONNECT => Self::Connect,
            _ => Self::Other,
        }
    }
}

const KEEP_ALIVE: HeaderName = HeaderName::from_static("keep-alive");
const PROXY_CONNECTION: HeaderName = HeaderName::from_static("proxy-connection");

/// Bit n: a name of n bytes may be one that this module handles. Saves most responses the comparisons.
const LENGTHS: u32 = 1 << "te".len()
    | 1 << "upgrade".len()
    | 1 << "connection".len()
    | 1 << "content-length".len()
    | 1 << "proxy-connection".len()
    | 1 << "transfer-encoding".len();

fn may_frame(name: &HeaderName) -> bool {
    let length = name.as_str().len();
    length < 32 && LENGTHS >> length & 1 == 1
}

/// Takes the content from a response that may have none, and makes its fields true: a Content-Length is that of the
/// body, fields that are between two hops (RFC 9110, section 7.6.1) go.
///
/// Returns the bytes that the body has to have where that has to be checked while it is sent: for a stream with a
/// Content-Length.
pub(crate) fn finalize(response: &mut Response<Body>, method_kind: MethodKind, multiplexed: bool) -> Option<u64> {
    let has_content = method_kind == MethodKind::Other && !is_without_content(response.status());
    if has_content && !response.headers().keys().any(may_frame) {
        return None;
    }
    finalize_fields(response, method_kind, multiplexed)
}

/// Whether responses of that status have no content (RFC 9110, sections 15.2, 15.3.5, 15.3.6 and 15.4.5).
#[must_use]
pub fn is_without_content(status: StatusCode) -> bool {
    matches!(status, StatusCode::NO_CONTENT | StatusCode::RESET_CONTENT | StatusCode::NOT_MODIFIED)
        || status.is_informational()
}

#[cold]
fn finalize_fields(response: &mut Response<Body>, method_kind: MethodKind, multiplexed: bool) -> Option<u64> {
    let (status, size) = (response.status(), response.body().size_hint().exact());
    let headers = response.headers_mut();
    let declared = declared_length(headers);
    headers.remove(CONTENT_LENGTH);
    remove_hop_by_hop(headers, status, multiplexed);
    if is_without_content(status) {
        // They describe content. A cache would take those of a 304 for its stored answer's (RFC 9111, section 3.2).
        for name in [CONTENT_TYPE, CONTENT_ENCODING, CONTENT_RANGE] {
            headers.remove(name);
        }
    }
    let upgraded = method_kind == MethodKind::Connect && status.is_success();
    let (length, has_content) = match method_kind {
        _ if status == StatusCode::RESET_CONTENT => (Some(0), false),
        _ if upgraded || is_without_content(status) => (None, false),
        // What a GET would have had (RFC 9110, section 9.3.2). An empty body is one that was left out.
        MethodKind::Head => (size.filter(|size| *size > 0).or(declared), false),
        MethodKind::Connect | MethodKind::Other => {
            (declared.filter(|length| size.is_none_or(|size| size == *length)), true)
        }
    };
    if let Some(length) = length {
        headers.insert(CONTENT_LENGTH, HeaderValue::from(length));
    }
    if has_content {
        return length.filter(|_| size.is_none());
    }
    *response.body_mut() = Body::empty();
    None
}

/// The Content-Length, where it is one: digits, and the same in all lines.
fn declared_length(headers: &HeaderMap) -> Option<u64> {
    let mut values = headers.get_all(CONTENT_LENGTH).iter().map(|value| {
        let text = value.to_str().ok()?;
        // `parse` would take a sign.
        text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse::<u64>().ok()).flatten()
    });
    let first = values.next()??;
    values.all(|value| value == Some(first)).then_some(first)
}

fn remove_hop_by_hop(headers: &mut HeaderMap, status: StatusCode, multiplexed: bool) {
    for name in [TRANSFER_ENCODING, KEEP_ALIVE, PROXY_CONNECTION, TE, TRAILER] {
        headers.remove(name);
    }
    if multiplexed {
        headers.remove(CONNECTION);
        headers.remove(UPGRADE);
    } else if status != StatusCode::SWITCHING_PROTOCOLS
        && (headers.contains_key(CONNECTION) || headers.contains_key(UPGRADE))
    {
        let names = |wanted: &str| {
            let mut options = headers.get_all(CONNECTION).iter().filter_map(|value| value.to_str().ok());
            options.any(|value| value.split(',').any(|option| option.trim().eq_ignore_ascii_case(wanted)))
        };
        // Upgrade is for this connection alone, which has to be said with it (RFC 9110, section 7.8).
        let (closes, upgrades) = (names("close"), headers.contains_key(UPGRADE));
        let options = match (closes, upgrades) {
            (true, true) => "close, upgrade",
            (true, false) => "close",
            (false, true) => "upgrade",
            (false, false) => {
                headers.remove(CONNECTION);
                return;
            }
        };
        headers.insert(CONNECTION, HeaderValue::from_static(options));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finalized(
        status: u16,
        fields: &[(&str, &str)],
        body: Body,
        method_kind: MethodKind,
        multiplexed: bool,
    ) -> Finalized {
        let mut response = Response::new(body);
        *response.status_mut() = StatusCode::from_u16(status).unwrap();
        for (name, value) in fields {
            response.headers_mut().append(HeaderName::try_from(*name).unwrap(), value.parse().unwrap());
        }
        let promised = finalize(&mut response, method_kind, multiplexed);
        let fields = response.headers().iter();
        let fields = fields.map(|(name, value)| format!("{name}: {}", value.to_str().unwrap())).collect();
        Finalized { fields, size: response.body().size_hint().exact(), promised }
    }

    #[derive(Debug, PartialEq)]
    struct Finalized {
        fields: Vec<String>,
        size: Option<u64>,
        promised: Option<u64>,
    }

    #[test]
    fn a_length_is_that_of_the_body_or_goes() {
        for (values, kept) in [
            (&["5"][..], true),
            (&["5", "5"], true),
            (&["3"], false),
            (&["50"], false),
            (&["+5"], false),
            (&["abc"], false),
            (&[""], false),
            (&["5", "3"], false),
        ] {
            let fields: Vec<_> = values.iter().map(|value| ("content-length", *value)).collect();
            let finalized = finalized(200, &fields, Body::full("hello"), MethodKind::Other, false);
            let expected = if kept { vec!["content-length: 5".to_owned()] } else { vec![] };
            assert_eq!(finalized, Finalized { fields: expected, size: Some(5), promised: None }, "{values:?}");
        }
    }

    #[test]
    fn a_stream_has_to_keep_to_its_length() {
        let (_sender, body) = Body::channel(1);
        assert_eq!(finalized(200, &[("content-length", "7")], body, MethodKind::Other, true).promised, Some(7));
        let (_sender, body) = Body::channel(1);
        let nonsense = finalized(200, &[("content-length", "x")], body, MethodKind::Other, true);
        assert_eq!(nonsense, Finalized { fields: vec![], size: None, promised: None });
    }

    #[test]
    fn some_answers_have_no_content() {
        for (status, method_kind, declared, expected) in [
            (200, MethodKind::Head, None, Some("content-length: 5")),
            (404, MethodKind::Head, Some("9"), Some("content-length: 5")),
            (204, MethodKind::Other, Some("5"), None),
            (204, MethodKind::Head, None, None),
            (205, MethodKind::Other, None, Some("content-length: 0")),
            (304, MethodKind::Other, Some("5"), None),
            (304, MethodKind::Head, None, None),
            (103, MethodKind::Other, None, None),
        ] {
            let mut fields: Vec<_> = declared.iter().map(|value| ("content-length", *value)).collect();
            if is_without_content(StatusCode::from_u16(status).unwrap()) {
                fields.extend([("content-type", "text/plain"), ("content-encoding", "gzip")]);
            }
            for multiplexed in [false, true] {
                let finalized = finalized(status, &fields, Body::full("hello"), method_kind, multiplexed);
                let expected = expected.into_iter().map(str::to_owned).collect();
                assert_eq!(
                    finalized,
                    Finalized { fields: expected, size: Some(0), promised: None },
                    "{status} {method_kind:?}"
                );
            }
        }
        let empty = finalized(200, &[("content-length", "12")], Body::empty(), MethodKind::Head, false);
        assert_eq!(empty.fields, ["content-length: 12"]);
    }

    #[test]
    fn fields_between_two_hops_go() {
        let fields = [
            ("transfer-encoding", "gzip, chunked"),
            ("keep-alive", "timeout=5"),
            ("proxy-connection", "keep-alive"),
            ("trailer", "x-sum"),
            ("x-kept", "1"),
        ];
        for multiplexed in [false, true] {
            assert_eq!(finalized(200, &fields, Body::full("x"), MethodKind::Other, multiplexed).fields, ["x-kept: 1"]);
        }
        for (sent, expected) in [
            ("keep-alive", None),
            ("Close", Some("connection: close")),
            ("x-kept, close", Some("connection: close")),
            ("upgrade", None),
        ] {
            let finalized = finalized(200, &[("connection", sent)], Body::full("x"), MethodKind::Other, false);
            assert_eq!(finalized.fields.first().map(String::as_str), expected, "{sent}");
        }
        let upgrade = [("connection", "Upgrade"), ("upgrade", "websocket")];
        assert_eq!(
            finalized(426, &upgrade, Body::full("x"), MethodKind::Other, false).fields,
            ["connection: upgrade", "upgrade: websocket"]
        );
        assert_eq!(
            finalized(426, &[("upgrade", "toy/1")], Body::full("x"), MethodKind::Other, false).fields,
            ["upgrade: toy/1", "connection: upgrade"]
        );
        assert!(finalized(426, &upgrade, Body::full("x"), MethodKind::Other, true).fields.is_empty());
    }
}
