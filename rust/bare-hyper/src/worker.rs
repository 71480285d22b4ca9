//! A thread that serves the connections it is given.

use std::io;
use std::net::TcpStream;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::runtime::Builder;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::{LocalSet, spawn_local};

use crate::answers::Answers;

/// As much as slimeweb lets hyper buffer, in bytes.
const BUFFER: usize = 64 * 1024;

/// The acceptor's end of a serving thread.
pub(crate) struct Worker {
    connections: Arc<AtomicUsize>,
    queue: UnboundedSender<TcpStream>,
}

impl Worker {
    /// How many connections it serves now.
    pub(crate) fn connections(&self) -> usize {
        self.connections.load(Ordering::Relaxed)
    }

    /// Hands it one more.
    pub(crate) fn take(&self, stream: TcpStream) {
        self.connections.fetch_add(1, Ordering::Relaxed);
        // A worker that has ended takes nothing: the stream is dropped, which closes it.
        let _ = self.queue.send(stream);
    }
}

/// Starts a thread; `answers` runs on it.
pub(crate) fn start(number: usize, answers: impl FnOnce() -> Rc<Answers> + Send + 'static) -> io::Result<Worker> {
    let connections = Arc::new(AtomicUsize::new(0));
    let (queue, streams) = unbounded_channel();
    let runtime = Builder::new_current_thread().enable_io().build()?;
    let open = connections.clone();
    thread::Builder::new()
        .name(format!("worker-{number}"))
        .spawn(move || LocalSet::new().block_on(&runtime, serve(streams, answers(), open)))?;
    Ok(Worker { connections, queue })
}

async fn serve(mut streams: UnboundedReceiver<TcpStream>, answers: Rc<Answers>, open: Arc<AtomicUsize>) {
    while let Some(stream) = streams.recv().await {
        let (answers, open) = (answers.clone(), open.clone());
        spawn_local(async move {
            if let Ok(stream) = tokio::net::TcpStream::from_std(stream) {
                let service = service_fn(|request| answers.answer(request));
                let connection = http1::Builder::new()
                    .half_close(false)
                    .max_buf_size(BUFFER)
                    .serve_connection(TokioIo::new(stream), service);
                // An error ends this connection alone, and is not reported.
                let _ = connection.await;
            }
            open.fetch_sub(1, Ordering::Relaxed);
        });
    }
}
