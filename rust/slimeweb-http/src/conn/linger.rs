//! The last that is written to a connection, and the input that is drained after it.

use std::io;
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use http::StatusCode;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::permit::Permit;
use super::stream::NetStream;
use crate::date::http_date;

/// How long input is drained after the response and our FIN, in all and between two reads.
const LINGER_TIME: Duration = Duration::from_secs(30);
const LINGER_PAUSE: Duration = Duration::from_secs(2);

/// Takes the transport of a connection that hyper has dropped while its client may still send: closing it then would
/// make the system send a reset, which can overtake the response.
#[derive(Default)]
pub(crate) struct LingerSlot {
    left: Mutex<Option<(NetStream, Permit)>>,
    /// The status of a refusal of hyper's own that has been kept back; 0 for none.
    refusal: AtomicU16,
}

impl LingerSlot {
    pub(crate) fn take(&self) -> Option<(NetStream, Permit)> {
        self.lock().take()
    }

    /// The status with which hyper has refused what came last, where the client has not been told.
    pub(crate) fn refusal(&self) -> Option<StatusCode> {
        match self.refusal.load(Ordering::Relaxed) {
            0 => None,
            code => StatusCode::from_u16(code).ok(),
        }
    }

    /// Keeps the transport for [`take`](Self::take).
    pub(super) fn put(&self, left: Option<(NetStream, Permit)>) {
        *self.lock() = left;
    }

    /// Keeps the status of a refusal of hyper's own for [`refusal`](Self::refusal).
    pub(super) fn set_refusal(&self, status: StatusCode) {
        self.refusal.store(status.as_u16(), Ordering::Relaxed);
    }

    fn lock(&self) -> MutexGuard<'_, Option<(NetStream, Permit)>> {
        self.left.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Writes an answer that is no service's, the last one of its connection. Gives whether the client has taken it.
pub(super) async fn say(net_stream: &mut NetStream, status: StatusCode, text: &str) -> bool {
    // Without a clock that can be right there is no Date (RFC 9110, section 6.6.1).
    let date = http_date(SystemTime::now()).map(|date| format!("date: {date}\r\n")).unwrap_or_default();
    let answer = format!(
        "HTTP/1.1 {status}\r\nconnection: close\r\ncontent-type: text/plain; charset=utf-8\r\n\
         content-length: {}\r\n{date}\r\n{text}",
        text.len()
    );
    let written = async {
        net_stream.write_all(answer.as_bytes()).await?;
        net_stream.flush().await
    };
    matches!(tokio::time::timeout(LINGER_TIME, written).await, Ok(Ok(())))
}

/// Shuts down the write side and drains input, for up to [`LINGER_TIME`], so that the client gets no reset before it
/// has read the answer.
pub(super) async fn linger(mut net_stream: NetStream) {
    let closing = async {
        net_stream.shutdown().await?;
        let mut scratch = [0; 4096];
        while tokio::time::timeout(LINGER_PAUSE, net_stream.read(&mut scratch)).await?? > 0 {}
        io::Result::Ok(())
    };
    // An error ends it as well.
    let _ = tokio::time::timeout(LINGER_TIME, closing).await;
}
