//! What is wrong with the head of a request, beyond what hyper and h2 refuse.

use http::header::{COOKIE, HOST};
use http::{HeaderMap, HeaderValue, Request, Uri};
use hyper::body::Incoming;

use super::framing::{HeadError, MethodKind, is_host};

/// What is wrong with a target in absolute form, or with that of CONNECT (RFC 9112, section 3.2).
#[cold]
pub(super) fn http1_target_error(uri: &Uri, method_kind: MethodKind) -> Option<HeadError> {
    if method_kind == MethodKind::Connect {
        return (!uri.path().is_empty()).then_some(HeadError::BadTarget);
    }
    if !is_http(uri) {
        return Some(HeadError::BadScheme);
    }
    // Without user information (RFC 9110, section 4.2.4).
    uri.authority().is_some_and(|authority| !is_host(authority.as_str().as_bytes())).then_some(HeadError::BadHost)
}

fn is_http(uri: &Uri) -> bool {
    // Of any case (RFC 3986, section 3.1).
    uri.scheme_str().is_none_or(|scheme| ["http", "https"].iter().any(|name| scheme.eq_ignore_ascii_case(name)))
}

/// What is wrong with the target of an HTTP/2 request, by the rules that HTTP/1.1 has for its own (RFC 9113, section
/// 8.3.1).
pub(super) fn http2_target_error(request: &Request<Incoming>) -> Option<HeadError> {
    let uri = request.uri();
    if !is_http(uri) {
        return Some(HeadError::BadScheme);
    }
    if uri.path_and_query().is_some_and(|target| target.as_str().starts_with('?')) {
        return Some(HeadError::BadTarget);
    }
    let mut hosts = request.headers().get_all(HOST).iter();
    let host = hosts.next().map(HeaderValue::as_bytes);
    if hosts.next().is_some() {
        return Some(HeadError::SeveralHosts);
    }
    let authority = uri.authority().map(|authority| authority.as_str().as_bytes());
    if [host, authority].into_iter().flatten().any(|value| !is_host(value)) {
        return Some(HeadError::BadHost);
    }
    match (host, authority) {
        (None, None) => Some(HeadError::NoHost),
        (Some(host), Some(authority)) => {
            let port = default_port(uri);
            let (host, authority) = (without_port(host, port), without_port(authority, port));
            (!host.eq_ignore_ascii_case(authority)).then_some(HeadError::HostIsNotAuthority)
        }
        _ => None,
    }
}

/// The port that a host may be without: that of the scheme, as the end of a host.
fn default_port(uri: &Uri) -> &'static [u8] {
    if uri.scheme_str().is_some_and(|scheme| scheme.eq_ignore_ascii_case("http")) { b":80" } else { b":443" }
}

/// A host without that port, or without an empty one (RFC 3986, section 6.2.3).
fn without_port<'a>(host: &'a [u8], port: &[u8]) -> &'a [u8] {
    host.strip_suffix(port).or_else(|| host.strip_suffix(b":")).unwrap_or(host)
}

/// The fields of a head, as HTTP/1.1 would have sent them: HTTP/2 lets a client send each cookie apart (RFC 9113,
/// section 8.2.3).
pub(super) fn fields(headers: &HeaderMap) -> usize {
    headers.len() - headers.get_all(COOKIE).iter().count().saturating_sub(1)
}

/// The size of a head in bytes, as HTTP/2 counts it (RFC 9113, section 6.5.2).
pub(super) fn list_size(request: &Request<Incoming>) -> usize {
    const FIELD: usize = 32;
    const PSEUDO: usize = 4 * FIELD + ":method:scheme:authority:path".len();
    let uri = request.uri();
    let target = uri.path_and_query().map_or(0, |target| target.as_str().len());
    let authority = uri.authority().map_or(0, |authority| authority.as_str().len());
    let line = request.method().as_str().len() + uri.scheme_str().map_or(0, str::len) + authority + target + PSEUDO;
    let fields = request.headers().iter().map(|(name, value)| name.as_str().len() + value.len() + FIELD);
    line + fields.sum::<usize>()
}
