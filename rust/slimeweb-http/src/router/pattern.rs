//! The syntax of path patterns.

use std::borrow::Cow;
use std::fmt;

use super::params::{Name, ParamKind};

/// A parsed path pattern; see the [module](super) for the syntax.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pattern {
    text: String,
    pub(super) segments: Vec<Segment>,
    pub(super) names: Vec<Name>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Segment {
    Text(String),
    Param { before: String, kind: ParamKind, after: String },
    Rest,
}

/// What stands between two slashes of a pattern: text, or one parameter with text before and after it. Braces that are
/// text stand there once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PatternPart<'a> {
    /// The text before the parameter; all of it where there is none.
    pub before: Cow<'a, str>,
    /// The parameter's name and kind.
    pub param: Option<(&'a str, ParamKind)>,
    /// The text behind the parameter.
    pub after: Cow<'a, str>,
}

/// Text of a segment as the pattern has it, where a percent sign stands for itself.
fn written(text: &str) -> Cow<'_, str> {
    if text.contains('%') { text.replace("%25", "%").into() } else { text.into() }
}

/// What is wrong with a pattern.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the path {pattern:?} is not valid: {reason}")]
pub struct PatternError {
    pattern: String,
    reason: String,
}

impl PatternError {
    /// What is wrong, without the pattern itself.
    #[must_use]
    pub fn reason(&self) -> &str {
        &self.reason
    }
}

impl Pattern {
    /// Parses a pattern such as `/users/{id:int}/{*rest}`.
    ///
    /// # Errors
    /// [`PatternError`], which says what to write instead.
    pub fn parse(text: &str) -> Result<Self, PatternError> {
        parse(text).map_err(|reason| PatternError { pattern: text.to_owned(), reason })
    }

    /// The pattern as it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The names of its parameters with their kinds, from left to right.
    pub fn params(&self) -> impl Iterator<Item = (&str, ParamKind)> {
        self.names.iter().map(|name| (&*name.name, name.kind))
    }

    /// What stands between its slashes, from left to right.
    pub fn parts(&self) -> impl Iterator<Item = PatternPart<'_>> {
        let mut names = self.params();
        self.segments.iter().map(move |segment| {
            let (before, after) = match segment {
                Segment::Text(text) => return PatternPart { before: written(text), param: None, after: "".into() },
                Segment::Param { before, after, .. } => (before.as_str(), after.as_str()),
                Segment::Rest => ("", ""),
            };
            PatternPart { before: written(before), param: names.next(), after: written(after) }
        })
    }

    /// The one path that it matches, where it has no parameters.
    pub(super) fn exact(&self) -> Option<String> {
        let mut path = String::new();
        for segment in &self.segments {
            let Segment::Text(text) = segment else { return None };
            path.push('/');
            path.push_str(text);
        }
        Some(path)
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

fn parse(text: &str) -> Result<Pattern, String> {
    let Some(rest) = text.strip_prefix('/') else { return Err("it does not start with '/', a slash".to_owned()) };
    if let Some(bad) = text.chars().find(|c| c.is_ascii_control() || matches!(c, '?' | '#')) {
        let advice = if bad.is_ascii_control() {
            ""
        } else {
            ", it begins a query or a fragment: a route is matched by its path alone, see req.query"
        };
        return Err(format!("{bad:?} is never part of a request's path{advice}"));
    }
    if text.contains(['<', '>']) {
        return Err("a parameter is written {name} or {name:int}, not <name>".to_owned());
    }
    if text.ends_with("/*") {
        return Err("what is left of a path is written {*rest}, not *".to_owned());
    }
    let mut pattern = Pattern { text: text.to_owned(), segments: Vec::new(), names: Vec::new() };
    for part in rest.split('/') {
        if pattern.segments.last() == Some(&Segment::Rest) {
            return Err("a parameter that takes the rest of the path has to come last".to_owned());
        }
        let segment = parse_segment(part, &mut pattern.names)?;
        pattern.segments.push(segment);
    }
    Ok(pattern)
}

fn parse_segment(part: &str, names: &mut Vec<Name>) -> Result<Segment, String> {
    let (before, declared, rest) = split_text(part)?;
    // As a decoded path has it.
    let before = before.replace('%', "%25");
    let Some(declaration) = declared else { return Ok(Segment::Text(before)) };
    let (after, second, _) = split_text(rest)?;
    let after = after.replace('%', "%25");
    if second.is_some() {
        return Err(format!("{part:?} holds two parameters; a segment between two slashes can hold one"));
    }
    let (name, kind) = parse_param(declaration)?;
    if names.iter().any(|other| &*other.name == name) {
        return Err(format!("it has two parameters named {name:?}: a name occurs twice"));
    }
    names.push(Name { name: name.into(), kind });
    if kind != ParamKind::Path {
        return Ok(Segment::Param { before, kind, after });
    }
    if before.is_empty() && after.is_empty() {
        Ok(Segment::Rest)
    } else {
        Err(format!("{{{declaration}}} takes the rest of the path, so text cannot be beside it"))
    }
}

/// Text up to a parameter, what is between that one's braces, and what follows.
fn split_text(part: &str) -> Result<(String, Option<&str>, &str), String> {
    let mut text = String::new();
    let mut rest = part;
    while let Some(at) = rest.find(['{', '}']) {
        let (plain, tail) = rest.split_at(at);
        text.push_str(plain);
        if let Some(tail) = tail.strip_prefix("{{") {
            text.push('{');
            rest = tail;
        } else if let Some(tail) = tail.strip_prefix("}}") {
            text.push('}');
            rest = tail;
        } else {
            let inner = tail.strip_prefix('{').and_then(|tail| tail.split_once('}'));
            let Some((declaration, tail)) = inner else {
                return Err(
                    "it has a brace without a partner: write {name}, or {{ and }} for braces themselves".to_owned()
                );
            };
            return Ok((text, Some(declaration), tail));
        }
    }
    text.push_str(rest);
    Ok((text, None, ""))
}

fn parse_param(declaration: &str) -> Result<(&str, ParamKind), String> {
    let (name, kind) = if let Some(name) = declaration.strip_prefix('*') {
        (name, ParamKind::Path)
    } else if let Some((name, kind)) = declaration.split_once(':') {
        let known =
            kind.parse().map_err(|()| format!("{kind:?} is not a kind of parameter: use {}", ParamKind::NAMES))?;
        (name, known)
    } else {
        (declaration, ParamKind::Str)
    };
    let mut chars = name.chars();
    let starts_well = chars.next().is_some_and(|c| c.is_alphabetic() || c == '_');
    if starts_well && chars.all(|c| c.is_alphanumeric() || c == '_') {
        Ok((name, kind))
    } else {
        Err(format!("{{{declaration}}} has no usable name: write {{name}}, {{name:int}} or {{*name}}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn good_patterns() {
        let pattern = Pattern::parse("/users/{id:int}/v{version}.x/{{a}}/{*rest}").unwrap();
        let params: Vec<_> = pattern.params().collect();
        assert_eq!(params, [("id", ParamKind::Int), ("version", ParamKind::Str), ("rest", ParamKind::Path)]);
        assert_eq!(pattern.segments[3], Segment::Text("{a}".into()));
        assert_eq!(Pattern::parse("/a/").unwrap().exact().as_deref(), Some("/a/"));
        assert_eq!(Pattern::parse("/").unwrap().exact().as_deref(), Some("/"));
    }

    #[test]
    fn parts_are_as_they_were_written() {
        let pattern = Pattern::parse("/{{a}}%/v%25{version:int}.x/{*rest}").unwrap();
        let parts: Vec<_> = pattern.parts().collect();
        let part = |before: &'static str, param, after: &'static str| PatternPart {
            before: before.into(),
            param,
            after: after.into(),
        };
        assert_eq!(parts[0], part("{a}%", None, ""));
        assert_eq!(parts[1], part("v%25", Some(("version", ParamKind::Int)), ".x"));
        assert_eq!(parts[2], part("", Some(("rest", ParamKind::Path)), ""));
    }

    #[test]
    fn bad_patterns_say_why() {
        for (text, reason) in [
            ("", "slash"),
            ("users", "slash"),
            ("/{", "brace"),
            ("/}", "brace"),
            ("/{}", "{name}"),
            ("/{1a}", "{name}"),
            ("/{a b}", "{name}"),
            ("/{a:long}", "uuid"),
            ("/{a}/{a}", "two parameters named"),
            ("/{a}{b}", "holds two"),
            ("/{*a}/b", "last"),
            ("/{a:path}/", "last"),
            ("/x{*a}", "beside"),
            ("/a?b", "never part"),
            ("/a?b=1", "a query or a fragment"),
            ("/a\u{0}", "never part"),
            ("/{id", "a brace without a partner"),
            ("/id}", "a brace without a partner"),
            ("/{1st}", "no usable name"),
            ("/{a b:number}", "not a kind of parameter"),
            ("/{id:number}", "not a kind of parameter"),
            ("/{id:}", "not a kind of parameter"),
            ("/users/<int:id>", "a parameter is written {name}"),
            ("/files/*", "written {*rest}"),
        ] {
            let error = Pattern::parse(text).unwrap_err().to_string();
            assert!(error.contains(reason), "{text}: {error}");
        }
    }
}
