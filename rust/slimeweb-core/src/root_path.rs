//! `serve(root_path=…)`: where a proxy has the application.

use http::Uri;
use http::uri::PathAndQuery;

/// Takes `root` off a target's path, where that is `root` or below it: some proxies do so themselves.
pub(crate) fn take_off(root: &str, uri: &mut Uri) {
    let Some(rest) = uri.path_and_query().and_then(|target| target.as_str().strip_prefix(root)) else { return };
    let target = match rest.as_bytes().first() {
        Some(b'/') => PathAndQuery::try_from(rest),
        None | Some(b'?') => PathAndQuery::try_from(format!("/{rest}")),
        Some(_) => return,
    };
    let Ok(target) = target else { return };
    let mut parts = uri.clone().into_parts();
    parts.path_and_query = Some(target);
    if let Ok(made) = Uri::from_parts(parts) {
        *uri = made;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_root_is_taken_off_where_it_is_there() {
        for (target, expected) in [
            ("/app", "/"),
            ("/app?x=1", "/?x=1"),
            ("/app/", "/"),
            ("/app/users?x=/app", "/users?x=/app"),
            ("/app//users", "//users"),
            ("/apple", "/apple"),
            ("/users", "/users"),
            ("/", "/"),
            ("https://example.com/app/users", "https://example.com/users"),
        ] {
            let mut uri = target.parse().unwrap();
            take_off("/app", &mut uri);
            assert_eq!(uri.to_string(), expected, "{target}");
        }
    }
}
