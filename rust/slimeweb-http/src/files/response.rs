//! One file as a response.

use std::io;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use http::header::{ACCEPT_RANGES, ALLOW, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, ETAG, LAST_MODIFIED, RANGE};
use http::{HeaderMap, HeaderValue, Method, Response, StatusCode};

use super::cached;
use super::conditions::{Outcome, Validators};
use super::open::{Opened, off_thread};
use super::range::{self, Ranged};
use crate::body::Body;
use crate::date::http_date;

/// Answers with a file: ETag, Last-Modified, conditions, a single range, HEAD. The fields in `extra` are sent as well, and
/// stand before those that would be made here, such as Content-Type. 405 for other methods than GET and HEAD.
///
/// Files up to 64 KiB are read as a whole, larger ones piece by piece as the client takes them: off the I/O thread, unless the
/// system has them in memory.
///
/// # Errors
/// What the system says when the file cannot be opened; `NotFound` too when it is not a plain file.
pub async fn serve_file(
    method: &Method,
    request_headers: &HeaderMap,
    path: &Path,
    extra: HeaderMap,
) -> io::Result<Response<Body>> {
    let opened = match cached::open(path).and_then(Opened::at_once) {
        Ok(opened) => opened,
        Err(_) => {
            let path = PathBuf::from(path);
            off_thread(move || Opened::open(&path)).await?
        }
    };
    respond(method, request_headers, opened, path, extra).await
}

pub(super) async fn respond(
    method: &Method,
    request: &HeaderMap,
    opened: Opened,
    name: &Path,
    mut headers: HeaderMap,
) -> io::Result<Response<Body>> {
    if *method != Method::GET && *method != Method::HEAD {
        return Ok(method_not_allowed());
    }
    let etag = match headers.get(ETAG).and_then(|etag| etag.to_str().ok()) {
        Some(etag) => etag.to_owned(),
        None => opened.etag(),
    };
    if let Ok(etag) = HeaderValue::from_str(&etag) {
        headers.entry(ETAG).or_insert(etag);
    }
    if let Some(modified) = opened.modified.and_then(http_date).map(text) {
        headers.entry(LAST_MODIFIED).or_insert(modified);
    }
    let validators = Validators { etag: &etag, modified: opened.modified };
    let status = match validators.evaluate(request) {
        Outcome::NotModified => StatusCode::NOT_MODIFIED,
        Outcome::Failed => StatusCode::PRECONDITION_FAILED,
        Outcome::Send => StatusCode::OK,
    };
    if status != StatusCode::OK {
        headers.remove(CONTENT_TYPE);
        headers.remove(CONTENT_LENGTH);
        return Ok(build(status, headers, Body::empty()));
    }
    headers.entry(CONTENT_TYPE).or_insert_with(|| content_type(name));
    headers.insert(ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    let size = opened.size;
    let ranged = match request.get(RANGE).and_then(|range| range.to_str().ok()) {
        Some(range) if *method == Method::GET && validators.allow_range(request) => range::parse(range, size),
        _ => Ranged::Whole,
    };
    let (status, start, length) = match ranged {
        Ranged::Whole => (StatusCode::OK, 0, size),
        Ranged::Part { start, end } => {
            headers.insert(CONTENT_RANGE, text(format!("bytes {start}-{end}/{size}")));
            (StatusCode::PARTIAL_CONTENT, start, end - start + 1)
        }
        Ranged::Unsatisfiable => {
            headers.remove(CONTENT_TYPE);
            headers.insert(CONTENT_RANGE, text(format!("bytes */{size}")));
            return Ok(build(StatusCode::RANGE_NOT_SATISFIABLE, headers, Body::empty()));
        }
    };
    headers.insert(CONTENT_LENGTH, HeaderValue::from(length));
    let body = if *method == Method::HEAD { Body::empty() } else { opened.section(start, length)? };
    Ok(build(status, headers, body))
}

const METHODS: HeaderValue = HeaderValue::from_static("GET, HEAD, OPTIONS");

/// The methods of a file (RFC 9110, section 9.3.7).
pub(super) fn options() -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::NO_CONTENT;
    response.headers_mut().insert(ALLOW, METHODS);
    response
}

pub(super) fn method_not_allowed() -> Response<Body> {
    let mut response = Response::new(Body::full("Method Not Allowed\n"));
    *response.status_mut() = StatusCode::METHOD_NOT_ALLOWED;
    response.headers_mut().insert(ALLOW, METHODS);
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    response
}

fn build(status: StatusCode, headers: HeaderMap, body: Body) -> Response<Body> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    response
}

fn text(ascii: String) -> HeaderValue {
    HeaderValue::from_maybe_shared(Bytes::from(ascii)).unwrap_or_else(|_| HeaderValue::from_static(""))
}

fn content_type(name: &Path) -> HeaderValue {
    content_type_of(name).unwrap_or(HeaderValue::from_static("application/octet-stream"))
}

/// The Content-Type of files of that name; none where the name says nothing about it.
#[must_use]
pub fn content_type_of(name: &Path) -> Option<HeaderValue> {
    let guess = mime_guess::from_path(name).first_raw()?;
    Some(if guess.starts_with("text/") || guess == "application/javascript" {
        text(format!("{guess}; charset=utf-8"))
    } else {
        HeaderValue::from_static(guess)
    })
}
