//! From bytes to Python objects.

use std::fmt;

use jiter::{Jiter, JiterError, JiterErrorType, JsonErrorType, NumberAny, NumberInt, Peek};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyDict, PyFloat, PyInt, PyList, PyString};

use super::error::MAX_DEPTH;
use super::keys::KeyCache;

const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// Why a document could not be decoded.
#[derive(Debug)]
pub(crate) enum DecodeError {
    /// The document is at fault.
    Syntax(SyntaxError),
    /// Python is at fault: out of memory, say.
    Python(PyErr),
}

/// What is wrong with a document, and where.
#[derive(Debug)]
pub(crate) struct SyntaxError {
    /// One phrase, without the position; quotes nothing of the document.
    pub(crate) message: String,
    /// From 1.
    pub(crate) line: usize,
    /// In characters, from 1.
    pub(crate) column: usize,
}

impl fmt::Display for SyntaxError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}, column {}: {}", self.line, self.column, self.message)
    }
}

/// The Python value of a JSON document, which must be UTF-8 (RFC 8259, section 8.1).
///
/// Key order is kept, and of a key that occurs twice the last value wins. A byte order mark in front is skipped, as the
/// RFC allows. Refused: anything after the value, `NaN` and `Infinity`, a number too large for a float, an integer of
/// more than 4300 digits or than `sys.get_int_max_str_digits()`, an escaped surrogate without its other half, and more
/// than [`MAX_DEPTH`] lists and objects inside one another.
pub(crate) fn loads<'py>(py: Python<'py>, data: &[u8]) -> Result<Bound<'py, PyAny>, DecodeError> {
    let text = data.strip_prefix(BYTE_ORDER_MARK).unwrap_or(data);
    Decoder::new(py, text).document().map_err(|failure| match *failure {
        DecodeFailure::Python(error) => DecodeError::Python(error),
        DecodeFailure::Json(kind, index) => {
            let index = exact_index(&kind, index, text);
            DecodeError::Syntax(locate(describe(&kind, index == 0 && text.is_empty()), index, text))
        }
        DecodeFailure::Limit(message, index) => DecodeError::Syntax(locate(message, index, text)),
    })
}

/// What ends decoding early; boxed, so that success moves one word.
enum DecodeFailure {
    Json(JsonErrorType, usize),
    Limit(String, usize),
    Python(PyErr),
}

type DecodeResult<T> = Result<T, Box<DecodeFailure>>;

impl From<JiterError> for Box<DecodeFailure> {
    #[cold]
    fn from(error: JiterError) -> Self {
        Box::new(match error.error_type {
            JiterErrorType::JsonError(kind) => DecodeFailure::Json(kind, error.index),
            JiterErrorType::WrongType { .. } => DecodeFailure::Json(JsonErrorType::ExpectedSomeValue, error.index),
        })
    }
}

impl From<PyErr> for Box<DecodeFailure> {
    #[cold]
    fn from(error: PyErr) -> Self {
        Box::new(DecodeFailure::Python(error))
    }
}

struct Decoder<'j, 'py> {
    py: Python<'py>,
    input: Jiter<'j>,
    keys: KeyCache<'py>,
    /// The items of every list still open, the innermost last: a list is then made at its final size.
    items: Vec<Bound<'py, PyAny>>,
}

impl<'j, 'py> Decoder<'j, 'py> {
    fn new(py: Python<'py>, text: &'j [u8]) -> Self {
        Self { py, input: Jiter::new(text), keys: KeyCache::new(py), items: Vec::new() }
    }

    fn document(mut self) -> DecodeResult<Bound<'py, PyAny>> {
        let first = self.input.peek()?;
        let value = self.value(first, 0)?;
        self.input.finish()?;
        Ok(value)
    }

    fn value(&mut self, first: Peek, depth: usize) -> DecodeResult<Bound<'py, PyAny>> {
        match first {
            Peek::String => Ok(PyString::new(self.py, self.input.known_str()?).into_any()),
            Peek::Object => self.object(depth),
            Peek::Array => self.list(depth),
            Peek::True | Peek::False => {
                let value = self.input.known_bool(first)?;
                Ok(PyBool::new(self.py, value).to_owned().into_any())
            }
            Peek::Null => {
                self.input.known_null()?;
                Ok(self.py.None().into_bound(self.py))
            }
            _ => self.number(first),
        }
    }

    fn object(&mut self, depth: usize) -> DecodeResult<Bound<'py, PyAny>> {
        self.check_depth(depth)?;
        let dict = PyDict::new(self.py);
        let mut key = self.input.known_object()?.map(|key| self.keys.string(key, depth));
        while let Some(name) = key {
            let first = self.input.peek()?;
            let value = self.value(first, depth + 1)?;
            dict.set_item(name, value)?;
            key = self.input.next_key()?.map(|key| self.keys.string(key, depth));
        }
        Ok(dict.into_any())
    }

    fn list(&mut self, depth: usize) -> DecodeResult<Bound<'py, PyAny>> {
        self.check_depth(depth)?;
        let start = self.items.len();
        let mut next = self.input.known_array()?;
        while let Some(first) = next {
            let item = self.value(first, depth + 1)?;
            self.items.push(item);
            next = self.input.array_step()?;
        }
        Ok(PyList::new(self.py, self.items.drain(start..))?.into_any())
    }

    fn number(&mut self, first: Peek) -> DecodeResult<Bound<'py, PyAny>> {
        let start = self.input.current_index();
        match self.input.known_number(first) {
            Ok(NumberAny::Int(NumberInt::Int(value))) => Ok(PyInt::new(self.py, value).into_any()),
            Ok(NumberAny::Float(value)) if value.is_finite() => Ok(PyFloat::new(self.py, value).into_any()),
            Ok(NumberAny::Float(_)) => Err(Box::new(DecodeFailure::Limit(
                "a number too large for a float; send it as a string".to_owned(),
                start,
            ))),
            // Without a big-integer crate, jiter reports no more of an integer past 64 bits.
            Err(error) if error.error_type == JiterErrorType::JsonError(JsonErrorType::NumberOutOfRange) => {
                self.big_integer(first, start)
            }
            Err(error) => Err(error.into()),
        }
    }

    #[cold]
    fn big_integer(&mut self, first: Peek, start: usize) -> DecodeResult<Bound<'py, PyAny>> {
        let too_long = |index| {
            let message = "an integer of more digits than Python converts; send it as a string";
            Box::new(DecodeFailure::Limit(message.to_owned(), index))
        };
        let digits = match self.input.known_number_bytes(first) {
            // Digits and a sign: always UTF-8.
            Ok(digits) => str::from_utf8(digits).unwrap_or_default(),
            Err(error) if error.error_type == JiterErrorType::JsonError(JsonErrorType::NumberOutOfRange) => {
                return Err(too_long(start));
            }
            Err(error) => return Err(error.into()),
        };
        if let Ok(value) = digits.parse::<u64>() {
            return Ok(PyInt::new(self.py, value).into_any());
        }
        // Its cost grows with the square of the digits, which both limits keep to some microseconds.
        self.py
            .get_type::<PyInt>()
            .call1((digits,))
            .map_err(|error| if error.is_instance_of::<PyValueError>(self.py) { too_long(start) } else { error.into() })
    }

    fn check_depth(&self, depth: usize) -> DecodeResult<()> {
        if depth < MAX_DEPTH {
            return Ok(());
        }
        Err(Box::new(DecodeFailure::Json(JsonErrorType::RecursionLimitExceeded, self.input.current_index())))
    }
}

/// Where a fault is, for the kinds whose index jiter gives relative to something else.
fn exact_index(kind: &JsonErrorType, index: usize, text: &[u8]) -> usize {
    match kind {
        // It counts decoded bytes; all before this string was valid, so the first bad byte of the text is the one.
        JsonErrorType::InvalidUnicodeCodePoint => str::from_utf8(text).map_or_else(|bad| bad.valid_up_to(), |_| index),
        // It gives the last digit of `\ud800`; the escape begins five before.
        JsonErrorType::LoneLeadingSurrogateInHexEscape => index.saturating_sub(5),
        _ => index,
    }
    .min(text.len())
}

fn locate(message: String, index: usize, text: &[u8]) -> SyntaxError {
    let before = text.get(..index).unwrap_or(text);
    let line_start = memchr::memrchr(b'\n', before).map_or(0, |newline| newline + 1);
    let in_line = before.get(line_start..).unwrap_or_default();
    SyntaxError {
        message,
        line: 1 + memchr::memchr_iter(b'\n', before).count(),
        column: 1 + in_line.iter().filter(|&&byte| !is_utf8_continuation(byte)).count(),
    }
}

fn is_utf8_continuation(byte: u8) -> bool {
    byte & 0b1100_0000 == 0b1000_0000
}

fn describe(kind: &JsonErrorType, empty: bool) -> String {
    let phrase = match kind {
        JsonErrorType::EofWhileParsingValue if empty => "nothing there, where JSON was expected",
        JsonErrorType::EofWhileParsingList => "the text ends inside a list; a \"]\" is missing",
        JsonErrorType::EofWhileParsingObject => "the text ends inside an object; a \"}\" is missing",
        JsonErrorType::EofWhileParsingString => "the text ends inside a string; a '\"' is missing",
        JsonErrorType::EofWhileParsingValue => "the text ends where a value was expected",
        JsonErrorType::ExpectedColon => "expected \":\" after the key",
        JsonErrorType::ExpectedListCommaOrEnd => "expected \",\" or \"]\" after the item",
        JsonErrorType::ExpectedObjectCommaOrEnd => "expected \",\" or \"}\" after the value",
        JsonErrorType::ExpectedSomeIdent => "expected true, false or null",
        JsonErrorType::ExpectedSomeValue => "expected a value: an object, list, string, number, true, false or null",
        JsonErrorType::InvalidEscape => "an escape JSON does not know; a backslash itself is written \\\\",
        JsonErrorType::InvalidNumber => "not a number as JSON writes them",
        JsonErrorType::InvalidUnicodeCodePoint => "not UTF-8",
        JsonErrorType::ControlCharacterWhileParsingString => {
            "a control character inside a string; write it as an escape such as \\n"
        }
        JsonErrorType::KeyMustBeAString => "expected a key in double quotes",
        JsonErrorType::LoneLeadingSurrogateInHexEscape | JsonErrorType::UnexpectedEndOfHexEscape => {
            "an escaped surrogate without its other half"
        }
        JsonErrorType::TrailingComma => "a comma with nothing after it",
        JsonErrorType::TrailingCharacters => "text after the end of the value",
        JsonErrorType::RecursionLimitExceeded => {
            return format!("more than {MAX_DEPTH} lists and objects inside one another");
        }
        // Asked for by none of the calls above.
        JsonErrorType::FloatExpectingInt
        | JsonErrorType::DuplicateKey(_)
        | JsonErrorType::InternalError(_)
        | JsonErrorType::NumberOutOfRange => "not JSON",
    };
    phrase.to_owned()
}
