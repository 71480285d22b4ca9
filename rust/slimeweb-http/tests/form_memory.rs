//! The memory that reading a form takes, whatever is sent. On its own, since the whole process is measured.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on fails"
)]

mod common;

use std::alloc::{GlobalAlloc, Layout, System};
use std::io::Write;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};

use common::{PATIENCE, form_limits, limits, serve_with};
use http::Response;
use slimeweb_http::multipart::{self, FormLimits, UploadDir};
use slimeweb_http::{Body, Exchange, Limits};

/// The system's allocator, with a count of the bytes in use and of the most there were.
struct Counting;

static NOW: AtomicUsize = AtomicUsize::new(0);
static PEAK: AtomicUsize = AtomicUsize::new(0);

// SAFETY: all calls are passed on as they are.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let now = NOW.fetch_add(layout.size(), Ordering::Relaxed) + layout.size();
        PEAK.fetch_max(now, Ordering::Relaxed);
        // SAFETY: as the caller promises.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, bytes: *mut u8, layout: Layout) {
        NOW.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: as the caller promises.
        unsafe { System.dealloc(bytes, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const BODY: usize = 48 * 1024 * 1024;
/// What may be in use beyond what was before: buffers of the connection and of the file, not the body.
const GROWTH: usize = 2 * 1024 * 1024;
/// What fields may hold in bytes; a value that grows takes up to three times as much for a moment.
const FIELDS: usize = 256 * 1024;

/// Sends `begin`, then `filler` until the body has its size, then `end`; how the form was read, and how memory grew.
fn grow(begin: &str, filler: &str, end: &str) -> (Result<u64, String>, usize) {
    let (told, hear) = mpsc::channel();
    let base = tempfile::tempdir().unwrap();
    let directory = Arc::new(UploadDir::new(Some(base.path().to_owned())));
    let form_limits = FormLimits { fields: FIELDS, directory, ..form_limits() };
    let site = serve_with(Limits { body_timeout: PATIENCE, ..limits() }, move |exchange: Exchange| {
        let (told, form_limits) = (told.clone(), form_limits.clone());
        async move {
            let kind = exchange.head.headers["content-type"].clone();
            let form = multipart::read(exchange.body, &kind, 2 * BODY as u64, &form_limits).await;
            let size = form.map(|form| form.files.iter().map(|file| file.size).sum());
            told.send(size.map_err(|error| error.to_string())).unwrap();
            Response::new(Body::empty())
        }
    });
    let block = filler.repeat(65_536 / filler.len());
    let count = BODY / block.len();
    let length = begin.len() + count * block.len() + end.len();
    let head = format!(
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Type: multipart/form-data; boundary=XX\r\nContent-Length: {length}\r\n\r\n{begin}"
    );
    let mut client = site.connect();
    let before = NOW.load(Ordering::Relaxed);
    PEAK.store(before, Ordering::Relaxed);
    client.send(head);
    // A server that has refused the form may stop reading.
    let _ = (0..count).try_for_each(|_| client.stream.write_all(block.as_bytes()));
    let _ = client.stream.write_all(end.as_bytes());
    let outcome = hear.recv_timeout(PATIENCE).unwrap();
    (outcome, PEAK.load(Ordering::Relaxed).saturating_sub(before))
}

#[test]
fn no_form_grows_with_its_body() {
    let file = "--XX\r\nContent-Disposition: form-data; name=f; filename=f\r\n\r\n";
    for (begin, filler, end, size) in [
        (file, "0123456789abcdef", "\r\n--XX--", Some(BODY as u64)),
        (file, "\r\n--X", "\r\n--XX--", Some((BODY / 65_535 * 65_535) as u64)),
        ("--XX--", "epilogue", "", Some(0)),
        ("", "preamble", "", None),
        ("", "\r\n--X", "", None),
        ("--XX", " ", "", None),
        ("--XX\r\nContent-Disposition: form-data; name=", "a", "", None),
        ("--XX\r\n", "a: b\r\n", "", None),
        ("--XX\r\nContent-Disposition: form-data; name=f\r\n\r\n", "value", "\r\n--XX--", None),
        ("", "--XX\r\nContent-Disposition: form-data; name=f\r\n\r\n\r\n", "--XX--", None),
        (file, "a file without end", "", None),
    ] {
        let (outcome, growth) = grow(begin, filler, end);
        assert_eq!(outcome.as_ref().ok(), size.as_ref(), "{begin:?} {filler:?}: {outcome:?}");
        assert!(growth < GROWTH, "{begin:?} {filler:?}: {growth} bytes more");
    }
}
