//! Static files over a real connection.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on fails"
)]

mod common;

use std::fs;
use std::path::Path;

use common::{TestResponse, TestServer, serve};
use http::Response;
use slimeweb_http::files::StaticDir;
use slimeweb_http::{Body, Exchange};

fn site(root: &Path) -> TestServer {
    let directory = StaticDir::new(root, "/static/");
    serve(move |exchange: Exchange| {
        let directory = directory.clone();
        async move {
            let head = &exchange.head;
            directory.serve(&head.method, &head.headers, &head.uri).await.unwrap().unwrap_or_else(|| {
                let mut response = Response::new(Body::empty());
                *response.status_mut() = http::StatusCode::NOT_FOUND;
                response
            })
        }
    })
}

fn ask(site: &TestServer, method: &str, path: &str, fields: &str) -> TestResponse {
    let mut client = site.connect();
    client.send(format!("{method} {path} HTTP/1.1\r\nHost: a\r\n{fields}\r\n"));
    let bodiless = method == "HEAD";
    if bodiless { client.head() } else { client.answer() }
}

#[test]
fn files_with_all_that_belongs_to_them() {
    let directory = tempfile::tempdir().unwrap();
    let big: Vec<u8> = (0..300_000u32).map(|n| n.to_le_bytes()[0]).collect();
    fs::write(directory.path().join("a.css"), "body {}").unwrap();
    fs::write(directory.path().join("big.bin"), &big).unwrap();
    fs::write(directory.path().join("empty"), "").unwrap();
    let site = site(directory.path());

    let answer = ask(&site, "GET", "/static/a.css", "");
    assert_eq!((answer.status, answer.text()), (200, "body {}"));
    assert_eq!(answer.header("content-type"), Some("text/css; charset=utf-8"));
    assert_eq!(answer.header("accept-ranges"), Some("bytes"));
    let (etag, modified) = (answer.header("etag").unwrap(), answer.header("last-modified").unwrap());

    let head = ask(&site, "HEAD", "/static/a.css", "");
    assert_eq!((head.status, head.header("content-length"), head.header("etag")), (200, Some("7"), Some(etag)));

    for fields in [format!("If-None-Match: {etag}\r\n"), format!("If-Modified-Since: {modified}\r\n")] {
        assert_eq!(ask(&site, "GET", "/static/a.css", &fields).status, 304);
    }
    assert_eq!(ask(&site, "GET", "/static/a.css", "If-Match: \"x\"\r\n").status, 412);

    let answer = ask(&site, "GET", "/static/big.bin", "");
    assert_eq!((answer.status, answer.body == big), (200, true));
    let answer = ask(&site, "GET", "/static/big.bin", "Range: bytes=100000-200000\r\n");
    assert_eq!((answer.status, answer.header("content-range")), (206, Some("bytes 100000-200000/300000")));
    assert!(answer.body == big[100_000..=200_000]);
    let answer = ask(&site, "GET", "/static/a.css", "Range: bytes=-2\r\n");
    assert_eq!((answer.status, answer.text()), (206, "{}"));
    let answer = ask(&site, "GET", "/static/a.css", "Range: bytes=7-\r\n");
    assert_eq!((answer.status, answer.header("content-range")), (416, Some("bytes */7")));
    assert_eq!(ask(&site, "GET", "/static/a.css", "Range: bytes=0-1,3-4\r\n").status, 200);
    assert_eq!(ask(&site, "GET", "/static/a.css", "Range: bytes=0-1\r\nIf-Range: \"x\"\r\n").status, 200);
    assert_eq!(ask(&site, "GET", "/static/a.css", &format!("Range: bytes=0-1\r\nIf-Range: {etag}\r\n")).status, 206);
    assert_eq!(ask(&site, "GET", "/static/empty", "").text(), "");

    for (method, status) in [("POST", 405), ("OPTIONS", 204)] {
        let answer = ask(&site, method, "/static/a.css", "Content-Length: 0\r\n");
        assert_eq!((answer.status, answer.header("allow")), (status, Some("GET, HEAD, OPTIONS")));
    }
}

#[test]
fn precompressed_files_go_to_those_who_take_them() {
    let directory = tempfile::tempdir().unwrap();
    for (name, content) in [("a.js", "plain"), ("a.js.br", "brotli"), ("a.js.gz", "gzip"), ("b.js", "plain")] {
        fs::write(directory.path().join(name), content).unwrap();
    }
    let site = site(directory.path());
    for (accept, encoding, content) in
        [("br, gzip", Some("br"), "brotli"), ("gzip", Some("gzip"), "gzip"), ("zstd", None, "plain")]
    {
        let answer = ask(&site, "GET", "/static/a.js", &format!("Accept-Encoding: {accept}\r\n"));
        assert_eq!((answer.header("content-encoding"), answer.text()), (encoding, content), "{accept}");
        assert_eq!(answer.header("content-type"), Some("text/javascript; charset=utf-8"));
        assert_eq!(answer.header("vary"), Some("accept-encoding"));
    }
    assert_eq!(ask(&site, "GET", "/static/b.js", "Accept-Encoding: br\r\n").header("vary"), None);
}

#[test]
fn nothing_outside_and_nothing_hidden() {
    let outer = tempfile::tempdir().unwrap();
    let root = outer.path().join("root");
    fs::create_dir_all(root.join("sub")).unwrap();
    fs::create_dir_all(root.join("bare")).unwrap();
    fs::write(outer.path().join("secret"), "secret").unwrap();
    fs::write(root.join(".hidden"), "secret").unwrap();
    fs::write(root.join("sub/index.html"), "index").unwrap();
    #[cfg(unix)]
    {
        std::os::unix::fs::symlink(outer.path().join("secret"), root.join("link")).unwrap();
        std::os::unix::fs::symlink(outer.path(), root.join("up")).unwrap();
        std::os::unix::fs::symlink(root.join("sub/index.html"), root.join("good")).unwrap();
        std::os::unix::fs::symlink(outer.path().join("secret"), root.join("good.gz")).unwrap();
    }
    let site = site(&root);
    for path in [
        "/static/../secret",
        "/static/%2e%2e/secret",
        "/static/..%2fsecret",
        "/static//secret",
        "/static/.hidden",
        "/static/sub/..%5c..%5csecret",
        "/static/link",
        "/static/up/secret",
        "/static/bare/",
        "/static/bare",
        "/static/sub/index.html/",
        "/static/%00",
        "/staticsub/",
        "/secret",
    ] {
        assert_eq!(ask(&site, "GET", path, "").status, 404, "{path}");
    }
    assert_eq!(ask(&site, "GET", "/static/sub/", "").text(), "index");
    let answer = ask(&site, "GET", "/static/sub", "");
    assert_eq!((answer.status, answer.header("location")), (308, Some("/static/sub/")));
    #[cfg(unix)]
    assert_eq!(ask(&site, "GET", "/static/good", "Accept-Encoding: gzip\r\n").text(), "index");
}
