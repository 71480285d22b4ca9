//! The I/O object given to hyper.

use std::io;
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, ready};

use http::StatusCode;
use smallvec::SmallVec;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::direct_read::{BodyBuffer, DirectRead, lock};
use super::framing::{FramingValidator, HeadEvent, percent_encoded};
use super::linger::LingerSlot;
use super::permit::Permit;
use super::raw_targets::RawTargets;
use super::state::{CloseMode, ConnectionState};
use super::stream::NetStream;
use crate::service::ConnectionInfo;

/// Pieces that are together no longer than this are written as one, in bytes.
const JOINED: usize = 2048;
/// How far to read ahead while a request is being answered, in bytes.
const AHEAD: usize = 1024;

/// A connection's transport as hyper sees it; what is read passes the validator.
pub(crate) struct ConnIo {
    // Taken only by `drop`.
    net_stream: Option<(NetStream, Permit)>,
    /// None for HTTP/2, whose framing is h2's own.
    validator: Option<FramingValidator>,
    /// None for HTTP/2.
    info: Option<Arc<ConnectionInfo>>,
    /// None for HTTP/1.1.
    raw_targets: Option<Box<RawTargets>>,
    state: Arc<ConnectionState>,
    linger_slot: Arc<LingerSlot>,
    /// Read while a request was being answered, and not given to hyper yet.
    ahead: Vec<u8>,
    /// Bytes that did not fit hyper's buffer after percent-encoding.
    overflow: Vec<u8>,
    eof: bool,
    /// How many requests had come when all their answers were written; `u64::MAX` for HTTP/2. What hyper writes before
    /// there is another is its own: the refusal of a head that it cannot parse.
    answered: u64,
}

impl ConnIo {
    pub(crate) fn http1(
        net_stream: NetStream,
        permit: Permit,
        info: Arc<ConnectionInfo>,
        state: Arc<ConnectionState>,
        linger_slot: Arc<LingerSlot>,
        head_size: usize,
    ) -> Self {
        let validator = Some(FramingValidator::new(head_size));
        Self {
            net_stream: Some((net_stream, permit)),
            validator,
            info: Some(info),
            raw_targets: None,
            state,
            linger_slot,
            ahead: Vec::new(),
            overflow: Vec::new(),
            eof: false,
            answered: 0,
        }
    }

    /// `block_size`: the most bytes that a header block may have in which targets are looked for.
    pub(crate) fn http2(net_stream: NetStream, permit: Permit, state: Arc<ConnectionState>, block_size: usize) -> Self {
        let linger_slot = Arc::default();
        let raw_targets = Some(Box::new(RawTargets::new(Arc::clone(&state), block_size)));
        Self {
            net_stream: Some((net_stream, permit)),
            validator: None,
            info: None,
            raw_targets,
            state,
            linger_slot,
            ahead: Vec::new(),
            overflow: Vec::new(),
            eof: false,
            answered: u64::MAX,
        }
    }

    /// Percent-encodes those of the bytes after the first `before` that hyper would refuse in a query. They have been
    /// validated.
    fn encode_queries(&mut self, buf: &mut ReadBuf<'_>, before: usize) {
        let places = self.validator.as_mut().map(FramingValidator::take_raw).unwrap_or_default();
        if !places.is_empty() {
            let encoded = percent_encoded(buf.filled().get(before..).unwrap_or_default(), places);
            self.replace(buf, before, encoded);
        }
    }

    /// Gives hyper `bytes` in place of what it has after the first `before`.
    fn replace(&mut self, buf: &mut ReadBuf<'_>, before: usize, mut bytes: Vec<u8>) {
        buf.set_filled(before);
        self.overflow = bytes.split_off(bytes.len().min(buf.remaining()));
        buf.put_slice(&bytes);
    }

    /// Replaces the targets in what HTTP/2 has sent that h2 would refuse. False where all of it is held back.
    fn replace_targets(&mut self, buf: &mut ReadBuf<'_>, before: usize) -> io::Result<bool> {
        let Some(raw_targets) = &mut self.raw_targets else { return Ok(true) };
        let bytes = buf.filled().get(before..).unwrap_or_default();
        if bytes.is_empty() {
            let held = raw_targets.finish();
            self.replace(buf, before, held);
            return Ok(true);
        }
        let (length, (kept, replaced)) = (bytes.len(), raw_targets.feed(bytes)?);
        if kept < length {
            self.replace(buf, before + kept, replaced);
        }
        Ok(buf.filled().len() > before)
    }

    fn net_stream(&mut self) -> io::Result<Pin<&mut NetStream>> {
        match &mut self.net_stream {
            Some((net_stream, _)) => Ok(Pin::new(net_stream)),
            None => Err(io::ErrorKind::NotConnected.into()),
        }
    }

    fn observe(&mut self, bytes: &[u8]) {
        let (Some(validator), state) = (&mut self.validator, &self.state) else { return };
        if bytes.is_empty() {
            self.eof = true;
            self.info.iter().for_each(|info| info.client_eof.set());
        }
        if state.is_upgraded() {
            self.validator = None;
            return;
        }
        validator.feed(bytes, |event| match event {
            HeadEvent::Began => state.head_began(),
            HeadEvent::Ended => state.head_ended(),
            HeadEvent::Invalid(head, head_error) => state.set_head_error(head, head_error),
        });
    }

    /// Whether the client has sent all of a message, and nothing of another one.
    fn is_between(&self) -> bool {
        self.ahead.is_empty()
            && self.overflow.is_empty()
            && self.validator.as_ref().is_some_and(FramingValidator::is_between)
    }

    /// Detects whether the client leaves while its request is being answered. A client that ends its side after a whole
    /// request gets the answer (RFC 9112, section 9.6), since that may be all that it does; but for a body that is
    /// being streamed, which may never end, and where this is the only sign that the client has gone. hyper
    /// would do so with a read of its own, and set a whole buffer aside for it each time, since the request still holds
    /// on to the one that it came in.
    fn look_ahead(&mut self, cx: &mut Context<'_>) -> io::Result<()> {
        if !self.state.is_answering() {
            if self.validator.is_some() && !self.state.is_upgraded() {
                self.answered = self.state.requests();
            }
            return Ok(());
        }
        if self.state.is_upgraded() || !self.is_between() {
            return Ok(());
        }
        if self.eof {
            return if self.state.is_streaming() { Err(io::ErrorKind::ConnectionReset.into()) } else { Ok(()) };
        }
        let mut room = [MaybeUninit::uninit(); AHEAD];
        let mut piece = ReadBuf::uninit(&mut room);
        let Poll::Ready(outcome) = self.net_stream()?.poll_read(cx, &mut piece) else { return Ok(()) };
        self.eof = outcome.is_err() || piece.filled().is_empty();
        if self.eof {
            self.info.iter().for_each(|info| info.client_eof.set());
        }
        self.ahead.extend_from_slice(piece.filled());
        let has_left = self.eof && self.state.is_streaming();
        outcome.and(if has_left { Err(io::ErrorKind::ConnectionReset.into()) } else { Ok(()) })
    }

    /// Reads a body into its buffer, and as many zeroes to `buf`; what is not of that body, to `buf`.
    fn read_direct(
        &mut self,
        direct_read: &Mutex<DirectRead<dyn BodyBuffer>>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let body = self.validator.as_ref().and_then(FramingValidator::body);
        let mut place = lock(direct_read);
        let Some((from, rest)) = body.and_then(|(head, left)| place.rest(head, left)) else {
            return self.net_stream()?.poll_read(cx, buf);
        };
        let most = rest.len().min(buf.remaining());
        let mut piece = ReadBuf::uninit(rest.get_mut(..most).unwrap_or_default());
        if self.net_stream()?.poll_read(cx, &mut piece)?.is_pending() {
            place.stalled();
            return Poll::Pending;
        }
        let count = piece.filled().len();
        place.record_read(from, count);
        buf.initialize_unfilled_to(count);
        buf.advance(count);
        Poll::Ready(Ok(()))
    }

    /// Keeps back a refusal of hyper's own, whose `head` has no text: it is written anew when the connection has ended
    /// with it.
    #[cold]
    fn keep_back(&self, head: &[u8]) -> bool {
        let code = head.strip_prefix(b"HTTP/1.").and_then(|rest| rest.get(2..5));
        let status = code.and_then(|code| StatusCode::from_bytes(code).ok());
        let Some(status) = status.filter(StatusCode::is_client_error) else { return false };
        self.linger_slot.set_refusal(status);
        true
    }

    /// Whether what is written now is hyper's own.
    fn is_refused(&self) -> bool {
        self.state.requests() == self.answered
    }

    /// Whether the client may still be sending what nobody will read, or is still to be told why it is refused.
    fn needs_linger(&self) -> bool {
        let unread = self.validator.is_some() && !self.is_between();
        let close_mode = self.state.close_mode();
        if close_mode != CloseMode::Abort && self.linger_slot.refusal().is_some() {
            return true;
        }
        !self.eof && !self.state.is_upgraded() && close_mode != CloseMode::Abort && (unread || self.state.has_head_error())
            // A half-written answer must not be followed by something else.
            && !(close_mode == CloseMode::Expire && self.state.is_write_blocked())
    }
}

impl Drop for ConnIo {
    fn drop(&mut self) {
        if self.needs_linger() {
            self.linger_slot.put(self.net_stream.take());
        }
    }
}

impl AsyncRead for ConnIo {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        let before = buf.filled().len();
        if !this.overflow.is_empty() {
            let mut piece = std::mem::take(&mut this.overflow);
            this.overflow = piece.split_off(piece.len().min(buf.remaining()));
            buf.put_slice(&piece);
            return Poll::Ready(Ok(()));
        }
        if !this.ahead.is_empty() {
            let mut piece = std::mem::take(&mut this.ahead);
            this.ahead = piece.split_off(piece.len().min(buf.remaining()));
            buf.put_slice(&piece);
            this.observe(&piece);
            this.encode_queries(buf, before);
            return Poll::Ready(Ok(()));
        }
        loop {
            let outcome = match this.state.direct_read() {
                Some(direct_read) => ready!(this.read_direct(&direct_read, cx, buf)),
                None => ready!(this.net_stream()?.poll_read(cx, buf)),
            };
            if outcome.is_err() {
                this.eof = true;
                return Poll::Ready(outcome);
            }
            this.observe(buf.filled().get(before..).unwrap_or_default());
            this.encode_queries(buf, before);
            if this.replace_targets(buf, before)? {
                return Poll::Ready(Ok(()));
            }
        }
    }
}

impl AsyncWrite for ConnIo {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, data: &[u8]) -> Poll<io::Result<usize>> {
        if self.is_refused() && self.keep_back(data) {
            return Poll::Ready(Ok(data.len()));
        }
        let outcome = self.net_stream()?.poll_write(cx, data);
        self.state.writing(outcome.is_pending());
        outcome
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        data: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        if self.is_refused() && data.first().is_some_and(|head| self.keep_back(head)) {
            return Poll::Ready(Ok(data.iter().map(|piece| piece.len()).sum()));
        }
        // One buffer costs the system less than several, and TLS makes one record of it.
        let outcome = if data.iter().map(|piece| piece.len()).sum::<usize>() <= JOINED {
            let mut joined = SmallVec::<[u8; JOINED]>::new();
            data.iter().for_each(|piece| joined.extend_from_slice(piece));
            self.net_stream()?.poll_write(cx, &joined)
        } else {
            self.net_stream()?.poll_write_vectored(cx, data)
        };
        self.state.writing(outcome.is_pending());
        outcome
    }

    fn is_write_vectored(&self) -> bool {
        self.net_stream.as_ref().is_some_and(|(net_stream, _)| net_stream.is_write_vectored())
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.look_ahead(cx)?;
        let outcome = self.net_stream()?.poll_flush(cx);
        self.state.writing(outcome.is_pending());
        if matches!(outcome, Poll::Ready(Ok(()))) {
            self.state.flushed();
        }
        outcome
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.linger_slot.refusal().is_some() {
            return Poll::Ready(Ok(()));
        }
        self.net_stream()?.poll_shutdown(cx)
    }
}
