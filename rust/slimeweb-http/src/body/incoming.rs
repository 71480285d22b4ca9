//! The body of a request: read as a whole, piece by piece, or not at all.

use std::fmt;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http::HeaderMap;
use http::header::EXPECT;
use http_body::Body as _;
use hyper::body::Incoming;
use tokio::time::{Instant, Sleep};

use super::collected::{Collected, Collector};
use crate::conn::{BodyBuffer, ConnectionState, DirectRead, lock};
use crate::error::BodyError;

/// How long a body is read and discarded, in all and between two pieces, so that a client that goes on sending can read
/// the answer (nginx's lingering close).
const DISCARD_TIME: Duration = Duration::from_secs(30);
const DISCARD_PAUSE: Duration = Duration::from_secs(2);

/// From this length on, in bytes, a body may be read past hyper.
const MIN_DIRECT_LENGTH: u64 = 256 * 1024;

/// Until this is dropped, the connection's `ConnIo` reads a body straight into a buffer.
struct DirectReadGuard(Arc<ConnectionState>);

impl DirectReadGuard {
    fn begin(state: Arc<ConnectionState>, target: Arc<Mutex<DirectRead<dyn BodyBuffer>>>) -> Self {
        state.set_direct_read(Some(target));
        Self(state)
    }
}

impl Drop for DirectReadGuard {
    fn drop(&mut self) {
        self.0.set_direct_read(None);
    }
}

/// A request body that is still being received.
pub struct RequestBody {
    source: Option<Incoming>,
    length: Option<u64>,
    limit: u64,
    taken: u64,
    timeout: Duration,
    /// Least bytes a second of waiting, once `timeout` has been waited; 0 for any.
    rate: u64,
    /// All that has been waited for pieces that came.
    waited: Duration,
    /// Since when a piece is waited for, and until when.
    timer: Option<(Instant, Pin<Box<Sleep>>)>,
    /// The client may send nothing before it is asked to (RFC 9110, section 10.1.1).
    awaits_continue: bool,
    /// What is left when it is dropped is on its way, or will be. Not where the client waits to be asked for it, which
    /// reading does.
    is_coming: bool,
    /// It is that of an HTTP/2 stream.
    multiplexed: bool,
    /// An error has been given out, or the end.
    ended: bool,
    /// It is read in the background: when that ends, it ends.
    discarded: bool,
    /// The connection, and the request's index on it, where the body can be read past hyper.
    connection: Option<(Arc<ConnectionState>, u64)>,
}

impl fmt::Debug for RequestBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RequestBody").field("length", &self.length).field("taken", &self.taken).finish_non_exhaustive()
    }
}

impl RequestBody {
    /// `multiplexed`: over HTTP/2, where hyper asks for nothing with a 100, and clients do not wait for one for long,
    /// if at all.
    pub(crate) fn new(
        incoming: Incoming,
        headers: &HeaderMap,
        multiplexed: bool,
        timeout: Duration,
        rate: u64,
    ) -> Self {
        let length = incoming.size_hint().exact();
        let source = (!incoming.is_end_stream()).then_some(incoming);
        let expects = |value: &http::HeaderValue| value.as_bytes().eq_ignore_ascii_case(b"100-continue");
        let awaits_continue = source.is_some() && headers.get(EXPECT).is_some_and(expects);
        Self {
            source,
            length,
            limit: u64::MAX,
            taken: 0,
            timeout,
            rate,
            waited: Duration::ZERO,
            timer: None,
            awaits_continue,
            is_coming: multiplexed || !awaits_continue,
            multiplexed,
            ended: false,
            discarded: false,
            connection: None,
        }
    }

    /// Sets the HTTP/1.1 connection, and the index of the request on it, whose body this is.
    pub(crate) fn set_connection(&mut self, state: &Arc<ConnectionState>, index: u64) {
        if self.length.is_some_and(|length| length >= MIN_DIRECT_LENGTH) {
            self.connection = Some((Arc::clone(state), index));
        }
    }

    /// The announced length in bytes; none for a chunked body, or an HTTP/2 one that does not say.
    #[must_use]
    pub fn content_length(&self) -> Option<u64> {
        self.length
    }

    /// Whether it is known that there is nothing to read.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.source.is_none()
    }

    /// Whether the client may wait with the body until it is asked for it with a 100 (RFC 9110, section 10.1.1), which
    /// reading does over HTTP/1.1.
    #[must_use]
    pub fn awaits_continue(&self) -> bool {
        self.awaits_continue
    }

    /// Lets [`chunk`](Self::chunk) fail with [`BodyError::TooLarge`] past `limit` bytes.
    pub fn set_limit(&mut self, limit: u64) {
        self.limit = limit;
    }

    /// The whole body, at most `limit` bytes.
    ///
    /// # Errors
    /// [`BodyError`]; `TooLarge` without reading anything when a larger length is announced.
    pub async fn collect(mut self, limit: usize) -> Result<Collected, BodyError> {
        self.set_limit(limit as u64);
        let mut collector = Collector::default();
        let Some(mut last) = self.chunk().await.transpose()? else { return Ok(collector.finish(None)) };
        if self.length != Some(self.taken) {
            while let Some(piece) = self.chunk().await.transpose()? {
                collector.push(std::mem::replace(&mut last, piece));
            }
        }
        Ok(collector.finish(Some(last)))
    }

    /// Reads the whole body to `buffer`, which is as long as [`content_length`](Self::content_length) says, and gives
    /// it back once all of it has been written. Over HTTP/1.1, what has not come yet is read there from the socket,
    /// without a copy.
    ///
    /// # Errors
    /// [`BodyError`].
    pub async fn read_into<R: BodyBuffer>(mut self, buffer: R) -> Result<R, BodyError> {
        let connection = self.connection.take();
        let target = DirectRead::new(connection.as_ref().map_or(0, |(_, index)| *index), buffer);
        let direct_read = connection.map(|(state, _)| DirectReadGuard::begin(state, target.clone()));
        if direct_read.is_none() {
            // It is not known how much of it is there.
            lock(&target).stalled();
        }
        // hyper may have polled for the body before there was a buffer for it, and would poll again only when more
        // comes.
        let mut looked = direct_read.is_none();
        loop {
            let at = self.taken;
            let piece = poll_fn(|cx| {
                let piece = self.poll_chunk(cx);
                if piece.is_pending() && !std::mem::replace(&mut looked, true) {
                    cx.waker().wake_by_ref();
                }
                piece
            });
            let Some(piece) = piece.await.transpose()? else { break };
            let at = usize::try_from(at).map_err(|_| BodyError::Malformed)?;
            if !lock(&target).accept(at, &piece) {
                return Err(BodyError::Malformed);
            }
        }
        drop(direct_read);
        let target = Arc::into_inner(target).and_then(|target| target.into_inner().ok());
        target.and_then(DirectRead::finish).ok_or(BodyError::Disconnected)
    }

    /// The next piece as it came, never an empty one; none at the end. After an error there is nothing more.
    pub async fn chunk(&mut self) -> Option<Result<Bytes, BodyError>> {
        poll_fn(|cx| self.poll_chunk(cx)).await
    }

    fn poll_chunk(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, BodyError>>> {
        let piece = ready!(self.poll_source(cx));
        if let Some((since, _)) = self.timer.take() {
            self.waited += since.elapsed();
        }
        if !matches!(piece, Some(Ok(_))) {
            self.ended = true;
            // What is too large is there to be dropped yet.
            if !matches!(piece, Some(Err(BodyError::TooLarge { .. }))) {
                self.source = None;
            }
        }
        Poll::Ready(piece)
    }

    fn poll_source(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, BodyError>>> {
        let too_large = BodyError::TooLarge { limit: self.limit };
        loop {
            let Some(source) = self.source.as_mut().filter(|_| !self.ended) else { return Poll::Ready(None) };
            if self.taken == 0 && self.length.is_some_and(|length| length > self.limit) {
                return Poll::Ready(Some(Err(too_large)));
            }
            let frame = match Pin::new(source).poll_frame(cx) {
                Poll::Ready(frame) => frame,
                Poll::Pending => {
                    self.is_coming = true;
                    ready!(self.poll_timer(cx));
                    return Poll::Ready(Some(Err(BodyError::Timeout)));
                }
            };
            match frame {
                // To hyper a stream that the client resets, with NO_ERROR or CANCEL, has ended.
                None if self.multiplexed && !self.source.as_ref().is_none_or(http_body::Body::is_end_stream) => {
                    return Poll::Ready(Some(Err(BodyError::Disconnected)));
                }
                None => return Poll::Ready(None),
                Some(Err(error)) => return Poll::Ready(Some(Err(reason(&error)))),
                Some(Ok(frame)) => {
                    // Trailers are of no use here.
                    let Ok(data) = frame.into_data() else { continue };
                    if data.is_empty() {
                        continue;
                    }
                    self.taken = self.taken.saturating_add(data.len() as u64);
                    return Poll::Ready(Some(if self.taken > self.limit { Err(too_large) } else { Ok(data) }));
                }
            }
        }
    }

    /// A timer only where a piece has to be waited for: what the reader does in between is not the client's time.
    fn poll_timer(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let patience = self.patience();
        let (_, timer) = self.timer.get_or_insert_with(|| (Instant::now(), Box::pin(tokio::time::sleep(patience))));
        timer.as_mut().poll(cx)
    }

    /// How long the next piece may take.
    fn patience(&self) -> Duration {
        match self.taken.checked_div(self.rate) {
            None => self.timeout,
            Some(earned) => {
                let all = self.timeout.saturating_add(Duration::from_secs(earned));
                all.saturating_sub(self.waited).min(self.timeout)
            }
        }
    }

    /// Gives up on the rest, as dropping it does.
    pub fn discard(self) {}
}

/// What has not been read when it is dropped is read on in the background and forgotten, for at most 30 seconds and
/// while the client does not pause for 2, so that a client that sends on gets to read the answer, and can use the
/// connection again. To a client that waits for a 100 none is sent.
impl Drop for RequestBody {
    fn drop(&mut self) {
        let Some(source) = self.source.take().filter(|_| self.is_coming && !self.discarded) else { return };
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        let mut rest = Self {
            source: Some(source),
            length: None,
            limit: u64::MAX,
            taken: 0,
            timeout: DISCARD_PAUSE,
            rate: 0,
            waited: Duration::ZERO,
            timer: None,
            awaits_continue: false,
            is_coming: true,
            multiplexed: self.multiplexed,
            ended: false,
            discarded: true,
            connection: None,
        };
        runtime.spawn(async move {
            let deadline = Instant::now() + DISCARD_TIME;
            let read = async { while let Some(Ok(_)) = rest.chunk().await {} };
            let _ = tokio::time::timeout_at(deadline, read).await;
        });
    }
}

fn reason(error: &hyper::Error) -> BodyError {
    use std::error::Error as _;
    let io = error.source().and_then(|source| source.downcast_ref::<std::io::Error>());
    let malformed =
        io.is_some_and(|io| matches!(io.kind(), std::io::ErrorKind::InvalidInput | std::io::ErrorKind::InvalidData));
    if malformed || error.is_parse() { BodyError::Malformed } else { BodyError::Disconnected }
}
