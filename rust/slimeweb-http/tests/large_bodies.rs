//! Bodies that are read from the socket right to where they are wanted.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on fails"
)]

mod common;

use std::mem::MaybeUninit;
use std::sync::mpsc::{self, Sender};

use common::{Client, PATIENCE, get, serve};
use http::{Response, StatusCode};
use slimeweb_http::{Body, BodyBuffer, Exchange};

/// Room for a body; tells when the client pauses.
struct Vector {
    bytes: Vec<MaybeUninit<u8>>,
    stalled: Option<Sender<()>>,
}

impl BodyBuffer for Vector {
    fn bytes(&mut self) -> &mut [MaybeUninit<u8>] {
        &mut self.bytes
    }

    fn stalled(&mut self) {
        if let Some(stalled) = &self.stalled {
            let _ = stalled.send(());
        }
    }
}

async fn echo(exchange: Exchange, stalled: Option<Sender<()>>) -> Response<Body> {
    let length = exchange.body.content_length().unwrap_or_default();
    // Nothing of it is to be what the body is made of.
    let bytes = vec![MaybeUninit::new(b'?'); usize::try_from(length).unwrap()];
    match exchange.body.read_into(Vector { bytes, stalled }).await {
        // SAFETY: all of them have been made with a value.
        Ok(room) => Response::new(Body::full(
            room.bytes.into_iter().map(|byte| unsafe { byte.assume_init() }).collect::<Vec<u8>>(),
        )),
        Err(error) => {
            let mut response = Response::new(Body::full(error.to_string()));
            *response.status_mut() = StatusCode::IM_A_TEAPOT;
            response
        }
    }
}

/// A body without zeroes, other than that of any other seed.
fn body(length: usize, seed: usize) -> Vec<u8> {
    (0..length).map(|at| u8::try_from((at * 7 + at / 251 + seed) % 255).unwrap() + 1).collect()
}

fn post(body: &[u8]) -> Vec<u8> {
    [format!("POST / HTTP/1.1\r\nHost: t\r\nContent-Length: {}\r\n\r\n", body.len()).as_bytes(), body].concat()
}

/// Sends in pieces of that size, on a thread of its own, since the answers are as long.
fn send_cut(client: &Client, bytes: Vec<u8>, size: usize) -> std::thread::JoinHandle<()> {
    use std::io::Write;
    let mut stream = client.stream.try_clone().unwrap();
    std::thread::spawn(move || bytes.chunks(size).for_each(|piece| stream.write_all(piece).unwrap()))
}

#[test]
fn requests_in_a_row_keep_apart_however_they_are_cut() {
    let site = serve(|exchange| echo(exchange, None));
    let bodies = [body(300_000, 1), body(262_144, 2), body(10, 3), body(1_000_001, 4), body(262_143, 5)];
    for size in [1_000, 4_099, 65_536, 262_144 + 60, 10_000_000] {
        let mut client = site.connect();
        let mut stream: Vec<u8> = bodies.iter().flat_map(|body| post(body)).collect();
        stream.extend(get("/end").into_bytes());
        let sending = send_cut(&client, stream, size);
        for body in &bodies {
            let answer = client.answer();
            assert!(answer.status == 200 && answer.body == *body, "cut at {size}, {} bytes", body.len());
        }
        assert_eq!(client.answer().body, b"");
        sending.join().unwrap();
    }
}

#[test]
fn a_pause_of_the_client_is_told_and_the_rest_is_read_after_it() {
    let (stalled, hear) = mpsc::channel();
    let site = serve(move |exchange| echo(exchange, Some(stalled.clone())));
    let (body, mut client) = (body(500_000, 1), site.connect());
    let request = post(&body);
    let head = request.len() - body.len();
    for piece in [&request[..head], &request[head..100_000], &request[100_000..100_001]] {
        client.send(piece);
        hear.recv_timeout(PATIENCE).unwrap();
    }
    let sending = send_cut(&client, request[100_001..].to_vec(), 50_000);
    assert_eq!(client.answer().body, body);
    sending.join().unwrap();
}

#[test]
fn a_body_that_ends_early_is_no_body() {
    let (told, hear) = mpsc::channel();
    let site = serve(move |exchange| {
        let told = told.clone();
        async move {
            let response = echo(exchange, None).await;
            told.send(response.status()).unwrap();
            response
        }
    });
    let body = body(500_000, 1);
    for sent in [0, 1, 300_000, 499_999] {
        let mut client = site.connect();
        let request = post(&body);
        client.send(&request[..request.len() - body.len() + sent]);
        client.finish();
        assert_eq!(hear.recv_timeout(PATIENCE).unwrap(), StatusCode::IM_A_TEAPOT, "{sent}");
    }
}

#[test]
fn a_reader_that_gives_up_leaves_the_rest_to_be_skipped() {
    let (stalled, hear) = mpsc::channel();
    let site = serve(move |exchange| {
        let stalled = stalled.clone();
        async move {
            if exchange.head.uri.path() == "/end" {
                return Response::new(Body::full("end"));
            }
            let patience = std::time::Duration::from_millis(20);
            match tokio::time::timeout(patience, echo(exchange, Some(stalled))).await {
                Ok(response) => response,
                Err(_) => Response::new(Body::full("gave up")),
            }
        }
    });
    let (body, mut client) = (body(500_000, 1), site.connect());
    let request = post(&body);
    client.send(&request[..100_000]);
    hear.recv_timeout(PATIENCE).unwrap();
    assert_eq!(client.answer().body, b"gave up");
    client.send(&request[100_000..]);
    assert_eq!(client.ask(get("/end")).body, b"end");
}
