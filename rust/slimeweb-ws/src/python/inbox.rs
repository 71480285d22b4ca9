//! The inbox: events that no callback has taken yet, and bytes that have not been decoded.
//!
//! Bytes are decoded as they arrive, so that pings are answered and closes seen while a callback is busy, but only as
//! long as there is room for what they contain. Beyond that they are kept as they are, and the transport stops reading.

use std::collections::VecDeque;

use parking_lot::Mutex;

use crate::{Decoded, Decoder, Error, Message};

/// Beyond either of these no more is decoded: messages, and their bytes together.
const MESSAGES: usize = 128;
const BYTES: usize = 256 * 1024;
/// What a message costs beside its bytes.
const OVERHEAD: usize = 64;

/// What a callback is called for.
pub(super) enum Event {
    Open,
    Message(Message),
    Error(Error),
    /// The client's close frame, answered once callbacks have taken what came before it.
    DeferredClose,
    Lost,
}

struct State {
    events: VecDeque<Event>,
    /// What the messages in it weigh.
    bytes: usize,
    /// A thread is running callbacks, or has been scheduled to.
    busy: bool,
    /// There is more to decode, for which there was no room.
    held: bool,
    /// The connection is gone.
    lost: bool,
    /// `Lost` has been taken.
    ended: bool,
}

struct PendingInput {
    decoder: Decoder,
    /// Bytes that arrived while there was no room. Bounded by what a transport has in flight when it is told to pause.
    raw: Vec<u8>,
    /// How far those have been decoded.
    at: usize,
    /// The client sends no more than that.
    ended: bool,
}

pub(super) struct Inbox {
    state: Mutex<State>,
    input: Mutex<PendingInput>,
}

/// What decoding has come to.
pub(super) enum DecodeOutcome {
    /// All bytes have been decoded.
    Nothing,
    /// There is no room for more.
    Full,
    Decoded(Decoded),
    Failed(Error),
}

impl Inbox {
    pub(super) fn new(decoder: Decoder) -> Self {
        Self {
            state: Mutex::new(State {
                events: VecDeque::new(),
                bytes: 0,
                busy: false,
                held: false,
                lost: false,
                ended: false,
            }),
            input: Mutex::new(PendingInput { decoder, raw: Vec::new(), at: 0, ended: false }),
        }
    }

    /// Adds an event. True: no thread is running callbacks, and the caller is to schedule one.
    pub(super) fn post(&self, event: Event) -> bool {
        let mut state = self.state.lock();
        state.bytes += event.weight();
        state.events.push_back(event);
        !std::mem::replace(&mut state.busy, true)
    }

    /// Queues the answer to the client's close frame behind the events. False: no callbacks run and none are due, so
    /// that it can be answered now.
    pub(super) fn defer_close(&self) -> bool {
        let mut state = self.state.lock();
        if state.busy {
            state.events.push_back(Event::DeferredClose);
        }
        state.busy
    }

    /// How many events wait for callbacks.
    pub(super) fn pending_events(&self) -> usize {
        self.state.lock().events.len()
    }

    /// The client sends no more. Whether there is something left to decode.
    pub(super) fn end_input(&self) -> bool {
        let mut input = self.input.lock();
        input.ended = true;
        !input.raw.is_empty()
    }

    /// Whether the client sends no more and all that it has sent has been decoded.
    pub(super) fn is_input_over(&self) -> bool {
        let input = self.input.lock();
        input.ended && input.raw.is_empty()
    }

    /// The connection is gone; `Lost` is the last event there will be. True as for [`post`](Self::post).
    pub(super) fn lose(&self) -> bool {
        let mut state = self.state.lock();
        state.lost = true;
        !std::mem::replace(&mut state.busy, true)
    }

    /// The next event, for the thread that runs callbacks. `None`: there is none, and the thread is to stop.
    ///
    /// The flag says that there is room again for what had to wait, once.
    pub(super) fn take(&self) -> (Option<Taken>, bool) {
        let mut state = self.state.lock();
        let event = state.events.pop_front();
        if let Some(event) = &event {
            state.bytes -= event.weight();
        }
        let room = state.held && state.events.len() <= MESSAGES / 2 && state.bytes <= BYTES / 2;
        if room {
            state.held = false;
        }
        let taken = match event {
            Some(event) => Some(Taken::Event(event)),
            None if state.lost && !state.ended => Some(Taken::Drained),
            None => {
                state.busy = false;
                None
            }
        };
        (taken, room)
    }

    /// Everything that came before the connection was lost has been taken: `Lost` is the last event.
    pub(super) fn end(&self) {
        self.state.lock().ended = true;
    }

    pub(super) fn is_held(&self) -> bool {
        self.state.lock().held
    }

    /// Whether decoding may go on; if not, it is held until `take` says that there is room.
    fn admits(&self) -> bool {
        let mut state = self.state.lock();
        if !state.lost && (state.held || state.events.len() >= MESSAGES || state.bytes >= BYTES) {
            state.held = true;
        }
        !state.held || state.lost
    }

    /// Decodes from `data` up to the next event. Where there is no room, all of `data` is kept for later.
    ///
    /// To be called by one thread at a time.
    pub(super) fn decode(&self, data: &mut &[u8]) -> DecodeOutcome {
        let admits = self.admits();
        let mut input = self.input.lock();
        if admits && input.raw.is_empty() {
            return input.decoder.decode(data).into();
        }
        input.keep(data);
        if admits { input.decode_kept() } else { DecodeOutcome::Full }
    }
}

impl PendingInput {
    fn keep(&mut self, data: &mut &[u8]) {
        if data.is_empty() {
            return;
        }
        self.raw.drain(..self.at);
        self.at = 0;
        self.raw.extend_from_slice(data);
        *data = &[];
    }

    fn decode_kept(&mut self) -> DecodeOutcome {
        let mut rest = self.raw.get(self.at..).unwrap_or_default();
        let outcome = self.decoder.decode(&mut rest).into();
        self.at = self.raw.len() - rest.len();
        if rest.is_empty() {
            (self.raw, self.at) = (Vec::new(), 0);
        }
        outcome
    }
}

/// What [`Inbox::take`] finds.
pub(super) enum Taken {
    Event(Event),
    /// Nothing more, and the connection is gone.
    Drained,
}

impl Event {
    fn weight(&self) -> usize {
        match self {
            Self::Message(message) => message.len() + OVERHEAD,
            Self::Open | Self::Error(_) | Self::DeferredClose | Self::Lost => 0,
        }
    }
}

impl From<Result<Option<Decoded>, Error>> for DecodeOutcome {
    fn from(result: Result<Option<Decoded>, Error>) -> Self {
        match result {
            Ok(Some(decoded)) => Self::Decoded(decoded),
            Ok(None) => Self::Nothing,
            Err(error) => Self::Failed(error),
        }
    }
}
