//! What the client has said and nobody has looked at yet.
//!
//! Bytes are decoded as they arrive, so that pings are answered and closes seen while a callback is busy, but only as long as
//! there is room for what they contain. Beyond that they are kept as they are, and the transport stops reading.

use std::collections::VecDeque;

use parking_lot::Mutex;

use crate::{Decoder, Error, Event, Message};

/// Beyond either of these no more is decoded: messages, and their bytes together.
const MESSAGES: usize = 128;
const BYTES: usize = 256 * 1024;
/// What a message costs beside its bytes.
const OVERHEAD: usize = 64;

/// Something for a callback.
pub(super) enum Note {
    Open,
    Message(Message),
    Error(Error),
    /// The client has said goodbye, and hears it from us when what came before has been answered.
    Goodbye,
    Lost,
}

struct State {
    notes: VecDeque<Note>,
    /// What the messages in it weigh.
    bytes: usize,
    /// Someone is running callbacks, or has been called to.
    busy: bool,
    /// There is more to decode, for which there was no room.
    held: bool,
    /// The connection is gone.
    lost: bool,
    /// That has been said.
    ended: bool,
}

struct Wire {
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
    wire: Mutex<Wire>,
}

/// What decoding has led to.
pub(super) enum Step {
    /// The peer's bytes are at their end.
    Nothing,
    /// There is no room for more.
    Full,
    Event(Event),
    Failed(Error),
}

impl Inbox {
    pub(super) fn new(decoder: Decoder) -> Self {
        Self {
            state: Mutex::new(State {
                notes: VecDeque::new(),
                bytes: 0,
                busy: false,
                held: false,
                lost: false,
                ended: false,
            }),
            wire: Mutex::new(Wire { decoder, raw: Vec::new(), at: 0, ended: false }),
        }
    }

    /// Adds a note. True: nobody is running callbacks, and the caller is to see to that.
    pub(super) fn post(&self, note: Note) -> bool {
        let mut state = self.state.lock();
        state.bytes += note.weight();
        state.notes.push_back(note);
        !std::mem::replace(&mut state.busy, true)
    }

    /// The client has said goodbye. False: nobody is running callbacks, and nothing waits for one.
    pub(super) fn wait_with_goodbye(&self) -> bool {
        let mut state = self.state.lock();
        if state.busy {
            state.notes.push_back(Note::Goodbye);
        }
        state.busy
    }

    /// How many notes wait for callbacks.
    pub(super) fn behind(&self) -> usize {
        self.state.lock().notes.len()
    }

    /// The client sends no more. Whether there is something left to decode.
    pub(super) fn end_input(&self) -> bool {
        let mut wire = self.wire.lock();
        wire.ended = true;
        !wire.raw.is_empty()
    }

    /// Whether the client sends no more and all that it has sent has been decoded.
    pub(super) fn is_input_over(&self) -> bool {
        let wire = self.wire.lock();
        wire.ended && wire.raw.is_empty()
    }

    /// The connection is gone; that is the last note there will be. True as for [`post`](Self::post).
    pub(super) fn lose(&self) -> bool {
        let mut state = self.state.lock();
        state.lost = true;
        !std::mem::replace(&mut state.busy, true)
    }

    /// The next note, for the one who runs callbacks. `None`: there is none, and that job is over.
    ///
    /// The flag says that there is room again for what had to wait, once.
    pub(super) fn take(&self) -> (Option<Taken>, bool) {
        let mut state = self.state.lock();
        let note = state.notes.pop_front();
        if let Some(note) = &note {
            state.bytes -= note.weight();
        }
        let room = state.held && state.notes.len() <= MESSAGES / 2 && state.bytes <= BYTES / 2;
        if room {
            state.held = false;
        }
        let taken = match note {
            Some(note) => Some(Taken::Note(note)),
            None if state.lost && !state.ended => Some(Taken::Drained),
            None => {
                state.busy = false;
                None
            }
        };
        (taken, room)
    }

    /// Everything that came before the connection was lost has been taken: that it was is the last note.
    pub(super) fn end(&self) {
        self.state.lock().ended = true;
    }

    pub(super) fn is_held(&self) -> bool {
        self.state.lock().held
    }

    /// Whether decoding may go on; if not, it is held until `take` says that there is room.
    fn admits(&self) -> bool {
        let mut state = self.state.lock();
        if !state.lost && (state.held || state.notes.len() >= MESSAGES || state.bytes >= BYTES) {
            state.held = true;
        }
        !state.held || state.lost
    }

    /// Decodes from `data` up to the next event. Where there is no room, all of `data` is kept for later.
    ///
    /// To be called by one thread at a time.
    pub(super) fn decode(&self, data: &mut &[u8]) -> Step {
        let admits = self.admits();
        let mut wire = self.wire.lock();
        if admits && wire.raw.is_empty() {
            return wire.decoder.decode(data).into();
        }
        wire.keep(data);
        if admits { wire.decode_kept() } else { Step::Full }
    }
}

impl Wire {
    fn keep(&mut self, data: &mut &[u8]) {
        if data.is_empty() {
            return;
        }
        self.raw.drain(..self.at);
        self.at = 0;
        self.raw.extend_from_slice(data);
        *data = &[];
    }

    fn decode_kept(&mut self) -> Step {
        let mut rest = self.raw.get(self.at..).unwrap_or_default();
        let step = self.decoder.decode(&mut rest).into();
        self.at = self.raw.len() - rest.len();
        if rest.is_empty() {
            (self.raw, self.at) = (Vec::new(), 0);
        }
        step
    }
}

/// What [`Inbox::take`] finds.
pub(super) enum Taken {
    Note(Note),
    /// Nothing more, and the connection is gone.
    Drained,
}

impl Note {
    fn weight(&self) -> usize {
        match self {
            Self::Message(message) => message.len() + OVERHEAD,
            Self::Open | Self::Error(_) | Self::Goodbye | Self::Lost => 0,
        }
    }
}

impl From<Result<Option<Event>, Error>> for Step {
    fn from(result: Result<Option<Event>, Error>) -> Self {
        match result {
            Ok(Some(event)) => Self::Event(event),
            Ok(None) => Self::Nothing,
            Err(error) => Self::Failed(error),
        }
    }
}
