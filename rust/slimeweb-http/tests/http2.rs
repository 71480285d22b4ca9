//! HTTP/2 over TLS.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on fails"
)]

mod common;

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use common::{PATIENCE, TestServer, echo, limits, serve_on};
use http::{Request, Response, StatusCode, Version};
use http_body::Body as _;
use hyper::client::conn::http2::SendRequest;
use hyper_util::rt::{TokioExecutor, TokioIo};
use slimeweb_http::{Bind, Body, Config, Exchange, Limits, TlsConfig};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::pki_types::CertificateDer;
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

struct Secure {
    site: TestServer,
    certificate: CertificateDer<'static>,
}

fn secure<H, F>(handler: H) -> Secure
where
    H: Fn(Exchange) -> F + Send + Sync + Clone + 'static,
    F: Future<Output = Response<Body>> + Send + 'static,
{
    secure_with(limits(), handler)
}

fn secure_with<H, F>(limits: Limits, handler: H) -> Secure
where
    H: Fn(Exchange) -> F + Send + Sync + Clone + 'static,
    F: Future<Output = Response<Body>> + Send + 'static,
{
    let directory = tempfile::tempdir().unwrap();
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let (cert, key) = (directory.path().join("cert.pem"), directory.path().join("key.pem"));
    std::fs::write(&cert, made.cert.pem()).unwrap();
    std::fs::write(&key, made.signing_key.serialize_pem()).unwrap();
    let tls = TlsConfig::from_pem_files(&cert, &key).unwrap();
    let bind = Bind::Tcp { host: "127.0.0.1".into(), port: 0 };
    let site = serve_on(bind, Config { limits, tls: Some(tls) }, 1, handler);
    Secure { site, certificate: made.cert.der().clone() }
}

impl Secure {
    async fn connect(&self, alpn: &[&[u8]]) -> TlsStream<tokio::net::TcpStream> {
        let mut roots = RootCertStore::empty();
        roots.add(self.certificate.clone()).unwrap();
        let provider = Arc::new(tokio_rustls::rustls::crypto::ring::default_provider());
        let mut config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.alpn_protocols = alpn.iter().map(|name| name.to_vec()).collect();
        let stream = tokio::net::TcpStream::connect(self.site.tcp()).await.unwrap();
        TlsConnector::from(Arc::new(config)).connect("localhost".try_into().unwrap(), stream).await.unwrap()
    }

    async fn http2(&self) -> SendRequest<Body> {
        let stream = self.connect(&[b"h2", b"http/1.1"]).await;
        assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
        let (sender, connection) =
            hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
        tokio::spawn(connection);
        sender
    }
}

fn run(test: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async { tokio::time::timeout(PATIENCE, test).await.expect("it hangs") });
}

fn post(path: &str, body: impl Into<Bytes>) -> Request<Body> {
    Request::post(format!("https://localhost{path}")).body(Body::full(body)).unwrap()
}

async fn text(response: Response<hyper::body::Incoming>) -> String {
    let mut body = std::pin::pin!(response.into_body());
    let mut bytes = Vec::new();
    while let Some(frame) = std::future::poll_fn(|cx| body.as_mut().poll_frame(cx)).await {
        bytes.extend(frame.unwrap().into_data().unwrap_or_default());
    }
    String::from_utf8(bytes).unwrap()
}

#[test]
fn many_streams_on_one_connection() {
    let secure = secure(|exchange: Exchange| {
        assert!(exchange.connection.tls);
        assert_eq!(exchange.head.version, Version::HTTP_2);
        echo(exchange)
    });
    run(async {
        let sender = secure.http2().await;
        let big = "x".repeat(300_000);
        let mut streams = tokio::task::JoinSet::new();
        for n in 0..50 {
            let (mut sender, big) = (sender.clone(), big.clone());
            streams.spawn(async move {
                let response = sender.send_request(post(&format!("/{n}"), big.clone())).await.unwrap();
                assert_eq!(text(response).await, format!("POST /{n} {big}"));
            });
        }
        while let Some(outcome) = streams.join_next().await {
            outcome.unwrap();
        }
        assert_eq!(secure.site.handle.connections(), 1);
    });
}

#[test]
fn http_1_1_by_alpn_and_without() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    let secure = secure(echo);
    run(async {
        for alpn in [&[&b"http/1.1"[..]][..], &[]] {
            let mut stream = secure.connect(alpn).await;
            stream.write_all(b"GET /one HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").await.unwrap();
            let mut answer = String::new();
            // The end comes with a close_notify, or this would be an error.
            stream.read_to_string(&mut answer).await.unwrap();
            assert!(answer.ends_with("GET /one "), "{answer}");
        }
    });
}

#[test]
fn a_host_that_is_not_the_authority_is_refused() {
    let secure = secure(echo);
    run(async {
        let mut sender = secure.http2().await;
        for (host, status) in [("other", StatusCode::BAD_REQUEST), ("LOCALHOST", StatusCode::OK)] {
            let mut request = post("/", "");
            request.headers_mut().insert("host", host.parse().unwrap());
            assert_eq!(sender.send_request(request).await.unwrap().status(), status);
        }
    });
}

#[test]
fn an_aborted_body_resets_its_stream_only() {
    let secure = secure(|exchange: Exchange| async move {
        if exchange.head.uri.path() != "/abort" {
            return echo(exchange).await;
        }
        let (sender, body) = Body::channel(1024);
        sender.abort();
        Response::new(body)
    });
    run(async {
        let mut sender = secure.http2().await;
        let response = sender.send_request(post("/abort", "")).await;
        if let Ok(response) = response {
            let mut body = std::pin::pin!(response.into_body());
            let frame = std::future::poll_fn(|cx| body.as_mut().poll_frame(cx)).await;
            assert!(frame.unwrap().is_err());
        }
        assert_eq!(text(sender.send_request(post("/", "")).await.unwrap()).await, "POST / ");
    });
}

#[test]
fn what_was_written_before_an_abort_arrives() {
    // Within the window that the client gives a stream.
    const SIZE: usize = 1 << 20;
    let secure = secure(|exchange: Exchange| async move {
        let (sender, body) = Body::channel(SIZE);
        sender.try_send(&vec![b'x'; SIZE]).unwrap();
        if exchange.head.uri.path() == "/later" {
            // When everything is out, and nothing has to be written but the reset.
            std::thread::spawn(move || {
                while !sender.has_room() {
                    std::thread::yield_now();
                }
                std::thread::sleep(Duration::from_millis(100));
                sender.abort();
            });
        } else {
            sender.abort();
        }
        Response::new(body)
    });
    run(async {
        let mut sender = secure.http2().await;
        for path in ["/now", "/later"] {
            let response = sender.send_request(post(path, "")).await.unwrap();
            let mut body = std::pin::pin!(response.into_body());
            let mut size = 0;
            let end = loop {
                match std::future::poll_fn(|cx| body.as_mut().poll_frame(cx)).await {
                    Some(Ok(frame)) => size += frame.into_data().unwrap().len(),
                    end => break end,
                }
            };
            assert_eq!(size, SIZE);
            assert!(matches!(end, Some(Err(_))), "a reset, not an end");
        }
    });
}

#[test]
fn shutdown_finishes_the_streams_in_flight() {
    let (told, mut hear) = tokio::sync::mpsc::unbounded_channel();
    let gate = Arc::new(tokio::sync::Semaphore::new(0));
    let inner = Arc::clone(&gate);
    let secure = secure(move |exchange: Exchange| {
        let (told, gate) = (told.clone(), Arc::clone(&inner));
        async move {
            told.send(()).unwrap();
            gate.acquire().await.unwrap().forget();
            echo(exchange).await
        }
    });
    run(async {
        let mut sender = secure.http2().await;
        let mut idle = secure.http2().await;
        let answer = tokio::spawn(async move { text(sender.send_request(post("/late", "")).await.unwrap()).await });
        hear.recv().await.unwrap();
        secure.site.handle.shutdown();
        gate.add_permits(1);
        assert_eq!(answer.await.unwrap(), "POST /late ");
        let handle = secure.site.handle.clone();
        assert!(tokio::task::spawn_blocking(move || handle.wait(Some(PATIENCE))).await.unwrap());
        assert!(idle.send_request(post("/", "")).await.is_err());
    });
}

#[test]
fn a_client_that_takes_no_response_is_cut() {
    let (told, mut hear) = tokio::sync::mpsc::unbounded_channel();
    let short = Limits { send_timeout: Duration::from_millis(200), ..limits() };
    let secure = secure_with(short, move |_: Exchange| {
        let told = told.clone();
        async move {
            let (sender, body) = Body::channel(1 << 16);
            sender.on_closed(Box::new(move || told.send(()).unwrap()));
            std::thread::spawn(move || while sender.send_blocking(Bytes::from(vec![0; 1 << 16])).is_ok() {});
            Response::new(body)
        }
    });
    run(async {
        let mut sender = secure.http2().await;
        // Held, but never read.
        let _response = sender.send_request(post("/", "")).await.unwrap();
        hear.recv().await.unwrap();
    });
}
