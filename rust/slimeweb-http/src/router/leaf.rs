//! What is at the end of a path: the routes for its methods.

use std::sync::Arc;

use http::{HeaderValue, Method};

use super::params::Name;

/// The methods of a route.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Methods {
    /// Every method, unless another route of the same pattern names it.
    Any,
    /// These; GET answers HEAD as well.
    These(Vec<Method>),
}

/// One shape of path, with the routes for its methods.
pub(super) struct Leaf<T> {
    pub(super) pattern: String,
    pub(super) routes: Vec<Route<T>>,
    pub(super) any: Option<Route<T>>,
    pub(super) allow: HeaderValue,
}

/// Names belong to the route: two methods of one shape may name their parameters differently.
pub(super) struct Route<T> {
    pub(super) method: Method,
    pub(super) names: Option<Arc<[Name]>>,
    pub(super) pattern: String,
    pub(super) value: T,
}

impl<T> Leaf<T> {
    pub(super) fn route(&self, method: &Method) -> Option<&Route<T>> {
        let named = |method: &Method| self.routes.iter().find(|route| route.method == *method);
        named(method).or_else(|| if method == Method::HEAD { named(&Method::GET) } else { None }).or(self.any.as_ref())
    }

    /// The methods as the Allow field lists them.
    pub(super) fn allow(&self) -> HeaderValue {
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
