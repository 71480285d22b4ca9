//! Puts a router together.

use std::fmt;
use std::sync::Arc;

use http::{HeaderValue, Method};
use rustc_hash::FxHashMap;

use super::leaf::{Leaf, Methods, Route};
use super::params::Name;
use super::pattern::Pattern;
use super::table::Router;
use super::tree::Node;

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

impl<T> Router<T> {
    /// A builder without routes.
    #[must_use]
    pub fn builder() -> RouterBuilder<T> {
        RouterBuilder::default()
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
