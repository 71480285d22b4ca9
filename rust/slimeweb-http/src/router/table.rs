//! The routing table.

use std::fmt;
use std::sync::Arc;

use http::{HeaderValue, Method};
use rustc_hash::FxHashMap;

use super::decode::DecodedPath;
use super::params::{Name, ParamKind, Params, Spans};
use super::pattern::{Pattern, Segment};

/// The methods of a route.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Methods {
    /// Every method, unless another route of the same pattern names it.
    Any,
    /// These; GET answers HEAD as well.
    These(Vec<Method>),
}

/// Two routes that match the same requests.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{methods} {new} would answer the same requests as {existing}, which was there before")]
pub struct Conflict {
    /// The pattern that was added.
    pub new: String,
    /// The pattern that was there before.
    pub existing: String,
    methods: String,
}

/// What a request's method and path lead to.
#[derive(Debug)]
pub enum Found<'a, T> {
    /// A route.
    Route {
        /// What was added for it.
        value: &'a T,
        /// The path that was matched.
        path: DecodedPath<'a>,
        /// Its parameters.
        params: Params,
    },
    /// Routes for the path, but none for the method.
    MethodNotAllowed {
        /// The methods that there are, with HEAD and OPTIONS, as the Allow field lists them (RFC 9110, section 10.2.1).
        allow: &'a HeaderValue,
        /// What was added for OPTIONS at that path.
        options: Option<&'a T>,
        /// The path that was matched.
        path: DecodedPath<'a>,
    },
    /// No route for the path.
    NotFound {
        /// The path, decoded.
        path: DecodedPath<'a>,
    },
    /// The path cannot be decoded: 400.
    BadPath,
}

/// Routes, ready to be looked up.
pub struct Router<T> {
    exact: FxHashMap<Box<str>, usize>,
    root: Node,
    leaves: Vec<Leaf<T>>,
}

impl<T> fmt::Debug for Router<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.leaves.iter().map(|leaf| &leaf.pattern)).finish()
    }
}

impl<T> Router<T> {
    /// What was added, once for each method.
    pub fn values(&self) -> impl Iterator<Item = &T> {
        self.leaves.iter().flat_map(|leaf| leaf.routes.iter().chain(&leaf.any)).map(|route| &route.value)
    }
}

/// One shape of path, with the routes for its methods.
struct Leaf<T> {
    pattern: String,
    routes: Vec<Route<T>>,
    any: Option<Route<T>>,
    allow: HeaderValue,
}

/// Names belong to the route: two methods of one shape may name their parameters differently.
struct Route<T> {
    method: Method,
    names: Option<Arc<[Name]>>,
    pattern: String,
    value: T,
}

impl<T> Leaf<T> {
    fn route(&self, method: &Method) -> Option<&Route<T>> {
        let named = |method: &Method| self.routes.iter().find(|route| route.method == *method);
        named(method).or_else(|| if method == Method::HEAD { named(&Method::GET) } else { None }).or(self.any.as_ref())
    }
}

#[derive(Default)]
struct Node {
    text: FxHashMap<Box<str>, Node>,
    params: Vec<Branch>,
    leaf: Option<usize>,
    rest: Option<usize>,
}

struct Branch {
    before: String,
    kind: ParamKind,
    after: String,
    node: Node,
}

impl Branch {
    /// Higher goes first; the sort is stable, so that equals keep the order of declaration.
    fn rank(&self) -> (usize, bool) {
        (self.before.len() + self.after.len(), self.kind != ParamKind::Str)
    }

    fn takes(&self, segment: &str) -> Option<(usize, usize)> {
        let inner = segment.strip_prefix(self.before.as_str())?.strip_suffix(self.after.as_str())?;
        let start = self.before.len();
        self.kind.matches(inner).then_some((start, start + inner.len()))
    }
}

/// Collects routes for a [`Router`].
pub struct RouterBuilder<T> {
    router: Router<T>,
}

impl<T> fmt::Debug for RouterBuilder<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.router.fmt(f)
    }
}

impl<T> Default for RouterBuilder<T> {
    fn default() -> Self {
        Self { router: Router { exact: FxHashMap::default(), root: Node::default(), leaves: Vec::new() } }
    }
}

impl<T: Clone> RouterBuilder<T> {
    /// Adds a route.
    ///
    /// # Errors
    /// [`Conflict`] when a route of the same shape has one of the methods already; the names of parameters make no
    /// difference. Nothing is added then.
    pub fn add(&mut self, methods: &Methods, pattern: &Pattern, value: T) -> Result<(), Conflict> {
        let index = self.leaf(pattern);
        let Some(leaf) = self.router.leaves.get_mut(index) else { return Ok(()) };
        let wanted = match methods {
            Methods::Any => &[][..],
            Methods::These(methods) => methods,
        };
        let clash = match methods {
            Methods::Any => leaf.any.as_ref(),
            Methods::These(methods) => leaf.routes.iter().find(|route| methods.contains(&route.method)),
        };
        if let Some(clash) = clash {
            let methods = if wanted.is_empty() { "any method".to_owned() } else { clash.method.to_string() };
            return Err(Conflict { new: pattern.to_string(), existing: clash.pattern.clone(), methods });
        }
        let names: Option<Arc<[Name]>> = (!pattern.names.is_empty()).then(|| pattern.names.clone().into());
        let route = |method: &Method| Route {
            method: method.clone(),
            names: names.clone(),
            pattern: pattern.to_string(),
            value: value.clone(),
        };
        match methods {
            Methods::Any => leaf.any = Some(route(&Method::GET)),
            Methods::These(methods) => {
                for method in methods {
                    if !leaf.routes.iter().any(|route| route.method == *method) {
                        leaf.routes.push(route(method));
                    }
                }
            }
        }
        Ok(())
    }

    /// The leaf for a pattern's shape, made where it is new.
    fn leaf(&mut self, pattern: &Pattern) -> usize {
        let Router { exact, root, leaves } = &mut self.router;
        let slot = match pattern.exact() {
            Some(path) => return *exact.entry(path.into()).or_insert_with(|| push_leaf(leaves, pattern)),
            None => root.slot(&pattern.segments),
        };
        *slot.get_or_insert_with(|| push_leaf(leaves, pattern))
    }
}

fn push_leaf<T>(leaves: &mut Vec<Leaf<T>>, pattern: &Pattern) -> usize {
    leaves.push(Leaf {
        pattern: pattern.to_string(),
        routes: Vec::new(),
        any: None,
        allow: HeaderValue::from_static("OPTIONS"),
    });
    leaves.len() - 1
}

impl<T> RouterBuilder<T> {
    /// The router. What can be computed ahead of requests is computed here.
    #[must_use]
    pub fn build(mut self) -> Router<T> {
        self.router.root.sort();
        let allows: Vec<HeaderValue> = self.router.leaves.iter().map(Leaf::allow).collect();
        for (leaf, allow) in self.router.leaves.iter_mut().zip(allows) {
            leaf.allow = allow;
        }
        self.router
    }
}

impl<T> Leaf<T> {
    fn allow(&self) -> HeaderValue {
        let mut methods: Vec<&str> = self.routes.iter().map(|route| route.method.as_str()).collect();
        if methods.contains(&"GET") && !methods.contains(&"HEAD") {
            methods.push("HEAD");
        }
        if !methods.contains(&"OPTIONS") {
            methods.push("OPTIONS");
        }
        // Methods are tokens, which every header value may hold.
        HeaderValue::from_str(&methods.join(", ")).unwrap_or_else(|_| HeaderValue::from_static("OPTIONS"))
    }
}

impl Node {
    fn slot(&mut self, segments: &[Segment]) -> &mut Option<usize> {
        let Some((segment, rest)) = segments.split_first() else { return &mut self.leaf };
        match segment {
            Segment::Text(text) => self.text.entry(text.as_str().into()).or_default().slot(rest),
            Segment::Rest => &mut self.rest,
            Segment::Param { before, kind, after } => {
                let same = |branch: &Branch| branch.before == *before && branch.kind == *kind && branch.after == *after;
                let at = self.params.iter().position(same).unwrap_or(self.params.len());
                if at == self.params.len() {
                    let (before, after) = (before.clone(), after.clone());
                    self.params.push(Branch { before, kind: *kind, after, node: Self::default() });
                }
                match self.params.get_mut(at) {
                    Some(branch) => branch.node.slot(rest),
                    None => &mut self.leaf,
                }
            }
        }
    }

    fn sort(&mut self) {
        self.params.sort_by_key(|branch| std::cmp::Reverse(branch.rank()));
        self.text.values_mut().for_each(Self::sort);
        self.params.iter_mut().for_each(|branch| branch.node.sort());
    }

    /// Visits the leaves for the path from byte `at` on, best first, until `visit` is content. Every node lies at one
    /// depth, so none is visited twice.
    fn walk(&self, path: &str, at: usize, spans: &mut Spans, visit: &mut impl FnMut(usize, &Spans) -> bool) -> bool {
        let Some(tail) = path.get(at..) else {
            // One past the end: the last segment has been taken.
            return self.leaf.is_some_and(|leaf| visit(leaf, spans));
        };
        let segment = memchr::memchr(b'/', tail.as_bytes()).and_then(|end| tail.get(..end)).unwrap_or(tail);
        let next = at + segment.len() + 1;
        if self.text.get(segment).is_some_and(|node| node.walk(path, next, spans, visit)) {
            return true;
        }
        for branch in &self.params {
            let Some((start, end)) = branch.takes(segment) else { continue };
            spans.push(span(at + start, at + end));
            if branch.node.walk(path, next, spans, visit) {
                return true;
            }
            spans.pop();
        }
        self.rest.is_some_and(|leaf| {
            spans.push(span(at, path.len()));
            let content = visit(leaf, spans);
            spans.pop();
            content
        })
    }
}

fn span(start: usize, end: usize) -> (u32, u32) {
    // hyper refuses targets longer than a u16 counts.
    let clip = |at: usize| u32::try_from(at).unwrap_or(u32::MAX);
    (clip(start), clip(end))
}

impl<T> Router<T> {
    /// A builder without routes.
    #[must_use]
    pub fn builder() -> RouterBuilder<T> {
        RouterBuilder::default()
    }

    /// Looks up a request. `raw_path` is the path as it came: percent-encoded, without the query.
    pub fn find<'a>(&'a self, method: &Method, raw_path: &'a str) -> Found<'a, T> {
        let Some(path) = DecodedPath::new(raw_path) else { return Found::BadPath };
        let mut found = None;
        let mut refusing = None;
        let mut visit = |leaf: usize, spans: &Spans| {
            let Some(leaf) = self.leaves.get(leaf) else { return false };
            match leaf.route(method) {
                Some(route) => {
                    found = Some((&route.value, Params { names: route.names.clone(), spans: spans.clone() }));
                    true
                }
                None => {
                    refusing.get_or_insert(leaf);
                    false
                }
            }
        };
        let mut spans = Spans::new();
        let exact = self.exact.get(&*path).is_some_and(|leaf| visit(*leaf, &spans));
        // `*` (OPTIONS) and the empty path (CONNECT) are no paths.
        if !exact && path.starts_with('/') {
            self.root.walk(&path, 1, &mut spans, &mut visit);
        }
        match (found, refusing) {
            (Some((value, params)), _) => Found::Route { value, path, params },
            (None, Some(leaf)) => Found::MethodNotAllowed {
                allow: &leaf.allow,
                options: leaf.route(&Method::OPTIONS).map(|route| &route.value),
                path,
            },
            (None, None) => Found::NotFound { path },
        }
    }
}

#[cfg(test)]
mod tests {
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
        match router.find(&method.parse().unwrap(), path) {
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
}
