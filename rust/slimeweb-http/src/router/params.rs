//! What a pattern's parameters have matched.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use smallvec::SmallVec;

use super::path::finish;

/// What a parameter matches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ParamKind {
    /// One segment.
    Str,
    /// A whole number.
    Int,
    /// A number with or without a fraction.
    Float,
    /// A UUID in its usual form (RFC 9562, section 4).
    Uuid,
    /// The rest of the path.
    Path,
}

impl ParamKind {
    pub(super) const NAMES: &'static str = "str, int, float, uuid, path";

    pub(super) fn matches(self, text: &str) -> bool {
        match self {
            Self::Str => !text.is_empty(),
            Self::Path => true,
            Self::Int => is_int(text),
            Self::Float => match text.split_once('.') {
                Some((whole, fraction)) => is_int(whole) && is_digits(fraction),
                None => is_int(text),
            },
            Self::Uuid => {
                text.len() == 36
                    && text.bytes().enumerate().all(|(at, byte)| match at {
                        8 | 13 | 18 | 23 => byte == b'-',
                        _ => byte.is_ascii_hexdigit(),
                    })
            }
        }
    }
}

fn is_int(text: &str) -> bool {
    is_digits(text.strip_prefix('-').unwrap_or(text))
}

fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

impl FromStr for ParamKind {
    type Err = ();

    fn from_str(name: &str) -> Result<Self, ()> {
        Ok(match name {
            "str" => Self::Str,
            "int" => Self::Int,
            "float" => Self::Float,
            "uuid" => Self::Uuid,
            "path" => Self::Path,
            _ => return Err(()),
        })
    }
}

impl fmt::Display for ParamKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Str => "str",
            Self::Int => "int",
            Self::Float => "float",
            Self::Uuid => "uuid",
            Self::Path => "path",
        })
    }
}

/// A parameter as its pattern declares it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Name {
    pub(super) name: Box<str>,
    pub(super) kind: ParamKind,
}

/// Stretches of a path, in bytes.
pub(super) type Spans = SmallVec<[(u32, u32); 4]>;

/// The parameters of one match: stretches of the decoded path that was matched.
#[derive(Debug, Clone, Default)]
pub struct Params {
    pub(super) names: Option<Arc<[Name]>>,
    pub(super) spans: Spans,
}

impl Params {
    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.spans.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.spans.is_empty()
    }

    /// Names, kinds and values in the order of the pattern. `path` is the decoded path that came with these parameters.
    pub fn iter<'a>(&'a self, path: &'a str) -> impl Iterator<Item = (&'a str, ParamKind, Cow<'a, str>)> {
        self.names.iter().flat_map(|names| names.iter()).zip(&self.spans).map(move |(name, &(start, end))| {
            let value = path.get(start as usize..end as usize).unwrap_or_default();
            (&*name.name, name.kind, finish(value))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::ParamKind::{Float, Int, Path, Str, Uuid};

    #[test]
    fn kinds() {
        let uuid = "01234567-89ab-cdef-ABCD-0123456789ab";
        for (kind, text) in [
            (Str, "x"),
            (Int, "-12"),
            (Int, "99999999999999999999999"),
            (Float, "1"),
            (Float, "-1.5"),
            (Uuid, uuid),
            (Path, ""),
        ] {
            assert!(kind.matches(text), "{kind} {text}");
        }
        for (kind, text) in [
            (Str, ""),
            (Int, ""),
            (Int, "-"),
            (Int, "+1"),
            (Int, "1.0"),
            (Int, "١"),
            (Float, "1."),
            (Float, ".5"),
            (Float, "nan"),
            (Float, "1e5"),
            (Uuid, &uuid[1..]),
            (Uuid, "0123456789abcdefABCD0123456789abcdef"),
        ] {
            assert!(!kind.matches(text), "{kind} {text}");
        }
    }
}
