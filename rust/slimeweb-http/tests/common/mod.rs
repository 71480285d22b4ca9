//! A server on a free port, and a client that sends bytes as they are.

#![allow(dead_code, unreachable_pub, reason = "each test file uses its own part of this")]

use std::future::Future;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use http::Response;
use slimeweb_http::multipart::{FormLimits, UploadDir};
use slimeweb_http::{Address, Bind, Body, Config, Exchange, Limits, Listener, Server, ServerHandle, Service};

/// Longer than anything here takes, so that a hang is a failure and not a hang.
pub const PATIENCE: Duration = Duration::from_secs(20);

type HandlerFuture = Pin<Box<dyn Future<Output = Response<Body>> + Send>>;

/// A service made of a function.
#[derive(Clone)]
pub struct Handler(Arc<dyn Fn(Exchange) -> HandlerFuture + Send + Sync>);

impl Service for Handler {
    fn call(
        self: &Arc<Self>,
        exchange: Exchange,
    ) -> impl Future<Output = Response<Body>> + Send + Unpin + 'static + use<> {
        (self.0)(exchange)
    }
}

pub struct TestServer {
    pub handle: ServerHandle,
    pub address: Address,
}

impl Drop for TestServer {
    fn drop(&mut self) {
        self.handle.stop();
        assert!(self.handle.wait(Some(PATIENCE)), "the server's threads have not ended");
    }
}

/// Limits that no test meets by accident.
pub fn limits() -> Limits {
    Limits {
        head_size: 64 * 1024,
        header_count: 100,
        head_timeout: Duration::from_secs(10),
        idle_timeout: Duration::from_secs(75),
        body_timeout: Duration::from_secs(30),
        body_rate: 240,
        send_timeout: Duration::from_secs(30),
        connections: 16_384,
        shutdown_grace: PATIENCE,
    }
}

/// Limits for forms that no test meets by accident; uploads go to the system's directory for temporary files.
pub fn form_limits() -> FormLimits {
    let directory = Arc::new(UploadDir::new(None));
    FormLimits { memory: 64 * 1024, fields: 1024 * 1024, parts: 1000, directory }
}

pub fn serve_on<H, F>(bind: Bind, config: Config, workers: usize, handler: H) -> TestServer
where
    H: Fn(Exchange) -> F + Send + Sync + Clone + 'static,
    F: Future<Output = Response<Body>> + Send + 'static,
{
    let listener = Listener::bind(&bind).unwrap();
    let address = listener.address().clone();
    let factory = move |_| {
        let handler = handler.clone();
        Handler(Arc::new(move |exchange| Box::pin(handler(exchange)) as HandlerFuture))
    };
    TestServer { handle: Server::start_threads(vec![listener], config, workers, factory).unwrap(), address }
}

pub fn serve_with<H, F>(limits: Limits, handler: H) -> TestServer
where
    H: Fn(Exchange) -> F + Send + Sync + Clone + 'static,
    F: Future<Output = Response<Body>> + Send + 'static,
{
    let bind = Bind::Tcp { host: "127.0.0.1".into(), port: 0 };
    serve_on(bind, Config { limits, tls: None }, 2, handler)
}

pub fn serve<H, F>(handler: H) -> TestServer
where
    H: Fn(Exchange) -> F + Send + Sync + Clone + 'static,
    F: Future<Output = Response<Body>> + Send + 'static,
{
    serve_with(limits(), handler)
}

/// Answers with the request's method, path and body.
pub async fn echo(exchange: Exchange) -> Response<Body> {
    let line = format!("{} {} ", exchange.head.method, exchange.head.uri.path());
    match exchange.body.collect(1 << 20).await {
        Ok(body) => Response::new(Body::full([line.as_bytes(), body.joined()].concat())),
        Err(error) => {
            let mut response = Response::new(Body::full(error.to_string()));
            *response.status_mut() = error.status();
            response
        }
    }
}

impl TestServer {
    pub fn tcp(&self) -> SocketAddr {
        match self.address {
            Address::Tcp(address) => address,
            Address::Unix(_) => panic!("not a TCP address"),
        }
    }

    pub fn connect(&self) -> Client {
        Client::new(TcpStream::connect(self.tcp()).unwrap())
    }

    /// Sends `bytes` on a connection of their own and gives all that comes back until it is closed.
    pub fn send(&self, bytes: impl AsRef<[u8]>) -> String {
        let mut client = self.connect();
        client.send(bytes);
        client.rest()
    }
}

pub struct Client {
    pub stream: TcpStream,
    buffer: Vec<u8>,
}

/// A response as it came.
#[derive(Debug, Default)]
pub struct TestResponse {
    pub status: u16,
    pub head: String,
    pub body: Vec<u8>,
}

impl TestResponse {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| {
            let (key, value) = line.split_once(':')?;
            key.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }

    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }
}

impl Client {
    fn new(stream: TcpStream) -> Self {
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_write_timeout(Some(PATIENCE)).unwrap();
        Self { stream, buffer: Vec::new() }
    }

    pub fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.stream.write_all(bytes.as_ref()).unwrap();
    }

    /// Ends the connection with a reset.
    pub fn reset(self) {
        socket2::SockRef::from(&self.stream).set_linger(Some(Duration::ZERO)).unwrap();
    }

    /// Ends this side, and still reads.
    pub fn finish(&self) {
        self.stream.shutdown(std::net::Shutdown::Write).unwrap();
    }

    /// False at the end.
    pub fn read_some(&mut self) -> bool {
        let mut piece = [0; 65536];
        let count = self.stream.read(&mut piece).unwrap();
        self.buffer.extend_from_slice(&piece[..count]);
        count > 0
    }

    pub fn until(&mut self, end: &[u8]) -> Vec<u8> {
        loop {
            if let Some(at) = memchr::memmem::find(&self.buffer, end) {
                return self.buffer.drain(..at + end.len()).collect();
            }
            assert!(self.read_some(), "closed before {:?}: {:?}", String::from_utf8_lossy(end), self.buffer);
        }
    }

    pub fn exactly(&mut self, count: usize) -> Vec<u8> {
        while self.buffer.len() < count {
            assert!(self.read_some(), "closed after {} of {count} bytes", self.buffer.len());
        }
        self.buffer.drain(..count).collect()
    }

    pub fn rest(&mut self) -> String {
        while self.read_some() {}
        String::from_utf8_lossy(&std::mem::take(&mut self.buffer)).into_owned()
    }

    pub fn head(&mut self) -> TestResponse {
        let head = String::from_utf8(self.until(b"\r\n\r\n")).unwrap();
        TestResponse { status: head[9..12].parse().unwrap(), head, body: Vec::new() }
    }

    /// One response with a Content-Length or chunks.
    pub fn answer(&mut self) -> TestResponse {
        let mut answer = self.head();
        if let Some(length) = answer.header("content-length") {
            let length = length.parse().unwrap();
            answer.body = self.exactly(length);
        } else if answer.header("transfer-encoding") == Some("chunked") {
            loop {
                let line = String::from_utf8(self.until(b"\r\n")).unwrap();
                let size = usize::from_str_radix(line.trim(), 16).unwrap();
                let piece = self.exactly(size);
                self.until(b"\r\n");
                if size == 0 {
                    break;
                }
                answer.body.extend(piece);
            }
        }
        answer
    }

    pub fn ask(&mut self, request: impl AsRef<[u8]>) -> TestResponse {
        self.send(request);
        self.answer()
    }
}

pub fn get(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n")
}
