//! Why a value cannot be encoded, and the path to it, put together only once that is so.

use std::fmt::Write;

use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::PyString;

/// How many lists and objects may lie inside one another, in either direction.
///
/// Both halves recurse, and a worker's stack may be as small as 512 KiB: this is a bound on that stack.
pub(super) const MAX_DEPTH: usize = 200;

/// Longer paths are shown by this many steps from each end.
const SHOWN_STEPS: usize = 8;
/// Longer keys are cut after this many characters.
const SHOWN_KEY: usize = 40;

/// Boxed, so that success returns one word.
pub(super) type EncodeResult = Result<(), Box<EncodeFailure>>;

pub(super) struct EncodeFailure {
    problem: Problem,
    /// The innermost step first: each level adds its own as the failure passes through.
    path: Vec<PathStep>,
}

enum PathStep {
    Key(String),
    Index(usize),
}

pub(super) enum Problem {
    /// A `TypeError` that says this of the path.
    Type(String, Option<PyErr>),
    /// A `ValueError` that says this of the path.
    Value(String, Option<PyErr>),
    /// An exception of `default`, or of a dict's own `items`, as it was raised.
    Raised(PyErr),
}

impl Problem {
    pub(super) fn unsupported(value: &Bound<'_, PyAny>, cause: Option<PyErr>) -> Self {
        Self::Type(format!("is {}, which JSON cannot hold", with_article(&class_name(value))), cause)
    }

    pub(super) fn key_type(key: &Bound<'_, PyAny>) -> Self {
        let class = with_article(&class_name(key));
        Self::Type(format!("has a key that is {class}; JSON keys are strings, so use a str"), None)
    }

    pub(super) fn not_finite(number: f64) -> Self {
        let name = if number.is_nan() {
            "nan"
        } else if number > 0.0 {
            "inf"
        } else {
            "-inf"
        };
        Self::Value(format!("is {name}, which JSON cannot hold; use None or a str"), None)
    }

    pub(super) fn surrogate(cause: PyErr) -> Self {
        Self::Value("is a str with a lone surrogate, which UTF-8 cannot hold".to_owned(), Some(cause))
    }

    pub(super) fn long_integer(cause: PyErr) -> Self {
        Self::Value("is an int of more digits than Python converts; use a str".to_owned(), Some(cause))
    }

    pub(super) fn too_deep() -> Self {
        Self::Value(format!("lies more than {MAX_DEPTH} levels deep; is there a circular reference?"), None)
    }
}

impl EncodeFailure {
    #[cold]
    pub(super) fn new(problem: Problem) -> Box<Self> {
        Box::new(Self { problem, path: Vec::new() })
    }

    #[cold]
    pub(super) fn raised(error: PyErr) -> Box<Self> {
        Self::new(Problem::Raised(error))
    }

    /// The same failure, of a key and not of what is under it.
    #[cold]
    pub(super) fn of_key(mut self: Box<Self>) -> Box<Self> {
        if let Problem::Type(what, _) | Problem::Value(what, _) = &mut self.problem {
            what.insert_str(0, "has a key that ");
        }
        self
    }

    #[cold]
    pub(super) fn within_index(mut self: Box<Self>, index: usize) -> Box<Self> {
        self.path.push(PathStep::Index(index));
        self
    }

    #[cold]
    pub(super) fn within_key(mut self: Box<Self>, key: &Bound<'_, PyAny>) -> Box<Self> {
        self.path.push(PathStep::Key(shown_key(key)));
        self
    }

    pub(super) fn into_error(self, py: Python<'_>) -> PyErr {
        let path = shown_path(&self.path);
        let (error, cause) = match self.problem {
            Problem::Type(what, cause) => (PyTypeError::new_err(format!("{path} {what}")), cause),
            Problem::Value(what, cause) => (PyValueError::new_err(format!("{path} {what}")), cause),
            Problem::Raised(error) => {
                // The note is optional: without it the exception still says what went wrong.
                let _ = error.value(py).call_method1("add_note", (format!("while writing {path} as JSON"),));
                return error;
            }
        };
        error.set_cause(py, cause);
        error
    }
}

/// `$.items[3].when`; a key that is no plain name stands in brackets and quotes.
fn shown_path(inner_first: &[PathStep]) -> String {
    let mut path = String::from("$");
    let hidden = inner_first.len().saturating_sub(2 * SHOWN_STEPS);
    for (position, step) in inner_first.iter().rev().enumerate() {
        if hidden > 0 && position == SHOWN_STEPS {
            path.push('…');
        }
        if hidden > 0 && (SHOWN_STEPS..SHOWN_STEPS + hidden).contains(&position) {
            continue;
        }
        // Writing to a String cannot fail.
        let _ = match step {
            PathStep::Index(index) => write!(path, "[{index}]"),
            PathStep::Key(key) if is_plain_name(key) => write!(path, ".{key}"),
            PathStep::Key(key) => write!(path, "[{key:?}]"),
        };
    }
    path
}

fn is_plain_name(key: &str) -> bool {
    !key.is_empty()
        && !key.starts_with(|c: char| c.is_ascii_digit())
        && key.chars().all(|c| c.is_alphanumeric() || c == '_')
}

fn shown_key(key: &Bound<'_, PyAny>) -> String {
    let whole = match key.cast::<PyString>() {
        Ok(text) => text.to_string_lossy().into_owned(),
        Err(_) => key.repr().map_or_else(|_| "?".to_owned(), |text| text.to_string_lossy().into_owned()),
    };
    match whole.char_indices().nth(SHOWN_KEY) {
        Some((cut, _)) => format!("{}…", whole.get(..cut).unwrap_or_default()),
        None => whole,
    }
}

fn class_name(value: &Bound<'_, PyAny>) -> String {
    let name = value.get_type().fully_qualified_name();
    name.map_or_else(|_| "object".to_owned(), |name| name.to_string_lossy().into_owned())
}

fn with_article(name: &str) -> String {
    let article = if name.starts_with(['a', 'e', 'i', 'o', 'u', 'A', 'E', 'I', 'O', 'U']) { "an" } else { "a" };
    format!("{article} {name}")
}
