//! What each workload is answered. benchmarks/workloads.py holds the same answers and checks every server against them.

use std::future::poll_fn;
use std::path::PathBuf;
use std::pin::Pin;

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderValue, Method, Request, Response, StatusCode};
use hyper::body::{Body as _, Incoming};

use crate::body::Body;

const TEXT: HeaderValue = HeaderValue::from_static("text/plain; charset=utf-8");
const HTML: HeaderValue = HeaderValue::from_static("text/html; charset=utf-8");
const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// The service of one worker.
pub(crate) struct Answers {
    files: PathBuf,
}

impl Answers {
    /// `files` is the directory below `/static`.
    pub(crate) fn new(files: PathBuf) -> Self {
        Self { files }
    }

    /// Answers one request.
    pub(crate) async fn answer(&self, request: Request<Incoming>) -> Result<Response<Body>, hyper::Error> {
        if request.method() == Method::POST {
            return match request.uri().path() {
                "/length" => Ok(full(TEXT, length(request.into_body()).await?.to_string())),
                _ => Ok(not_found()),
            };
        }
        let path = request.uri().path();
        Ok(match path {
            "/plaintext" | "/plaintext-async" | "/sleep" | "/future" => full(TEXT, "Hello, World!"),
            "/json" => full(JSON, r#"{"message":"Hello, World!","id":42,"tags":["a","b","c"],"active":true}"#),
            "/template" => full(HTML, page()),
            "/stream" => answer(TEXT, Body::Chunked(PIECES.into_iter())),
            _ => match (path.strip_prefix("/users/"), path.strip_prefix("/static/")) {
                (Some(id), _) => user(id, &request),
                (_, Some(name)) => self.file(name),
                _ => not_found(),
            },
        })
    }

    // A page-cached file of 10 KB: reading it right here is cheaper than a trip to another thread.
    fn file(&self, name: &str) -> Response<Body> {
        if name.contains("..") {
            return not_found();
        }
        match std::fs::read(self.files.join(name)) {
            Ok(content) => full(TEXT, content),
            Err(_) => not_found(),
        }
    }
}

const PIECES: [&[u8]; 5] =
    [b"piece 0 of 5\n", b"piece 1 of 5\n", b"piece 2 of 5\n", b"piece 3 of 5\n", b"piece 4 of 5\n"];

// The limit of the template workload is sending the page, not rendering it: there is no jinja2 in Rust to compare with.
fn page() -> String {
    let mut page = String::from("<!doctype html>\n<title>Fruit</title>\n<h1>Fruit &amp; more</h1>\n<ul>\n");
    for (name, price) in [("Apple", 1), ("Banana", 2), ("Cherry", 3), ("Date", 4), ("Elderberry", 5)] {
        page.push_str(&format!("<li>{name}: {price}</li>\n"));
    }
    page.push_str("</ul>");
    page
}

fn user(id: &str, request: &Request<Incoming>) -> Response<Body> {
    let query = request.uri().query().unwrap_or_default();
    let shown = query.split('&').find_map(|pair| pair.strip_prefix("show=")).unwrap_or_default();
    let token = request.headers().get("x-token").and_then(|value| value.to_str().ok()).unwrap_or_default();
    full(TEXT, format!("{id} {shown} {token}"))
}

async fn length(mut body: Incoming) -> Result<usize, hyper::Error> {
    let mut length = 0;
    while let Some(frame) = poll_fn(|context| Pin::new(&mut body).poll_frame(context)).await {
        length += frame?.data_ref().map_or(0, Bytes::len);
    }
    Ok(length)
}

fn full(content_type: HeaderValue, body: impl Into<Bytes>) -> Response<Body> {
    answer(content_type, Body::Full(body.into()))
}

fn answer(content_type: HeaderValue, body: Body) -> Response<Body> {
    let mut response = Response::new(body);
    response.headers_mut().insert(CONTENT_TYPE, content_type);
    response
}

fn not_found() -> Response<Body> {
    let mut response = full(TEXT, "Not Found");
    *response.status_mut() = StatusCode::NOT_FOUND;
    response
}
