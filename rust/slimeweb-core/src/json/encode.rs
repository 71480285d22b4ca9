//! From Python objects to bytes.

use std::io::Write;
use std::os::raw::c_int;
use std::ptr;

use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::sync::critical_section::with_critical_section;
use pyo3::type_object::PyTypeCheck;
use pyo3::types::{PyBool, PyDict, PyFloat, PyInt, PyList, PyMapping, PyString, PyTuple};
use pyo3::{PyTypeInfo, ffi};
use smallvec::SmallVec;

use super::error::{EncodeFailure, EncodeResult, MAX_DEPTH, Problem};
use super::escape::write_string;

/// In bytes: most answers of an API fit without growing.
const INITIAL_CAPACITY: usize = 512;
/// How many entries of a dict are held on the stack while it is walked; MAX_DEPTH times that is the bound.
const INLINE_ENTRIES: usize = 8;

/// The JSON of `value`: UTF-8, no spaces, no escapes beyond what RFC 8259 requires.
///
/// Holds str, int, float, bool, None, dict, list, tuple and their subclasses. Keys that are int, float, bool or None
/// become strings, as with `json.dumps`. For any other value `default` is asked for one that can be held; it declines
/// by raising TypeError or returning NotImplemented.
///
/// Raises `TypeError` for what JSON cannot hold, `ValueError` for nan and infinities, lone surrogates, integers past
/// `sys.get_int_max_str_digits()` and more than [`MAX_DEPTH`] levels, a circular reference among them; each message
/// has the path to the culprit. What `default` raises otherwise passes through with that path as a note.
///
/// Another thread may change a dict or list meanwhile: a dict is written as it was when it was reached, a list as far
/// as it still reaches.
pub(crate) fn dumps(value: &Bound<'_, PyAny>, default: Option<&Bound<'_, PyAny>>) -> PyResult<Vec<u8>> {
    let mut encoder = Encoder { out: Vec::with_capacity(INITIAL_CAPACITY), default };
    match encoder.value(value, 0) {
        Ok(()) => Ok(encoder.out),
        Err(failure) => Err(failure.into_error(value.py())),
    }
}

struct Encoder<'a, 'py> {
    out: Vec<u8>,
    default: Option<&'a Bound<'py, PyAny>>,
}

impl<'py> Encoder<'_, 'py> {
    fn value(&mut self, value: &Bound<'_, PyAny>, depth: usize) -> EncodeResult {
        if let Some(text) = exactly::<PyString>(value) {
            self.text(text)
        } else if let Some(number) = exactly::<PyInt>(value) {
            self.integer(number)
        } else if let Some(flag) = exactly::<PyBool>(value) {
            self.boolean(flag.is_true());
            Ok(())
        } else if value.is_none() {
            self.out.extend_from_slice(b"null");
            Ok(())
        } else if let Some(dict) = exactly::<PyDict>(value) {
            self.dict(dict, depth)
        } else if let Some(list) = exactly::<PyList>(value) {
            self.list(list, depth)
        } else if let Some(number) = exactly::<PyFloat>(value) {
            self.float(number.value())
        } else if let Some(tuple) = exactly::<PyTuple>(value) {
            self.tuple(tuple, depth)
        } else {
            self.subclass(value, depth)
        }
    }

    fn subclass(&mut self, value: &Bound<'_, PyAny>, depth: usize) -> EncodeResult {
        if let Some(text) = instance::<PyString>(value) {
            self.text(text)
        } else if let Some(number) = instance::<PyInt>(value) {
            self.integer(number)
        } else if let Some(number) = instance::<PyFloat>(value) {
            self.float(number.value())
        } else if instance::<PyDict>(value).is_some() {
            self.mapping(value, depth)
        } else if let Some(list) = instance::<PyList>(value) {
            self.list(list, depth)
        } else if let Some(tuple) = instance::<PyTuple>(value) {
            self.tuple(tuple, depth)
        } else {
            self.other(value, depth)
        }
    }

    fn text(&mut self, text: &Bound<'_, PyString>) -> EncodeResult {
        let text = text.to_str().map_err(|error| EncodeFailure::new(Problem::surrogate(error)))?;
        write_string(&mut self.out, text);
        Ok(())
    }

    fn boolean(&mut self, value: bool) {
        self.out.extend_from_slice(if value { b"true" } else { b"false" });
    }

    fn integer(&mut self, number: &Bound<'_, PyInt>) -> EncodeResult {
        let mut overflow: c_int = 0;
        // SAFETY: an int and attached; for an int or a subclass of it, this neither fails nor runs Python code.
        let small = unsafe { ffi::PyLong_AsLongLongAndOverflow(number.as_ptr(), &raw mut overflow) };
        if overflow == 0 {
            self.out.extend_from_slice(itoa::Buffer::new().format(small).as_bytes());
            return Ok(());
        }
        self.big_integer(number)
    }

    #[cold]
    fn big_integer(&mut self, number: &Bound<'_, PyInt>) -> EncodeResult {
        // The type's own repr: a subclass (an IntEnum, say) may write itself in another way.
        let digits = number
            .py()
            .get_type::<PyInt>()
            .call_method1("__repr__", (number,))
            .map_err(|error| EncodeFailure::new(Problem::long_integer(error)))?;
        self.out.extend_from_slice(digits.extract::<&str>().map_err(EncodeFailure::raised)?.as_bytes());
        Ok(())
    }

    fn float(&mut self, number: f64) -> EncodeResult {
        if !number.is_finite() {
            return Err(EncodeFailure::new(Problem::not_finite(number)));
        }
        // Debug writes the fewest digits that read back as the same float, and 1.0 as "1.0".
        write!(self.out, "{number:?}").map_err(|error| EncodeFailure::raised(error.into()))
    }

    fn list(&mut self, list: &Bound<'_, PyList>, depth: usize) -> EncodeResult {
        check_depth(depth)?;
        self.out.push(b'[');
        // The length as it was: one that another thread keeps extending would never end.
        for index in 0..list.len() {
            // Shorter by now.
            let Ok(item) = list.get_item(index) else { break };
            self.item(index, &item, depth)?;
        }
        self.out.push(b']');
        Ok(())
    }

    fn tuple(&mut self, tuple: &Bound<'_, PyTuple>, depth: usize) -> EncodeResult {
        check_depth(depth)?;
        self.out.push(b'[');
        for (index, item) in tuple.iter_borrowed().enumerate() {
            self.item(index, &item, depth)?;
        }
        self.out.push(b']');
        Ok(())
    }

    fn item(&mut self, index: usize, item: &Bound<'_, PyAny>, depth: usize) -> EncodeResult {
        if index > 0 {
            self.out.push(b',');
        }
        self.value(item, depth + 1).map_err(|failure| failure.within_index(index))
    }

    fn dict(&mut self, dict: &Bound<'_, PyDict>, depth: usize) -> EncodeResult {
        check_depth(depth)?;
        let entries = entries_of(dict);
        self.object(entries, depth)
    }

    /// A dict of a derived class: an OrderedDict has an order of its own, others their own `items`.
    #[cold]
    fn mapping(&mut self, value: &Bound<'_, PyAny>, depth: usize) -> EncodeResult {
        check_depth(depth)?;
        let pairs = || -> PyResult<Vec<(Bound<'_, PyAny>, Bound<'_, PyAny>)>> {
            value.cast::<PyMapping>()?.items()?.iter().map(|pair| pair.extract()).collect()
        };
        self.object(pairs().map_err(EncodeFailure::raised)?, depth)
    }

    fn object<'v>(
        &mut self,
        entries: impl IntoIterator<Item = (Bound<'v, PyAny>, Bound<'v, PyAny>)>,
        depth: usize,
    ) -> EncodeResult {
        self.out.push(b'{');
        let mut first = true;
        for (key, value) in entries {
            if !first {
                self.out.push(b',');
            }
            first = false;
            match exactly::<PyString>(&key) {
                Some(text) => self.text(text).map_err(EncodeFailure::of_key)?,
                None => self.converted_key(&key)?,
            }
            self.out.push(b':');
            self.value(&value, depth + 1).map_err(|failure| failure.within_key(&key))?;
        }
        self.out.push(b'}');
        Ok(())
    }

    #[cold]
    fn converted_key(&mut self, key: &Bound<'_, PyAny>) -> EncodeResult {
        if let Some(text) = instance::<PyString>(key) {
            return self.text(text).map_err(EncodeFailure::of_key);
        }
        self.out.push(b'"');
        if let Some(flag) = exactly::<PyBool>(key) {
            self.boolean(flag.is_true());
        } else if let Some(number) = instance::<PyInt>(key) {
            self.integer(number).map_err(EncodeFailure::of_key)?;
        } else if let Some(number) = instance::<PyFloat>(key) {
            self.float(number.value()).map_err(EncodeFailure::of_key)?;
        } else if key.is_none() {
            self.out.extend_from_slice(b"null");
        } else {
            return Err(EncodeFailure::new(Problem::key_type(key)));
        }
        self.out.push(b'"');
        Ok(())
    }

    /// What JSON has no form for, unless `default` knows one.
    fn other(&mut self, value: &Bound<'_, PyAny>, depth: usize) -> EncodeResult {
        // Counts as a level: a `default` that returns its argument would not terminate.
        check_depth(depth)?;
        let Some(default) = self.default else {
            return Err(EncodeFailure::new(Problem::unsupported(value, None)));
        };
        let replacement = match default.call1((value,)) {
            Ok(replacement) => replacement,
            Err(error) if error.is_instance_of::<PyTypeError>(value.py()) => {
                return Err(EncodeFailure::new(Problem::unsupported(value, Some(error))));
            }
            Err(error) => return Err(EncodeFailure::raised(error)),
        };
        if replacement.is(value.py().NotImplemented()) {
            return Err(EncodeFailure::new(Problem::unsupported(value, None)));
        }
        self.value(&replacement, depth + 1)
    }
}

type Entries<'py> = SmallVec<[(Bound<'py, PyAny>, Bound<'py, PyAny>); INLINE_ENTRIES]>;

/// The entries of `dict` at one moment.
///
/// pyo3's own iterator panics when it meets a change, and takes the dict's lock anew for each entry.
fn entries_of<'py>(dict: &Bound<'py, PyDict>) -> Entries<'py> {
    let py = dict.py();
    let mut entries = Entries::with_capacity(dict.len());
    // Under the lock only references are taken: nothing here runs Python code, waits or lets the lock go.
    with_critical_section(dict, || {
        let (mut position, mut key, mut value) = (0, ptr::null_mut(), ptr::null_mut());
        // SAFETY: a dict, attached, and no other thread can change it meanwhile; both pointers are set on success.
        while unsafe { ffi::PyDict_Next(dict.as_ptr(), &raw mut position, &raw mut key, &raw mut value) } != 0 {
            // SAFETY: borrowed from the dict, which still holds them.
            entries.push(unsafe { (Bound::from_borrowed_ptr(py, key), Bound::from_borrowed_ptr(py, value)) });
        }
    });
    entries
}

fn check_depth(depth: usize) -> EncodeResult {
    if depth < MAX_DEPTH { Ok(()) } else { Err(EncodeFailure::new(Problem::too_deep())) }
}

/// `value` as a `T`, when its class is exactly that: one comparison of pointers.
#[inline]
fn exactly<'a, 'py, T: PyTypeInfo>(value: &'a Bound<'py, PyAny>) -> Option<&'a Bound<'py, T>> {
    // SAFETY: its class was compared in the same expression.
    value.is_exact_instance_of::<T>().then(|| unsafe { value.cast_unchecked() })
}

/// `value` as a `T`, when its class is that or derived from it; unlike `cast`, makes no error when it is not.
#[inline]
fn instance<'a, 'py, T: PyTypeCheck>(value: &'a Bound<'py, PyAny>) -> Option<&'a Bound<'py, T>> {
    // SAFETY: its class was checked in the same expression.
    value.is_instance_of::<T>().then(|| unsafe { value.cast_unchecked() })
}
