//! One file as a response.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use bytes::Bytes;
use http::header::{ACCEPT_RANGES, ALLOW, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, ETAG, LAST_MODIFIED, RANGE};
use http::{HeaderMap, HeaderValue, Method, Response, StatusCode};

use super::cached::{self, Miss};
use super::conditions::{Outcome, Validators};
use super::range::{self, Ranged};
use crate::body::{Body, FileSection, PIECE, read_at_once};

/// A file that is open, small ones with what is in them.
pub(super) struct Opened {
    file: File,
    size: u64,
    modified: Option<SystemTime>,
    content: Option<Bytes>,
}

impl Opened {
    /// Opens a plain file. Blocks. `NotFound` for anything else: opening a pipe could block for ever.
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        if !std::fs::metadata(path)?.is_file() {
            return Err(io::ErrorKind::NotFound.into());
        }
        let mut file = File::open(path)?;
        let metadata = file.metadata()?;
        let size = metadata.len();
        let content = if size <= PIECE as u64 {
            let mut content = Vec::with_capacity(usize::try_from(size).unwrap_or(PIECE));
            (&mut file).take(size).read_to_end(&mut content)?;
            Some(Bytes::from(content))
        } else {
            None
        };
        // It may have been cut since.
        let size = content.as_ref().map_or(size, |content| content.len() as u64);
        Ok(Self { file, size, modified: metadata.modified().ok(), content })
    }

    /// Looks at a file that was opened without waiting. `Unknown` when its content is not in memory, or it is no plain file.
    pub(super) fn at_once(file: File) -> Result<Self, Miss> {
        let metadata = file.metadata().map_err(|_| Miss::Unknown)?;
        if !metadata.is_file() {
            return Err(Miss::Unknown);
        }
        let size = metadata.len();
        let content = match usize::try_from(size) {
            Ok(0) => Some(Bytes::new()),
            Ok(wanted) if wanted <= PIECE => {
                let content = read_at_once(&file, wanted).filter(|content| content.len() == wanted);
                Some(content.ok_or(Miss::Unknown)?)
            }
            _ => None,
        };
        Ok(Self { file, size, modified: metadata.modified().ok(), content })
    }

    /// Strong enough: a file changed twice within the file system's clock tick at the same size would be missed.
    fn etag(&self) -> String {
        let since = self.modified.and_then(|modified| modified.duration_since(SystemTime::UNIX_EPOCH).ok());
        format!("\"{:x}-{:x}\"", since.unwrap_or_default().as_nanos(), self.size)
    }
}

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

/// Runs what blocks where it may.
pub(super) async fn off_thread<T: Send + 'static>(
    run: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    tokio::task::spawn_blocking(run).await.unwrap_or_else(|error| Err(io::Error::other(error)))
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
    let body = if *method == Method::HEAD { Body::empty() } else { section(opened, start, length).await? };
    Ok(build(status, headers, body))
}

async fn section(opened: Opened, start: u64, length: u64) -> io::Result<Body> {
    if let Some(content) = opened.content {
        let bounds = usize::try_from(start).ok().zip(usize::try_from(start + length).ok());
        let within = bounds.filter(|(_, end)| *end <= content.len());
        return Ok(within.map_or_else(Body::empty, |(start, end)| Body::full(content.slice(start..end))));
    }
    let mut file = opened.file;
    if start > 0 {
        // A seek touches no disk.
        file.seek(SeekFrom::Start(start))?;
    }
    Ok(Body::file(FileSection::new(file, length)))
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

/// A date that HTTP can write: httpdate panics before 1970 and after 9999.
pub(crate) fn http_date(time: SystemTime) -> Option<String> {
    const END_OF_9999: u64 = 253_402_300_799;
    let seconds = time.duration_since(SystemTime::UNIX_EPOCH).ok()?.as_secs();
    (seconds <= END_OF_9999).then(|| httpdate::fmt_http_date(time))
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
