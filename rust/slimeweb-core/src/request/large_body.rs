//! Large request bodies, read straight into the `bytes` object that the handler gets.
//!
//! A body in the pieces that it came in has to be copied when Python asks for it, from memory that has left the
//! processor's caches by then. So where a body's length is known and large, its object is made first, by the worker's
//! thread the next time that it runs Python, and what comes is read there from the socket, or copied piece by piece
//! while it is hot.

use std::mem::MaybeUninit;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::PyBytes;
use slimeweb_http::{BodyBuffer, BodyError, RequestBody};
use tokio::io::ReadBuf;
use tokio::sync::{OwnedSemaphorePermit, oneshot};

use crate::request::context::Workers;

/// Lengths that are worth it, in bytes. A larger body would claim much memory before any of it has come.
const DIRECT_LENGTHS: std::ops::RangeInclusive<u64> = 256 * 1024..=16 * 1024 * 1024;
/// How long to wait for the object. A thread that does not return to its loop within this is blocked by a handler.
const OBJECT_TIMEOUT: Duration = Duration::from_millis(5);

/// A `bytes` object that is still being written, and that nothing else refers to.
pub(crate) struct Buffer {
    object: Py<PyBytes>,
    start: *mut u8,
    length: usize,
    /// Held while the body is read that is there already.
    permit: Option<OwnedSemaphorePermit>,
}

impl BodyBuffer for Buffer {
    fn bytes(&mut self) -> &mut [MaybeUninit<u8>] {
        // SAFETY: the object has that many bytes there, and nothing else reads them.
        unsafe { std::slice::from_raw_parts_mut(self.start.cast(), self.length) }
    }

    fn stalled(&mut self) {
        self.permit = None;
    }
}

// SAFETY: `start` points into `object`, which lives as long and does not move. Until all of it has been written nothing
// else refers to it, and writing to it takes `&mut self`.
unsafe impl Send for Buffer {}

impl Buffer {
    fn new(py: Python<'_>, length: usize) -> PyResult<Self> {
        let size = isize::try_from(length)?;
        // SAFETY: without a source this makes an object with `size` bytes that are not initialised, or raises.
        let object = unsafe {
            Bound::from_owned_ptr_or_err(py, ffi::PyBytes_FromStringAndSize(std::ptr::null(), size))?
                .cast_into_unchecked::<PyBytes>()
        };
        // SAFETY: it is a `bytes` object.
        let start = unsafe { ffi::PyBytes_AsString(object.as_ptr()) }.cast::<u8>();
        Ok(Self { object: object.unbind(), start, length, permit: None })
    }
}

/// A `bytes` object made of pieces.
pub(crate) fn concatenated<'py>(py: Python<'py>, pieces: &[Bytes]) -> PyResult<Bound<'py, PyBytes>> {
    if let [whole] = pieces {
        return Ok(PyBytes::new(py, whole));
    }
    // So long that all of it is written.
    let mut buffer = Buffer::new(py, pieces.iter().map(Bytes::len).sum())?;
    let mut room = ReadBuf::uninit(buffer.bytes());
    pieces.iter().for_each(|piece| room.put_slice(piece));
    Ok(buffer.object.into_bound(py))
}

/// A buffer for all of a body, where its length is worth it and the object can be made within OBJECT_TIMEOUT.
pub(crate) async fn buffer_for(body: &RequestBody, limit: u64, workers: &Workers, worker_id: usize) -> Option<Buffer> {
    let length = body.content_length().filter(|length| DIRECT_LENGTHS.contains(length) && *length <= limit)?;
    let length = usize::try_from(length).ok()?;
    let worker = workers.get(worker_id);
    let permit = Arc::clone(&worker.large_bodies).acquire_owned().await.ok()?;
    if worker.has_backup() {
        return None;
    }
    let (sender, receiver) = oneshot::channel();
    workers.call_in_loop(worker_id, move |py| {
        // No memory is no error here: the pieces may still find room.
        let _ = sender.send(Buffer::new(py, length).ok());
    });
    let mut buffer = tokio::time::timeout(OBJECT_TIMEOUT, receiver).await.ok()?.ok()??;
    buffer.permit = Some(permit);
    Some(buffer)
}

/// Reads a body of the length that the buffer was made for.
pub(crate) async fn read_into(buffer: Buffer, body: RequestBody) -> Result<Py<PyBytes>, BodyError> {
    Ok(body.read_into(buffer).await?.object)
}
