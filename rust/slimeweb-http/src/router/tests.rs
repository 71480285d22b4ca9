use super::*;

fn router(routes: &[(&str, &str)]) -> Router<String> {
    let mut builder = Router::builder();
    for (method, pattern) in routes {
        add(&mut builder, method, pattern).unwrap();
    }
    builder.build()
}

fn add(builder: &mut RouterBuilder<String>, method: &str, pattern: &str) -> Result<(), Conflict> {
    let methods = if method == "*" { Methods::Any } else { Methods::These(vec![method.parse().unwrap()]) };
    builder.add(&methods, &Pattern::parse(pattern).unwrap(), format!("{method} {pattern}"))
}

/// The route found with its parameters, or what was found instead.
fn look(router: &Router<String>, method: &str, path: &str) -> String {
    described(router.find(&method.parse().unwrap(), path))
}

fn described(found: Found<'_, String>) -> String {
    match found {
        Found::Route { value, path, params } => {
            params.iter(&path).fold(value.clone(), |line, (name, _, value)| format!("{line} {name}={value}"))
        }
        Found::MethodNotAllowed { allow, .. } => format!("405 {}", allow.to_str().unwrap()),
        Found::NotFound { .. } => "404".into(),
        Found::BadPath => "400".into(),
    }
}

#[test]
fn the_most_specific_route_wins() {
    let router = router(&[
        ("GET", "/"),
        ("GET", "/{*rest}"),
        ("GET", "/users/me"),
        ("GET", "/users/{name}"),
        ("GET", "/users/{id:int}"),
        ("GET", "/users/{id:uuid}/x"),
        ("GET", "/users/{name}/y"),
        ("GET", "/img-{n:int}.png"),
        ("GET", "/img-{n}"),
    ]);
    for (path, expected) in [
        ("/", "GET /"),
        ("/users/me", "GET /users/me"),
        ("/users/7", "GET /users/{id:int} id=7"),
        ("/users/joe", "GET /users/{name} name=joe"),
        ("/users/7/y", "GET /users/{name}/y name=7"),
        ("/users/7/x", "GET /{*rest} rest=users/7/x"),
        ("/users/", "GET /{*rest} rest=users/"),
        ("/img-7.png", "GET /img-{n:int}.png n=7"),
        ("/img-x.png", "GET /img-{n} n=x.png"),
        ("/a//b", "GET /{*rest} rest=a//b"),
    ] {
        assert_eq!(look(&router, "GET", path), expected, "{path}");
    }
}

#[test]
fn a_rest_may_be_empty_but_needs_its_slash() {
    let router = router(&[("GET", "/files/{*rest}")]);
    assert_eq!(look(&router, "GET", "/files/"), "GET /files/{*rest} rest=");
    assert_eq!(look(&router, "GET", "/files"), "404");
}

#[test]
fn methods_fall_through_to_the_route_that_has_them() {
    let router = router(&[
        ("GET", "/a"),
        ("POST", "/{name}"),
        ("PUT", "/{id:int}"),
        ("*", "/any"),
        ("DELETE", "/any"),
        ("PATCH", "/p"),
    ]);
    assert_eq!(look(&router, "HEAD", "/a"), "GET /a");
    assert_eq!(look(&router, "POST", "/a"), "POST /{name} name=a");
    assert_eq!(look(&router, "PUT", "/a"), "405 GET, HEAD, OPTIONS");
    assert_eq!(look(&router, "POST", "/5"), "POST /{name} name=5");
    assert_eq!(look(&router, "DELETE", "/any"), "DELETE /any");
    assert_eq!(look(&router, "BREW", "/any"), "* /any");
    assert_eq!(look(&router, "GET", "/p"), "405 PATCH, OPTIONS");
    assert_eq!(look(&router, "OPTIONS", "*"), "404");
}

#[test]
fn a_preflight_goes_to_the_path_that_has_the_method() {
    let router = router(&[
        ("GET", "/old/a"),
        ("OPTIONS", "/old/a"),
        ("PUT", "/old/b"),
        ("*", "/old/{*rest}"),
        ("PATCH", "/only"),
        ("OPTIONS", "/only"),
    ]);
    for (asked, path, expected) in [
        ("GET", "/old/a", "OPTIONS /old/a"),
        ("HEAD", "/old/a", "OPTIONS /old/a"),
        ("POST", "/old/a", "* /old/{*rest} rest=a"),
        ("PUT", "/old/b", "* /old/{*rest} rest=b"),
        ("PATCH", "/only", "OPTIONS /only"),
        ("GET", "/only", "OPTIONS /only"),
        ("GET", "/nothing", "404"),
    ] {
        let found = described(router.find_preflight(&asked.parse().unwrap(), path));
        assert_eq!(found, expected, "{asked} {path}");
    }
}

#[test]
fn encoded_slashes_separate_nothing() {
    let router = router(&[("GET", "/{a}/x"), ("GET", "/é/{b}"), ("GET", "/100%")]);
    assert_eq!(look(&router, "GET", "/100%25"), "GET /100%");
    assert_eq!(look(&router, "GET", "/1%2f2%25/x"), "GET /{a}/x a=1/2%");
    assert_eq!(look(&router, "GET", "/%C3%A9/%20"), "GET /é/{b} b= ");
    assert_eq!(look(&router, "GET", "/%zz"), "400");
}

#[test]
fn conflicts_name_both() {
    let mut builder = RouterBuilder::default();
    for (method, pattern) in
        [("GET", "/{a}"), ("POST", "/{b}"), ("GET", "/{a:int}"), ("GET", "/x"), ("*", "/x"), ("GET", "/{*r}")]
    {
        add(&mut builder, method, pattern).unwrap();
    }
    for (method, pattern, existing) in
        [("GET", "/{b}", "/{a}"), ("GET", "/x", "/x"), ("*", "/x", "/x"), ("GET", "/{p:path}", "/{*r}")]
    {
        let conflict = add(&mut builder, method, pattern).unwrap_err();
        assert_eq!((conflict.new.as_str(), conflict.existing.as_str()), (pattern, existing));
    }
}
