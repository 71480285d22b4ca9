//! Files that a handler has answered with.

use http::header::ACCEPT_RANGES;
use http::{Method, Response, StatusCode};
use slimeweb_http::{Body, is_exhausted};

use crate::error;
use crate::reply::{FileReply, text};
use crate::worker::work::CallInLoop;

/// Sends a file, or as much of it as the request is for.
pub(super) async fn send_file(file: FileReply) -> Response<Body> {
    let FileReply { workers, worker_id, uri, path, status, headers, mut method, mut conditions } = file;
    let asked = method.clone();
    // Conditions and ranges are about a successful GET or HEAD (RFC 9110, sections 13.2.1 and 14.2).
    let is_selected = status == StatusCode::OK && matches!(method, Method::GET | Method::HEAD);
    if !is_selected {
        conditions.clear();
        // HEAD stays, for a body that would not be sent need not be read.
        if method != Method::HEAD {
            method = Method::GET;
        }
    }
    match slimeweb_http::files::serve_file(&method, &conditions, &path, headers).await {
        Ok(mut response) => {
            if !is_selected {
                response.headers_mut().remove(ACCEPT_RANGES);
            }
            // A status that the handler has set is kept, unless the request is for a range or conditional.
            if response.status() == StatusCode::OK {
                *response.status_mut() = status;
            }
            response
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => text(StatusCode::NOT_FOUND, "Not Found"),
        Err(error) => {
            let (status, said) = if is_exhausted(&error) {
                (StatusCode::SERVICE_UNAVAILABLE, "Service Unavailable")
            } else {
                (StatusCode::INTERNAL_SERVER_ERROR, "Internal Server Error")
            };
            log_unread(&*workers, worker_id, &format!("{asked} {}", uri.path()), status, &path.display(), &error);
            text(status, said)
        }
    }
}

/// Logs why a file was not sent.
pub(super) fn log_unread(
    workers: &dyn CallInLoop,
    worker_id: usize,
    asked: &str,
    status: StatusCode,
    file: &dyn std::fmt::Display,
    error: &std::io::Error,
) {
    let what = format!("{asked}: {}, {file} could not be read", status.as_u16());
    let reason = error.to_string();
    workers.call_in_loop(worker_id, Box::new(move |py| error::log_system(py, &what, &reason)));
}
