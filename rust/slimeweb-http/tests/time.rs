//! Timeouts, with limits short enough to wait for.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on fails"
)]

mod common;

use std::time::{Duration, Instant};

use bytes::Bytes;
use common::{echo, get, limits, serve_with};
use http::Response;
use slimeweb_http::{Body, Exchange, Limits};

const SHORT: Duration = Duration::from_millis(150);

#[test]
fn a_slow_head_is_answered_with_408() {
    let site = serve_with(Limits { head_timeout: SHORT, ..limits() }, echo);
    let mut client = site.connect();
    assert_eq!(client.ask(get("/")).status, 200);
    let started = Instant::now();
    client.send("GET / HTTP/1.1\r\nHos");
    let answer = client.rest();
    assert!(started.elapsed() >= SHORT / 2);
    assert!(answer.starts_with("HTTP/1.1 408 ") && answer.ends_with("in time\n"), "{answer}");
}

#[test]
fn bytes_that_trickle_do_not_stretch_a_head() {
    let site = serve_with(Limits { head_timeout: SHORT, ..limits() }, echo);
    let mut client = site.connect();
    client.stream.set_nonblocking(false).unwrap();
    client.stream.set_read_timeout(Some(SHORT / 10)).unwrap();
    client.send("GET / HTTP/1.1\r\n");
    let started = Instant::now();
    let mut seen = Vec::new();
    while started.elapsed() < common::PATIENCE && !seen.ends_with(b"in time\n") {
        use std::io::{Read, Write};
        let _ = client.stream.write_all(b"X: y\r\n");
        let mut piece = [0; 4096];
        if let Ok(count) = client.stream.read(&mut piece) {
            seen.extend_from_slice(&piece[..count]);
        }
    }
    assert!(seen.starts_with(b"HTTP/1.1 408 "), "{seen:?}");
}

#[test]
fn a_connection_that_says_nothing_is_closed_without_a_word() {
    let site = serve_with(Limits { head_timeout: SHORT, ..limits() }, echo);
    assert_eq!(site.connect().rest(), "");
}

#[test]
fn an_idle_connection_is_closed_without_a_word() {
    let site = serve_with(Limits { idle_timeout: SHORT, ..limits() }, echo);
    let mut client = site.connect();
    assert_eq!(client.ask(get("/")).status, 200);
    assert_eq!(client.rest(), "");
}

#[test]
fn a_slow_handler_is_not_an_idle_connection() {
    let site = serve_with(
        Limits { idle_timeout: SHORT, head_timeout: SHORT, body_timeout: SHORT, send_timeout: SHORT, ..limits() },
        |exchange: Exchange| async {
            tokio::time::sleep(SHORT * 4).await;
            echo(exchange).await
        },
    );
    assert_eq!(site.connect().ask(get("/slow")).text(), "GET /slow ");
}

#[test]
fn a_body_that_stops_is_a_408() {
    let site = serve_with(Limits { body_timeout: SHORT, ..limits() }, echo);
    let mut client = site.connect();
    client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nabc");
    assert_eq!(client.answer().status, 408);
}

#[test]
fn a_body_that_drips_is_a_408_and_what_its_reader_takes_is_not_counted() {
    let tick = SHORT / 4;
    let site = serve_with(
        Limits { body_timeout: SHORT, body_rate: 1000, ..limits() },
        move |mut exchange: Exchange| async move {
            if exchange.head.uri.path() == "/drip" {
                return echo(exchange).await;
            }
            // Longer than all the time that a client has; each piece is there when it is asked for.
            let mut taken = 0;
            while let Some(piece) = exchange.body.chunk().await {
                taken += piece.unwrap().len();
                tokio::time::sleep(SHORT * 2).await;
            }
            Response::new(Body::full(taken.to_string()))
        },
    );
    let mut client = site.connect();
    client.send("POST /drip HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\n");
    let mut dripping = client.stream.try_clone().unwrap();
    let drops = std::thread::spawn(move || {
        (0..999)
            .take_while(|_| {
                std::thread::sleep(tick);
                std::io::Write::write_all(&mut dripping, b"x").is_ok()
            })
            .count()
    });
    assert_eq!(client.answer().status, 408);
    client.stream.shutdown(std::net::Shutdown::Both).unwrap();
    assert!(drops.join().unwrap() < 999);
    let answer = site
        .connect()
        .ask("POST /slow HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n1\r\nb\r\n0\r\n\r\n");
    assert_eq!((answer.status, answer.text()), (200, "2"));
}

#[test]
fn a_client_that_reads_nothing_is_cut() {
    let (told, hear) = std::sync::mpsc::channel();
    let site = serve_with(Limits { send_timeout: SHORT, ..limits() }, move |_: Exchange| {
        let told = told.clone();
        async move {
            let (sender, body) = Body::channel(1 << 16);
            sender.on_closed(Box::new(move || told.send(()).unwrap()));
            std::thread::spawn(move || while sender.send_blocking(Bytes::from(vec![0; 1 << 16])).is_ok() {});
            Response::new(body)
        }
    });
    let mut client = site.connect();
    client.send(get("/"));
    hear.recv_timeout(common::PATIENCE).unwrap();
}
