//! The target of one request: what is wrong with it for h2, and how it gets into the request all the same.

use http::uri::PathAndQuery;
use http::{HeaderName, Request, Uri};
use memchr::memchr;
use tokio_rustls::rustls::crypto::ring::default_provider;

use super::super::framing::{HeadError, percent_encoded, raw_places};

/// The longest target that `http` takes, in bytes.
const LONGEST: usize = u16::MAX as usize - 1;

/// A name for the field that nobody can guess; None where the system gives no random bytes.
pub(super) fn field_name() -> Option<HeaderName> {
    let mut secret = [0; 16];
    default_provider().secure_random.fill(&mut secret).ok()?;
    HeaderName::from_bytes(format!("target-{:032x}", u128::from_be_bytes(secret)).as_bytes()).ok()
}

/// Whether that byte may be anywhere in a target. Where `http` may refuse it, or ends the target at it (`#`), `restore`
/// will see.
pub(super) fn is_harmless(byte: u8) -> bool {
    matches!(byte, b'!' | b'$'..=b';' | b'=' | b'?'..=b'_' | b'a'..=b'~')
}

/// Whether h2 takes a target that begins with that byte: a path, or the `*` of OPTIONS.
pub(super) fn is_beginning(byte: u8) -> bool {
    matches!(byte, b'/' | b'*')
}

/// A target that h2 takes, as long as `target`.
pub(super) fn harmless(target: &[u8]) -> impl Iterator<Item = u8> {
    let path = target.iter().skip(1).map(|byte| if is_harmless(*byte) { *byte } else { b'_' });
    target.first().map(|_| b'/').into_iter().chain(path)
}

/// The value of the field that hands on a target: its query in percent-encoding, as over HTTP/1.1. What is too long for
/// `restore` is cut off.
pub(super) fn encoded(target: &[u8]) -> Vec<u8> {
    let path = memchr(b'?', target).unwrap_or(target.len());
    let places = raw_places(target.get(path..).unwrap_or_default()).map(|at| path + at);
    let mut encoded = percent_encoded(target, places);
    // No field holds a control character, and no target a space.
    encoded.truncate(LONGEST + 1);
    encoded.iter_mut().filter(|byte| byte.is_ascii_control()).for_each(|byte| *byte = b' ');
    encoded
}

/// Puts the target into the request that the field `name` hands on, if there is one, and takes the field off.
pub(crate) fn restore<B>(request: &mut Request<B>, name: &HeaderName) -> Option<HeadError> {
    let target = request.headers_mut().remove(name)?;
    if target.len() > LONGEST {
        return Some(HeadError::HeadTooLarge);
    }
    if memchr(b'#', target.as_bytes()).is_some() {
        return Some(HeadError::Fragment);
    }
    if !target.as_bytes().starts_with(b"/") {
        return Some(HeadError::BadTarget);
    }
    let mut parts = request.uri().clone().into_parts();
    parts.path_and_query = PathAndQuery::try_from(target.as_bytes()).ok();
    match parts.path_and_query.is_some().then(|| Uri::from_parts(parts)) {
        Some(Ok(uri)) => {
            *request.uri_mut() = uri;
            None
        }
        _ => Some(HeadError::RawTarget),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn restored(target: &[u8]) -> Result<String, HeadError> {
        let name = HeaderName::from_static("x");
        let mut request = Request::get("https://a/_").header(&name, encoded(target)).body(()).unwrap();
        let error = restore(&mut request, &name);
        assert!(request.headers().is_empty());
        error.map_or_else(|| Ok(request.uri().to_string()), Err)
    }

    #[test]
    fn queries_are_encoded_and_the_rest_has_to_be_valid() {
        assert_eq!(restored(b"/?f={\"a\":<\xe9>}").unwrap(), "https://a/?f={%22a%22:%3C%E9%3E}");
        assert_eq!(restored("/é\"?é`".as_bytes()).unwrap(), "https://a/é\"?%C3%A9`");
        for target in [&b"/<"[..], b"/\xe9", b"/`", b"/ ", b"/?a b", b"/?\0"] {
            assert_eq!(restored(target), Err(HeadError::RawTarget), "{target:x?}");
        }
        for target in [&b"\""[..], b"", b"a", b"?a", b"http://a/", b"*/"] {
            assert_eq!(restored(target), Err(HeadError::BadTarget), "{target:x?}");
        }
        for target in [&b"#"[..], b"/#a", b"/?a#\xe9", b"/#\0", b"/?#\""] {
            assert_eq!(restored(target), Err(HeadError::Fragment), "{target:x?}");
        }
        assert_eq!(restored(&[b"/?", &[b'"'; LONGEST / 3 + 1][..]].concat()), Err(HeadError::HeadTooLarge));
    }

    #[test]
    fn what_is_harmless_is_a_target_in_path_and_query() {
        for byte in 0..=255u8 {
            let target = [b"/a", &[byte][..], b"?b", &[byte]].concat();
            let harmless: Vec<u8> = harmless(&target).collect();
            assert_eq!(harmless.len(), target.len());
            PathAndQuery::try_from(&harmless[..]).unwrap();
            assert_eq!(harmless == target, is_harmless(byte));
            assert_eq!(super::harmless(&[byte]).collect::<Vec<u8>>(), b"/");
        }
    }
}
