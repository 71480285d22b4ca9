//! From a method and a path to a route.
//!
//! A pattern is a path whose segments may hold one parameter each, with text around it:
//!
//! | pattern | matches | |
//! |---|---|---|
//! | `/about` | itself alone: `/about/` is another path | |
//! | `/users/{id}`, `/users/{id:str}` | one segment, not an empty one | |
//! | `/users/{id:int}` | `-?[0-9]+`, of any length | other text: not this route |
//! | `/x/{v:float}` | `-?[0-9]+(.[0-9]+)?` | |
//! | `/x/{v:uuid}` | 8-4-4-4-12 hexadecimal digits | |
//! | `/img-{id}.png` | text before and after | |
//! | `/files/{*rest}`, `/files/{rest:path}` | everything below `/files/`, `/files/` itself included (`rest` is empty), but not `/files` | last segment only |
//!
//! `{{` and `}}` stand for braces. What a path can match, in order: the exact path; per segment from left to right, fixed text
//! before parameters, longer text around a parameter before shorter, typed parameters before plain ones, and among equals
//! the order of declaration; a rest last. A route that matches but lacks the method gives way to a later one that has it.

mod builder;
mod leaf;
mod params;
mod path;
mod pattern;
mod table;
#[cfg(test)]
mod tests;
mod tree;

pub use builder::{Conflict, RouterBuilder};
pub use leaf::Methods;
pub use params::{ParamKind, Params};
pub use path::DecodedPath;
pub use pattern::{Pattern, PatternError, PatternPart};
pub use table::{Found, Router};
