//! Calls into Python that may not return: the process ends meanwhile, or is a child that was forked in the call.
//!
//! CPython before 3.14 ends a thread that still wants to run when the interpreter has been finalised by `pthread_exit`,
//! which unwinds the thread's stack. Rust's frames cannot be unwound that way: the process would abort. A guard in the
//! frame right above Python's keeps such a thread where it is, as 3.14 does by itself.

use std::cell::Cell;
use std::os::raw::c_int;
use std::ptr;
use std::thread;
use std::time::Duration;

use pyo3::exceptions::PySystemExit;
use pyo3::ffi;
use pyo3::intern;
use pyo3::prelude::*;

thread_local! {
    /// This thread is the only one left of the server's in a forked child: it has no client.
    static IS_CHILD: Cell<bool> = const { Cell::new(false) };
}

/// Stops its thread for good when it is dropped.
struct Hang;

impl Drop for Hang {
    fn drop(&mut self) {
        loop {
            thread::park_timeout(Duration::from_secs(3600));
        }
    }
}

/// `callable(*args)` for the application's own functions.
#[inline(never)]
pub(crate) fn call<'py, const N: usize>(
    callable: &Bound<'py, PyAny>,
    args: [*mut ffi::PyObject; N],
) -> PyResult<Bound<'py, PyAny>> {
    #[allow(clashing_extern_declarations, reason = "the same function, which may unwind")]
    unsafe extern "C-unwind" {
        fn PyObject_Vectorcall(
            callable: *mut ffi::PyObject,
            args: *const *mut ffi::PyObject,
            count: usize,
            names: *mut ffi::PyObject,
        ) -> *mut ffi::PyObject;
    }
    let hang = Hang;
    // SAFETY: attached; callable and arguments are alive, borrowed from the caller's. A new reference, or NULL with an
    // exception set.
    let result = unsafe { PyObject_Vectorcall(callable.as_ptr(), args.as_ptr(), N, ptr::null_mut()) };
    std::mem::forget(hang);
    // SAFETY: as above.
    unsafe { Bound::from_owned_ptr_or_err(callable.py(), result) }
}

/// `callable(*args)` with a tuple.
#[inline(never)]
pub(crate) fn apply<'py>(
    callable: &Bound<'py, PyAny>,
    args: &Bound<'py, pyo3::types::PyTuple>,
) -> PyResult<Bound<'py, PyAny>> {
    #[allow(clashing_extern_declarations, reason = "the same function, which may unwind")]
    unsafe extern "C-unwind" {
        fn PyObject_Call(
            callable: *mut ffi::PyObject,
            args: *mut ffi::PyObject,
            options: *mut ffi::PyObject,
        ) -> *mut ffi::PyObject;
    }
    let hang = Hang;
    // SAFETY: attached; both objects are alive, and `args` is a tuple. A new reference, or NULL with an exception set.
    let result = unsafe { PyObject_Call(callable.as_ptr(), args.as_ptr(), ptr::null_mut()) };
    std::mem::forget(hang);
    // SAFETY: as above.
    unsafe { Bound::from_owned_ptr_or_err(callable.py(), result) }
}

/// `PyIter_Send`.
///
/// # Safety
/// Attached, both objects alive. `result` is a new reference afterwards unless an exception is set.
#[inline(never)]
pub(crate) unsafe fn send(
    iterator: *mut ffi::PyObject,
    value: *mut ffi::PyObject,
    result: *mut *mut ffi::PyObject,
) -> c_int {
    #[allow(clashing_extern_declarations, reason = "the same function, which may unwind")]
    unsafe extern "C-unwind" {
        fn PyIter_Send(
            iterator: *mut ffi::PyObject,
            value: *mut ffi::PyObject,
            result: *mut *mut ffi::PyObject,
        ) -> c_int;
    }
    let hang = Hang;
    // SAFETY: as the caller says.
    let sent = unsafe { PyIter_Send(iterator, value, result) };
    std::mem::forget(hang);
    sent
}

/// Called in a forked child, by its only thread.
#[pyfunction]
pub(crate) fn forget_server() {
    IS_CHILD.set(true);
}

pub(crate) fn is_child() -> bool {
    IS_CHILD.get()
}

/// Ends a child that has returned from the handler that forked it, with the exit code that a program would have.
#[cold]
pub(crate) fn end_child(py: Python<'_>, error: Option<PyErr>) -> ! {
    let code = match error {
        None => 0,
        Some(error) if error.is_instance_of::<PySystemExit>(py) => {
            let code = error.value(py).getattr(intern!(py, "code"));
            code.map_or(1, |code| if code.is_none() { 0 } else { code.extract::<i32>().unwrap_or(1) })
        }
        Some(error) => {
            error.print(py);
            1
        }
    };
    let flushed = py.run(c"import sys\nfor file in (sys.stdout, sys.stderr):\n    file and file.flush()", None, None);
    drop(flushed);
    // Nothing of the server's is to be run or dropped here: it lives on in the parent.
    let _ = py.import("os").and_then(|os| os.call_method1("_exit", (code,)));
    std::process::abort()
}
