//! Files that a handler has answered with.

use http::header::ACCEPT_RANGES;
use http::{HeaderMap, Method, Response, StatusCode};
use slimeweb_http::{Body, is_exhausted};
use tokio::sync::oneshot;

use crate::error;
use crate::reply::{FileReply, InitialResponse, Reply, overloaded};
use crate::worker::work::NativeCall;

/// Sends a file, or as much of it as the request is for. Where it is not sent after all, the application's error handlers
/// answer.
pub(super) async fn send_file(mut file: FileReply) -> Response<Body> {
    let after = file.after.take();
    let response = send_or_refuse(file).await;
    match after {
        None => response,
        Some(after) => after.follow(response),
    }
}

async fn send_or_refuse(file: FileReply) -> Response<Body> {
    let state = match part(&file).await {
        Ok(response) => return response,
        Err(state) => state,
    };
    let asked = file.handled.head().headers.clone();
    let (sender, receiver) = oneshot::channel();
    file.handled.refuse(state, sender);
    match receiver.await {
        Ok(Reply::Response(response)) => response,
        // Once: an error page that cannot be sent either has no further one.
        Ok(Reply::File(page)) => part(&page).await.unwrap_or_else(|state| state.into_response(&asked)),
        // What is refused switches no protocol.
        Ok(Reply::Switch(_)) | Err(_) => overloaded(&asked),
    }
}

/// What is sent of a file, or why it is not.
async fn part(file: &FileReply) -> Result<Response<Body>, InitialResponse> {
    let FileReply { handled, path, status, headers, .. } = file;
    let head = handled.head();
    // Conditions and ranges are about a successful GET or HEAD (RFC 9110, sections 13.2.1 and 14.2).
    let is_selected = *status == StatusCode::OK && matches!(head.method, Method::GET | Method::HEAD);
    let (method, conditions) = if is_selected {
        (&head.method, &head.headers)
    } else {
        // HEAD stays, for a body that would not be sent need not be read.
        (if head.method == Method::HEAD { &Method::HEAD } else { &Method::GET }, &HeaderMap::new())
    };
    match slimeweb_http::files::serve_file(method, conditions, path, headers.clone()).await {
        Ok(response) if response.status().is_client_error() => Err(InitialResponse::refused_file(response)),
        Ok(mut response) => {
            if !is_selected {
                response.headers_mut().remove(ACCEPT_RANGES);
            }
            // A status that the handler has set is kept, unless the request is for a range or conditional.
            if response.status() == StatusCode::OK {
                *response.status_mut() = *status;
            }
            Ok(response)
        }
        Err(error) => {
            let status = match error.kind() {
                std::io::ErrorKind::NotFound => StatusCode::NOT_FOUND,
                _ if is_exhausted(&error) => StatusCode::SERVICE_UNAVAILABLE,
                _ => StatusCode::INTERNAL_SERVER_ERROR,
            };
            if status != StatusCode::NOT_FOUND {
                let asked = format!("{} {}", head.method, head.uri.path());
                log_unread(|call| handled.call_in_loop(call), &asked, status, &path.display(), &error);
            }
            Err(InitialResponse::refusal_with(status, headers.clone()))
        }
    }
}

/// Logs why a file was not sent.
pub(super) fn log_unread(
    call_in_loop: impl FnOnce(NativeCall),
    asked: &str,
    status: StatusCode,
    file: &dyn std::fmt::Display,
    error: &std::io::Error,
) {
    let what = format!("{asked}: {}, {file} could not be read", status.as_u16());
    let reason = error.to_string();
    call_in_loop(Box::new(move |py| error::log_system(py, &what, &reason)));
}
