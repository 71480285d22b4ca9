//! Starting, filling up, shutting down.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on fails"
)]

mod common;

use std::io::Read;
use std::pin::Pin;
use std::sync::{Arc, mpsc};
use std::time::Duration;

use bytes::Bytes;
use common::{PATIENCE, echo, get, limits, serve, serve_on, serve_with};
use http::{Response, StatusCode};
use slimeweb_http::{Bind, Body, Config, Exchange, Limits};
use tokio::sync::Semaphore;

/// A handler that tells when it is called, and answers when it is let go.
type HandlerFuture = Pin<Box<dyn Future<Output = Response<Body>> + Send>>;

fn gated() -> (mpsc::Receiver<()>, Arc<Semaphore>, impl Fn(Exchange) -> HandlerFuture + Send + Sync + Clone) {
    let (told, hear) = mpsc::channel();
    let gate = Arc::new(Semaphore::new(0));
    let inner = Arc::clone(&gate);
    let handler = move |exchange: Exchange| {
        let (told, gate) = (told.clone(), Arc::clone(&inner));
        Box::pin(async move {
            told.send(()).unwrap();
            gate.acquire().await.unwrap().forget();
            echo(exchange).await
        }) as HandlerFuture
    };
    (hear, gate, handler)
}

#[test]
fn shutdown_finishes_what_is_in_flight_and_closes_what_is_idle() {
    let (called, gate, handler) = gated();
    let bind = Bind::Tcp { host: "127.0.0.1".into(), port: 0 };
    let site = serve_on(bind, Config { limits: limits(), tls: None }, 1, handler);
    let (mut idle, mut busy) = (site.connect(), site.connect());
    idle.send(get("/first"));
    called.recv_timeout(PATIENCE).unwrap();
    gate.add_permits(1);
    assert_eq!(idle.answer().status, 200);
    busy.send(get("/busy"));
    called.recv_timeout(PATIENCE).unwrap();

    assert!(!site.handle.is_shutting_down());
    site.handle.shutdown();
    assert!(site.handle.is_shutting_down());
    assert_eq!(idle.rest(), "");
    assert!(!site.handle.wait(Some(Duration::from_millis(1))));
    gate.add_permits(1);
    let answer = busy.answer();
    assert_eq!((answer.text(), answer.header("connection")), ("GET /busy ", Some("close")));
    assert_eq!(busy.rest(), "");
    assert!(site.handle.wait(Some(PATIENCE)));
    assert!(std::net::TcpStream::connect(site.tcp()).is_err());
    assert_eq!(site.handle.connections(), 0);
}

#[test]
fn shutdown_gives_up_after_the_grace_time() {
    let (called, _gate, handler) = gated();
    let site = serve_with(Limits { shutdown_grace: Duration::from_millis(50), ..limits() }, handler);
    let mut client = site.connect();
    client.send(get("/"));
    called.recv_timeout(PATIENCE).unwrap();
    site.handle.shutdown();
    assert!(site.handle.wait(Some(PATIENCE)));
    assert_eq!(client.stream.read(&mut [0; 10]).unwrap_or(0), 0);
}

#[test]
fn stop_does_not_wait() {
    let (called, _gate, handler) = gated();
    let site = serve(handler);
    let mut client = site.connect();
    client.send(get("/"));
    called.recv_timeout(PATIENCE).unwrap();
    site.handle.stop();
    assert!(site.handle.wait(Some(PATIENCE)));
}

#[test]
fn connections_past_the_limit_wait_for_their_turn() {
    let site = serve_with(Limits { connections: 2, ..limits() }, echo);
    let (mut first, mut second) = (site.connect(), site.connect());
    assert_eq!((first.ask(get("/1")).status, second.ask(get("/2")).status), (200, 200));
    let mut third = site.connect();
    third.send(get("/3"));
    third.stream.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
    assert!(third.stream.read(&mut [0; 1]).is_err());
    assert_eq!(site.handle.connections(), 2);
    drop(first);
    third.stream.set_read_timeout(Some(PATIENCE)).unwrap();
    assert_eq!(third.answer().text(), "GET /3 ");
}

#[test]
fn a_panic_is_a_500_and_the_connection_lives_on() {
    let site = serve(|exchange: Exchange| async move {
        assert_ne!(exchange.head.uri.path(), "/panic", "on purpose");
        echo(exchange).await
    });
    let mut client = site.connect();
    let answer = client.ask(get("/panic"));
    assert_eq!((answer.status, answer.text()), (500, "Internal Server Error\n"));
    assert_eq!(client.ask(get("/")).status, 200);
}

#[test]
fn a_client_that_resets_ends_its_handler() {
    struct Told(mpsc::Sender<()>);
    impl Drop for Told {
        fn drop(&mut self) {
            let _ = self.0.send(());
        }
    }
    let (told, hear) = mpsc::channel();
    let (begun, begin) = mpsc::channel();
    let site = serve(move |_: Exchange| {
        let (guard, begun) = (Told(told.clone()), begun.clone());
        async move {
            let _guard = guard;
            begun.send(()).unwrap();
            std::future::pending().await
        }
    });
    let mut client = site.connect();
    client.send(get("/"));
    begin.recv_timeout(PATIENCE).unwrap();
    client.reset();
    hear.recv_timeout(PATIENCE).unwrap();
}

#[test]
fn a_client_that_ends_its_side_gets_its_answers() {
    let (hear, gate, handler) = gated();
    let site = serve(handler);
    let mut client = site.connect();
    client.send(get("/first"));
    hear.recv_timeout(PATIENCE).unwrap();
    client.send(get("/second"));
    client.finish();
    gate.add_permits(2);
    assert_eq!(client.answer().status, 200);
    assert_eq!(client.answer().status, 200);
    assert_eq!(client.rest(), "");
}

#[test]
fn what_comes_during_an_answer_is_read_after_it() {
    let (hear, gate, handler) = gated();
    let site = serve(handler);
    let mut client = site.connect();
    client.send(get("/first"));
    hear.recv_timeout(PATIENCE).unwrap();
    // More than is read ahead, with an end that falls into a head and one that falls into a body.
    let body = "b".repeat(3000);
    for part in [
        &get("/second")[..20],
        &get("/second")[20..],
        "POST /third HTTP/1.1\r\nHost: a\r\n",
        "Content-Length: 3000\r\n\r\n",
    ] {
        client.send(part);
    }
    client.send(&body[..1000]);
    gate.add_permits(3);
    assert_eq!(client.answer().text(), "GET /first ");
    assert_eq!(client.answer().text(), "GET /second ");
    client.send(&body[1000..]);
    assert_eq!(client.answer().text(), format!("POST /third {body}"));
}

/// A 101, after which the connection sends back what comes; none where it cannot be upgraded.
fn switch_to_echo(exchange: &mut Exchange) -> Option<Response<Body>> {
    let upgrade = Exchange::on_upgrade(&mut exchange.head)?;
    tokio::spawn(async move {
        let (mut read, mut write) = tokio::io::split(upgrade.await.unwrap());
        tokio::io::copy(&mut read, &mut write).await.unwrap();
    });
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    response.headers_mut().insert("connection", "upgrade".parse().unwrap());
    response.headers_mut().insert("upgrade", "echo".parse().unwrap());
    Some(response)
}

#[test]
fn what_comes_ahead_of_an_upgrade_is_the_new_protocols() {
    let (told, hear) = mpsc::channel();
    let gate = Arc::new(Semaphore::new(0));
    let inner = Arc::clone(&gate);
    let site = serve(move |mut exchange: Exchange| {
        let (told, gate) = (told.clone(), Arc::clone(&inner));
        async move {
            told.send(()).unwrap();
            gate.acquire().await.unwrap().forget();
            switch_to_echo(&mut exchange).unwrap()
        }
    });
    let mut client = site.connect();
    client.send("GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\n");
    hear.recv_timeout(PATIENCE).unwrap();
    let early: Vec<u8> = (0..5000).map(|n| b'a' + (n % 26) as u8).collect();
    client.send(&early);
    gate.add_permits(1);
    assert_eq!(client.head().status, 101);
    assert_eq!(client.exactly(early.len()), early);
}

#[test]
fn an_aborted_body_shows() {
    let (told, hear) = mpsc::channel();
    let site = serve(move |_: Exchange| {
        let (sender, body) = Body::channel(1024);
        sender.try_send(b"begun").unwrap();
        told.send(sender).unwrap();
        std::future::ready(Response::new(body))
    });
    let mut client = site.connect();
    client.send(get("/"));
    client.until(b"begun");
    hear.recv_timeout(PATIENCE).unwrap().abort();
    // Not the chunk of size 0 that ends a body.
    assert_eq!(client.rest(), "\r\n");
}

#[test]
fn what_was_written_before_an_abort_arrives() {
    const SIZE: usize = 4 << 20;
    let site = serve(move |_: Exchange| {
        let (sender, body) = Body::channel(SIZE);
        sender.try_send(&vec![b'x'; SIZE]).unwrap();
        sender.abort();
        std::future::ready(Response::new(body))
    });
    let mut client = site.connect();
    client.send(get("/"));
    assert_eq!(client.head().status, 200);
    let rest = client.rest();
    assert_eq!(rest.matches('x').count(), SIZE);
    assert!(!rest.ends_with("0\r\n\r\n"));
}

#[test]
fn a_written_body_arrives_whole() {
    let site = serve(|_: Exchange| async {
        let (sender, body) = Body::channel(4096);
        std::thread::spawn(move || (0..1000u32).try_for_each(|n| sender.send_blocking(Bytes::from(format!("{n:08}")))));
        Response::new(body)
    });
    let answer = site.connect().ask(get("/"));
    assert_eq!(answer.text(), (0..1000u32).map(|n| format!("{n:08}")).collect::<String>());
}

#[test]
fn an_upgraded_connection_is_bytes_in_bytes_out() {
    let site = serve(|mut exchange: Exchange| async move {
        match switch_to_echo(&mut exchange) {
            Some(response) => response,
            None => echo(exchange).await,
        }
    });
    let mut client = site.connect();
    // Bytes that come along with the request, and that no HTTP parser would like.
    client.send("GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\n\0early\n\n");
    assert_eq!(client.head().status, 101);
    assert_eq!(client.exactly(8), b"\0early\n\n");
    let big = vec![7; 1 << 20];
    let mut writer = client.stream.try_clone().unwrap();
    let sent = big.clone();
    let writing = std::thread::spawn(move || std::io::Write::write_all(&mut writer, &sent).unwrap());
    assert_eq!(client.exactly(big.len()), big);
    writing.join().unwrap();
    assert_eq!(site.handle.connections(), 1);
}

#[test]
fn an_upgrade_that_is_refused_is_a_request_like_others() {
    let site = serve(echo);
    let mut client = site.connect();
    for _ in 0..2 {
        assert_eq!(client.ask("GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\n").status, 200);
    }
}

#[cfg(unix)]
#[test]
fn unix_sockets() {
    use std::io::Write;

    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("socket");
    let config = Config { limits: limits(), tls: None };
    let site = serve_on(Bind::Unix { path: path.clone(), mode: None }, config, 1, echo);
    assert_eq!(site.address.to_string(), format!("unix:{}", path.display()));
    let mut stream = std::os::unix::net::UnixStream::connect(&path).unwrap();
    stream.write_all(b"GET /u HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.ends_with("GET /u "), "{answer}");
    site.handle.shutdown();
    assert!(site.handle.wait(Some(PATIENCE)));
    assert!(!path.exists());
}

#[test]
fn a_service_that_cannot_be_made_is_an_error() {
    struct Never;
    impl slimeweb_http::Service for Never {
        fn call(
            self: &std::sync::Arc<Self>,
            _: Exchange,
        ) -> impl Future<Output = Response<Body>> + Send + Unpin + 'static + use<> {
            std::future::pending()
        }
    }
    let listener = slimeweb_http::Listener::bind(&Bind::Tcp { host: "127.0.0.1".into(), port: 0 }).unwrap();
    let config = Config { limits: limits(), tls: None };
    let outcome =
        slimeweb_http::Server::start_threads(vec![listener], config, 1, |_| -> Never { panic!("on purpose") });
    assert!(outcome.is_err());
}
