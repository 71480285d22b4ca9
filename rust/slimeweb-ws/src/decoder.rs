//! Bytes in, events out.

use crate::close::Close;
use crate::deflate::Inflater;
use crate::error::{Error, ErrorKind};
use crate::frame::{Head, MAX_HEAD, Opcode};
use crate::mask::apply_mask;
use crate::role::Role;
use crate::text::Checked;

/// How much of a compressed frame is unmasked at a time, in bytes.
const PIECE: usize = 8 * 1024;
/// Room made ahead for a message that has only announced its size, in bytes.
const AHEAD: usize = 64 * 1024;
/// What a compressed message may weigh beyond the limit for its contents: a sender may not have gained anything by it.
const OVERHEAD: u64 = 1024;

const UNFINISHED: Error = Error::protocol("a new message inside an unfinished one");
const NOTHING: Error = Error::protocol("a continuation of no message");
const TOO_BIG: Error = Error::too_big("a message above the limit");
const FRAME_TOO_BIG: Error = Error::too_big("a frame above the limit");

/// How much a peer may send at once, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// A message, all its fragments together, after decompression.
    pub message: usize,
    /// One data frame, as it is on the wire.
    pub frame: u64,
}

impl Limits {
    /// Messages of up to `message` bytes, in frames of any size.
    pub const fn of_message(message: usize) -> Self {
        Self { message, frame: u64::MAX }
    }
}

/// A whole message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Message {
    /// Sent as text.
    Text(String),
    /// Sent as bytes.
    Binary(Vec<u8>),
}

impl Message {
    /// Its size in bytes.
    pub fn len(&self) -> usize {
        match self {
            Self::Text(text) => text.len(),
            Self::Binary(bytes) => bytes.len(),
        }
    }

    /// Whether there is nothing in it.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// What has been decoded of a peer's frames.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decoded {
    /// A whole message.
    Message(Message),
    /// To be answered by a pong with the same payload.
    Ping(Vec<u8>),
    /// The answer to a ping, or an unsolicited pong.
    Pong(Vec<u8>),
    /// The peer sends nothing after this; without a code where it gave none.
    Close(Option<Close>),
}

/// Reads what a peer sends.
///
/// It keeps the message that is being received and at most one frame's head, so its memory is bounded by its
/// [`Limits`]. Where the input is cut makes no difference to the events. After a close or an error it ignores whatever
/// comes, but for the close that follows a message above a limit.
#[derive(Debug)]
pub struct Decoder {
    role: Role,
    limits: Limits,
    inflater: Option<Inflater>,
    head: Vec<u8>,
    frame: Option<Frame>,
    message: Option<Assembly>,
    control: Vec<u8>,
    mode: Mode,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    Open,
    /// A limit was passed. The framing still holds, so what follows can be skipped until the peer closes.
    Skipping,
    /// The peer has closed, or its bytes mean nothing any more.
    Done,
}

/// The frame whose payload is being read.
#[derive(Debug)]
struct Frame {
    head: Head,
    /// Bytes of the payload read so far.
    read: u64,
}

/// A message that is not complete yet.
#[derive(Debug)]
struct Assembly {
    text: bool,
    compressed: bool,
    data: Vec<u8>,
    /// Bytes on the wire, whole frames counted when their heads are read.
    weight: u64,
    checked: Checked,
}

impl Decoder {
    /// A decoder for what the other end of `role` sends, with an inflater where compression was negotiated.
    pub fn new(role: Role, limits: Limits, inflater: Option<Inflater>) -> Self {
        Self {
            role,
            limits,
            inflater,
            head: Vec::new(),
            frame: None,
            message: None,
            control: Vec::new(),
            mode: Mode::Open,
        }
    }

    /// Reads from the front of `input`, which is left with what it has not read, up to the next event.
    ///
    /// `None`: all of it was read and there is no further event in it.
    ///
    /// # Errors
    /// The peer has broken the protocol or a limit: send the error's code in a close frame and close the connection.
    pub fn decode(&mut self, input: &mut &[u8]) -> Result<Option<Decoded>, Error> {
        if self.mode == Mode::Done {
            *input = &[];
            return Ok(None);
        }
        let result = self.advance(input);
        match &result {
            Err(error) if error.kind() == ErrorKind::TooBig => self.mode = Mode::Skipping,
            Err(_) | Ok(Some(Decoded::Close(_))) => self.mode = Mode::Done,
            Ok(_) => return result,
        }
        // Not needed any more, and the connection may linger for its closing handshake.
        self.message = None;
        result
    }

    fn advance(&mut self, input: &mut &[u8]) -> Result<Option<Decoded>, Error> {
        loop {
            let Some(mut frame) = self.frame.take() else {
                match self.read_head(input)? {
                    Some(head) => {
                        self.frame = Some(Frame { head, read: 0 });
                        self.begin(&head)?;
                        continue;
                    }
                    None => return Ok(None),
                }
            };
            let rest = frame.head.length - frame.read;
            let count = usize::try_from(rest).unwrap_or(usize::MAX).min(input.len());
            let (piece, after) = input.split_at(count);
            *input = after;
            let taken = self.payload(&frame, piece);
            frame.read += count as u64;
            if taken.is_err() || frame.read < frame.head.length {
                self.frame = Some(frame);
                return taken.map(|()| None);
            }
            if let Some(event) = self.end(&frame.head)? {
                return Ok(Some(event));
            }
        }
    }

    fn read_head(&mut self, input: &mut &[u8]) -> Result<Option<Head>, Error> {
        let compression = self.inflater.is_some();
        if self.head.is_empty() {
            // The common case: the whole head is there.
            if let Some((head, length)) = Head::read(input, self.role, compression)? {
                *input = input.get(length..).unwrap_or_default();
                return Ok(Some(head));
            }
        }
        let before = self.head.len();
        let count = input.len().min(MAX_HEAD.saturating_sub(before));
        let (taken, _) = input.split_at(count);
        self.head.extend_from_slice(taken);
        match Head::read(&self.head, self.role, compression)? {
            Some((head, length)) => {
                *input = input.get(length.saturating_sub(before)..).unwrap_or_default();
                self.head.clear();
                Ok(Some(head))
            }
            None => {
                *input = input.get(count..).unwrap_or_default();
                Ok(None)
            }
        }
    }

    /// Checks a frame against the message it belongs to, ahead of its payload.
    fn begin(&mut self, head: &Head) -> Result<(), Error> {
        if head.opcode.is_control() || self.mode == Mode::Skipping {
            return Ok(());
        }
        if head.length > self.limits.frame {
            return Err(FRAME_TOO_BIG);
        }
        let message = match (&mut self.message, head.opcode) {
            (Some(message), Opcode::Continuation) => message,
            (Some(_), _) => return Err(UNFINISHED),
            (None, Opcode::Continuation) => return Err(NOTHING),
            (empty, opcode) => empty.insert(Assembly {
                text: opcode == Opcode::Text,
                compressed: head.compressed,
                data: Vec::new(),
                weight: 0,
                checked: Checked::default(),
            }),
        };
        message.weight = message.weight.saturating_add(head.length);
        let limit = self.limits.message as u64;
        let most = if message.compressed { limit.saturating_add(limit / 8).saturating_add(OVERHEAD) } else { limit };
        if message.weight > most {
            return Err(TOO_BIG);
        }
        if !message.compressed {
            message.data.reserve(usize::try_from(head.length).unwrap_or(AHEAD).min(AHEAD));
        }
        Ok(())
    }

    fn payload(&mut self, frame: &Frame, piece: &[u8]) -> Result<(), Error> {
        let Head { opcode, mask, .. } = frame.head;
        // Only the remainder by four counts, which no cut to the machine's word changes.
        let offset = (frame.read % 4) as usize;
        if opcode.is_control() {
            extend_unmasked(&mut self.control, piece, mask, offset);
            return Ok(());
        }
        if self.mode == Mode::Skipping {
            return Ok(());
        }
        let Some(message) = &mut self.message else { return Err(NOTHING) };
        match &mut self.inflater {
            Some(inflater) if message.compressed => {
                let mut scratch = Vec::with_capacity(piece.len().min(PIECE));
                for (index, part) in piece.chunks(PIECE).enumerate() {
                    scratch.clear();
                    extend_unmasked(&mut scratch, part, mask, offset + index * PIECE);
                    inflater.push(&scratch, &mut message.data, self.limits.message)?;
                    message.check()?;
                }
            }
            _ => {
                extend_unmasked(&mut message.data, piece, mask, offset);
                let whole = frame.head.fin && frame.read + piece.len() as u64 == frame.head.length;
                if !whole {
                    message.check()?;
                }
            }
        }
        Ok(())
    }

    /// What a complete frame amounts to.
    fn end(&mut self, head: &Head) -> Result<Option<Decoded>, Error> {
        if head.opcode.is_control() {
            let body = std::mem::take(&mut self.control);
            return Ok(match head.opcode {
                Opcode::Ping | Opcode::Pong if self.mode == Mode::Skipping => None,
                Opcode::Ping => Some(Decoded::Ping(body)),
                Opcode::Pong => Some(Decoded::Pong(body)),
                _ => Some(Decoded::Close(Close::read(&body)?)),
            });
        }
        if !head.fin || self.mode == Mode::Skipping {
            return Ok(None);
        }
        let Some(mut message) = self.message.take() else { return Err(NOTHING) };
        if let (true, Some(inflater)) = (message.compressed, &mut self.inflater) {
            inflater.finish(&mut message.data, self.limits.message)?;
        }
        Ok(Some(Decoded::Message(if message.text {
            Message::Text(message.checked.finish(message.data)?)
        } else {
            Message::Binary(message.data)
        })))
    }
}

impl Assembly {
    fn check(&mut self) -> Result<(), Error> {
        if self.text { self.checked.advance(&self.data) } else { Ok(()) }
    }
}

fn extend_unmasked(out: &mut Vec<u8>, piece: &[u8], mask: Option<[u8; 4]>, offset: usize) {
    let start = out.len();
    out.extend_from_slice(piece);
    if let (Some(key), Some(new)) = (mask, out.get_mut(start..)) {
        apply_mask(new, key, offset);
    }
}
