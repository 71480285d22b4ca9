//! Sockets of `asyncio`'s transports, read and written without releasing the GIL.
//!
//! CPython releases the GIL around each system call of a socket. A worker's thread that another one waits for has lost
//! it then, and waits in turn: a database client would change threads with every message. These calls do not block, and
//! take a few microseconds.

use std::io;
use std::mem::MaybeUninit;
use std::os::fd::RawFd;

use nix::libc;
use pyo3::buffer::PyBuffer;
use pyo3::exceptions::PyOSError;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

/// The most that is copied with the GIL held, in bytes. What is longer goes the socket's own way.
const MOST: usize = 64 * 1024;

/// What a transport has in place of its socket: everything but its three methods is the socket's.
#[pyclass(frozen, module = "slimeweb._core")]
pub(crate) struct LoopSocket {
    socket: Py<PyAny>,
}

#[pymethods]
impl LoopSocket {
    /// `socket` does not block, and refers to no object that could refer to this one.
    #[new]
    fn new(socket: Py<PyAny>) -> Self {
        Self { socket }
    }

    /// As of any socket, with at most 64 KiB.
    fn recv<'py>(&self, py: Python<'py>, size: usize) -> PyResult<Bound<'py, PyBytes>> {
        let fd = self.fd(py)?;
        let mut buffer = [MaybeUninit::<u8>::uninit(); MOST];
        let size = size.min(MOST);
        // SAFETY: the buffer has room for `size` bytes.
        let count = unsafe { libc::recv(fd, buffer.as_mut_ptr().cast(), size, libc::MSG_DONTWAIT) };
        let count = outcome(py, count)?;
        // SAFETY: so many bytes have been written.
        Ok(PyBytes::new(py, unsafe { std::slice::from_raw_parts(buffer.as_ptr().cast(), count) }))
    }

    /// As of any socket, with at most 64 KiB.
    fn recv_into(&self, py: Python<'_>, buffer: &Bound<'_, PyAny>) -> PyResult<usize> {
        let fd = self.fd(py)?;
        let room = PyBuffer::<u8>::get(buffer)?;
        if room.readonly() || !room.is_c_contiguous() {
            return self.socket.bind(py).call_method1(intern!(py, "recv_into"), (buffer,))?.extract();
        }
        let size = room.len_bytes().min(MOST);
        // SAFETY: the buffer may be written and has room for `size` bytes, in one piece, for as long as `room` lives.
        outcome(py, unsafe { libc::recv(fd, room.buf_ptr(), size, libc::MSG_DONTWAIT) })
    }

    /// As of any socket.
    fn send(&self, py: Python<'_>, data: &Bound<'_, PyAny>) -> PyResult<usize> {
        if let Ok(bytes) = data.cast::<PyBytes>() {
            let bytes = bytes.as_bytes();
            if bytes.len() <= MOST {
                return self.send_from(py, bytes.as_ptr(), bytes.len());
            }
        } else if let Ok(view) = PyBuffer::<u8>::get(data)
            && view.is_c_contiguous()
            && view.len_bytes() <= MOST
        {
            return self.send_from(py, view.buf_ptr().cast(), view.len_bytes());
        }
        self.socket.bind(py).call_method1(intern!(py, "send"), (data,))?.extract()
    }

    fn __getattr__<'py>(&self, py: Python<'py>, name: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
        self.socket.bind(py).getattr(name.cast::<pyo3::types::PyString>()?)
    }

    fn __repr__(&self, py: Python<'_>) -> PyResult<String> {
        Ok(self.socket.bind(py).repr()?.to_string())
    }
}

impl LoopSocket {
    /// `data` has `length` bytes that may be read meanwhile.
    fn send_from(&self, py: Python<'_>, data: *const u8, length: usize) -> PyResult<usize> {
        let fd = self.fd(py)?;
        // SAFETY: as the caller says.
        let count = unsafe { libc::send(fd, data.cast(), length, libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL) };
        outcome(py, count)
    }

    /// The descriptor, which is asked for each time: -1 once the socket is closed, when the number may be another
    /// file's.
    fn fd(&self, py: Python<'_>) -> PyResult<RawFd> {
        self.socket.bind(py).call_method0(intern!(py, "fileno"))?.extract()
    }
}

/// What a system call has given, as the error that Python's socket raises.
fn outcome(py: Python<'_>, count: isize) -> PyResult<usize> {
    usize::try_from(count).or_else(|_| {
        let number = io::Error::last_os_error().raw_os_error().unwrap_or_default();
        let text = py.import(intern!(py, "os"))?.call_method1(intern!(py, "strerror"), (number,))?;
        Err(PyOSError::new_err((number, text.unbind())))
    })
}
