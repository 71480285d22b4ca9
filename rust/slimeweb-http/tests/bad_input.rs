//! What a client must not send, and what it gets for it.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on fails"
)]

mod common;

use common::{echo, get, serve, serve_with};
use slimeweb_http::{Exchange, Limits};

#[test]
fn malformed_requests_never_reach_the_service() {
    let site = serve(|exchange: Exchange| async move {
        assert_ne!(exchange.head.uri.path(), "/bad");
        echo(exchange).await
    });
    let long = "a".repeat(70_000);
    let many = (0..200).map(|n| format!("x{n}: y\r\n")).collect::<String>();
    let table = [
        ("Host: a\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n", 400),
        ("Host: a\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n", 400),
        ("Host: a\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", 400),
        ("Host: a\r\nTransfer-Encoding: chunked, chunked\r\n", 501),
        ("Host: a\r\nTransfer-Encoding: gzip, chunked\r\n", 501),
        ("Host: a\r\nTransfer-Encoding: gzip\r\n", 400),
        ("Host: a\r\nTransfer-Encoding: chunked, gzip\r\n", 400),
        ("Host: a\r\nTransfer-Encoding: xchunked\r\n", 400),
        ("Host: a\r\nContent-Length: 3\r\nContent-Length: 4\r\n", 400),
        ("Host: a\r\nContent-Length: +3\r\n", 400),
        ("Host: a\r\nContent-Length: -3\r\n", 400),
        ("Host: a\r\nContent-Length: 3, 3\r\n", 400),
        ("Host: a\r\nContent-Length: \r\n", 400),
        ("Host: a\r\nContent-Length: 0x3\r\n", 400),
        ("Host: a\r\nContent-Length: 99999999999999999999999\r\n", 400),
        ("", 400),
        ("Host: a\r\nHost: b\r\n", 400),
        ("Host: a b\r\n", 400),
        ("Host: http://a/\r\n", 400),
        ("Host: a\n", 400),
        ("Host: a\r\nX: a\rb\r\n", 400),
        ("Host: a\r\nX: a\0b\r\n", 400),
        ("Host: a\r\nX : b\r\n", 400),
        ("Host: a\r\nX: b\r\n folded\r\n", 400),
        (" Host: a\r\n", 400),
        ("Host: a\r\nX\r\n", 400),
        ("Host: a\r\n: b\r\n", 400),
        (&format!("Host: a\r\nX: {long}\r\n"), 431),
        (&format!("Host: a\r\n{many}"), 431),
    ];
    for (fields, status) in table {
        let shown = &fields[..fields.len().min(80)];
        // Behind a good request on the same connection as well: the verdict belongs to its own request.
        for before in [0, 2] {
            let request =
                format!("{}POST /bad HTTP/1.1\r\n{fields}\r\nabc{}", get("/good").repeat(before), get("/bad"));
            let answers = site.send(request);
            assert_eq!(answers.matches("date: ").count(), before + 1, "{shown:?}: {answers}");
            assert_eq!(answers.matches("GET /good").count(), before, "{shown:?}: {answers}");
            assert!(answers.contains(&format!("HTTP/1.1 {status} ")), "{shown:?}: {answers}");
            assert!(answers.to_ascii_lowercase().contains("connection: close"), "{shown:?}: {answers}");
        }
    }
}

#[test]
fn malformed_request_lines_are_refused() {
    let site = serve(echo);
    for (line, status) in [
        ("GET  / HTTP/1.1", 400),
        ("GET /\tx HTTP/1.1", 400),
        ("GET / HTTP/1.2", 400),
        ("GET / HTTP/3.0", 400),
        ("GET /", 400),
        ("G@T / HTTP/1.1", 400),
        ("GET /a b HTTP/1.1", 400),
        ("GET http:// HTTP/1.1", 400),
        ("GET /\0 HTTP/1.1", 400),
        (&format!("GET /{} HTTP/1.1", "a".repeat(65_600)), 431),
    ] {
        let answer = site.send(format!("{line}\r\nHost: a\r\n\r\n"));
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{:?}: {answer:?}", &line[..line.len().min(40)]);
    }
}

#[test]
fn what_cannot_be_parsed_is_refused_with_a_text_after_the_answers_before_it() {
    let site = serve_with(Limits { head_size: 100_000, ..common::limits() }, echo);
    let (long, longest) = ("a".repeat(66_000), "a".repeat(110_000));
    let many = (0..101).map(|n| format!("x{n}: y\r\n")).collect::<String>();
    for (sent, status, text) in [
        ("no request at all\r\n\r\n".to_owned(), "400 Bad Request", "this is no HTTP/1.1 request: "),
        ("GET / HTTP/3.0\r\nHost: a\r\n\r\n".to_owned(), "400 Bad Request", "this is no HTTP/1.1 request: "),
        ("GET / HTTP/1.1\r\nHost : a\r\n\r\n".to_owned(), "400 Bad Request", "this is no HTTP/1.1 request: "),
        (format!("GET /{long} HTTP/1.1\r\nHost: a\r\n\r\n"), "414 URI Too Long", "the request target is longer than "),
        (
            format!("GET / HTTP/1.1\r\nHost: a\r\nX: {longest}\r\n\r\n"),
            "431 Request Header Fields Too Large",
            "the request head is larger than the 100000 bytes of head_size, or has more than the 100 fields",
        ),
        (
            format!("GET / HTTP/1.1\r\nHost: a\r\n{many}\r\n"),
            "431 Request Header Fields Too Large",
            "the request head is larger than the 100000 bytes of head_size, or has more than the 100 fields",
        ),
    ] {
        for before in [0, 1, 3] {
            let shown = &sent[..sent.len().min(40)];
            let mut client = site.connect();
            client.send(format!("{}{sent}", get("/good").repeat(before)));
            for _ in 0..before {
                let answer = client.answer();
                assert_eq!((answer.status, answer.text()), (200, "GET /good "), "{shown:?}");
            }
            let rest = client.rest();
            let (head, body) = rest.split_once("\r\n\r\n").unwrap_or_else(|| panic!("{shown:?}: {rest:?}"));
            let (line, fields) = head.split_once("\r\n").unwrap();
            assert_eq!(line, format!("HTTP/1.1 {status}"), "{shown:?}");
            for field in [
                "connection: close",
                "content-type: text/plain; charset=utf-8",
                &format!("content-length: {}", body.len()),
                "date: ",
            ] {
                assert!(fields.lines().any(|line| line.starts_with(field)), "{shown:?}: {field} in {fields}");
            }
            assert!(body.starts_with(text) && body.ends_with('\n'), "{shown:?}: {body:?}");
        }
    }
}

#[test]
fn a_client_that_has_ended_its_side_hears_why_it_is_refused() {
    let site = serve(echo);
    let mut client = site.connect();
    client.send("no request at all\r\n\r\n");
    client.finish();
    let answer = client.rest();
    assert!(answer.ends_with("(RFC 9112)\n"), "{answer:?}");
}

#[test]
fn transfer_encoding_has_no_place_in_http_1_0() {
    let site = serve(echo);
    let answer = site.send("POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n");
    assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
}

#[test]
fn http_1_0_needs_no_host() {
    let site = serve(echo);
    let answer = site.send("GET /x HTTP/1.0\r\n\r\n");
    assert!(answer.starts_with("HTTP/1.0 200 ") && answer.ends_with("GET /x "), "{answer}");
}

#[test]
fn malformed_chunks_are_a_400_and_the_end_of_the_connection() {
    let site = serve(echo);
    for body in [
        "x\r\n",
        "3\r\nabcd\r\n0\r\n\r\n",
        "3\nabc\r\n0\r\n\r\n",
        "ffffffffffffffffff\r\n",
        "-3\r\nabc\r\n",
        "3 x\r\nabc\r\n",
        "3\r\nabc\n0\r\n\r\n",
    ] {
        let answer = site.send(format!(
            "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n{body}{}",
            get("/smuggled")
        ));
        assert!(answer.starts_with("HTTP/1.1 400 "), "{body:?}: {answer}");
        assert!(!answer.contains("smuggled"), "{body:?}: {answer}");
    }
}

#[test]
fn good_chunks_and_trailers_keep_the_connection() {
    let site = serve(echo);
    let mut client = site.connect();
    for _ in 0..3 {
        let answer = client.ask("POST /c HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: CHUNKED\r\n\r\n3;a=b\r\nabc\r\n2\r\nde\r\n0\r\nX: y\r\n\r\n");
        assert_eq!((answer.status, answer.text()), (200, "POST /c abcde"));
    }
}

#[test]
fn the_size_of_a_head_is_limited() {
    let site = serve_with(Limits { head_size: 1000, ..common::limits() }, echo);
    let fit = format!("GET / HTTP/1.1\r\nHost: a\r\nX: {}\r\n\r\n", "a".repeat(900));
    assert_eq!(site.connect().ask(fit).status, 200);
    let answer = site.send(format!("GET / HTTP/1.1\r\nHost: a\r\nX: {}\r\n\r\n", "a".repeat(1100)));
    assert!(answer.starts_with("HTTP/1.1 431 "), "{answer}");
    let answer = site.send(format!("GET / HTTP/1.1\r\nHost: a\r\nX: {}", "a".repeat(9000)));
    assert!(answer.starts_with("HTTP/1.1 431 "), "{answer}");
}

#[test]
fn pipelined_requests_are_answered_in_order() {
    let site = serve(echo);
    let mut client = site.connect();
    let requests: String =
        (0..50).map(|n| format!("POST /{n} HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi")).collect();
    // In pieces that fall anywhere.
    for piece in requests.as_bytes().chunks(97) {
        client.send(piece);
    }
    for n in 0..50 {
        assert_eq!(client.answer().text(), format!("POST /{n} hi"));
    }
}

#[test]
fn a_client_that_still_sends_can_read_its_refusal() {
    let site = serve(|exchange: Exchange| async move {
        let error = exchange.body.collect(10).await.unwrap_err();
        let mut response = http::Response::new(slimeweb_http::Body::full(error.to_string()));
        *response.status_mut() = error.status();
        response
    });
    for _ in 0..10 {
        let mut client = site.connect();
        client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3000000\r\n\r\n");
        for _ in 0..300 {
            client.send([b'x'; 10_000]);
        }
        let answer = client.answer();
        assert_eq!(answer.status, 400);
        assert!(answer.text().contains("10 bytes"), "{answer:?}");
    }
}
