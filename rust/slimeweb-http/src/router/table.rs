//! The routing table: what a method and a path lead to.

use std::fmt;

use http::{HeaderValue, Method};
use rustc_hash::FxHashMap;

use super::leaf::{Leaf, Route};
use super::params::{Params, Spans};
use super::path::DecodedPath;
use super::tree::Node;

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
    pub(super) exact: FxHashMap<Box<str>, usize>,
    pub(super) root: Node,
    pub(super) leaves: Vec<Leaf<T>>,
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

    /// Looks up a request. `raw_path` is the path as it came: percent-encoded, without the query.
    pub fn find<'a>(&'a self, method: &Method, raw_path: &'a str) -> Found<'a, T> {
        self.find_by(raw_path, |leaf| leaf.route(method))
    }

    /// Looks up an OPTIONS request that asks whether a request with the method `asked` may be sent (Fetch, section 4.8):
    /// it goes to the OPTIONS of the path that request would go to.
    pub fn find_preflight<'a>(&'a self, asked: &Method, raw_path: &'a str) -> Found<'a, T> {
        match self.find_by(raw_path, |leaf| leaf.route(asked).and_then(|_| leaf.route(&Method::OPTIONS))) {
            found @ Found::Route { .. } => found,
            _ => self.find(&Method::OPTIONS, raw_path),
        }
    }

    /// Looks up the best route that `choose` finds in a leaf.
    fn find_by<'a>(&'a self, raw_path: &'a str, choose: impl Fn(&'a Leaf<T>) -> Option<&'a Route<T>>) -> Found<'a, T> {
        let Some(path) = DecodedPath::new(raw_path) else { return Found::BadPath };
        let mut found = None;
        let mut refusing = None;
        let mut visit = |leaf: usize, spans: &Spans| {
            let Some(leaf) = self.leaves.get(leaf) else { return false };
            match choose(leaf) {
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
