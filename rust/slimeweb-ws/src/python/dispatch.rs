//! Dispatches events to callbacks.

use pyo3::exceptions::PyBaseException;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyString};

use super::client::Client;
use super::events::{CloseEvent, ErrorEvent, OpenEvent};
use super::inbox::{DecodeOutcome, Event, Inbox, Taken};
use super::listener::{Dispatcher, sync_function};
use crate::{Decoded, Message};

/// How often a function has been called, the event taken beyond that, and what the function has raised.
pub(super) type DispatchResult<'py> = (usize, Option<Bound<'py, PyAny>>, Option<Bound<'py, PyBaseException>>);

/// Where events are taken from: a connection.
pub(super) struct Source<'a, 'py> {
    /// The Python object: its `decode_on` is called in the transport's loop.
    pub(super) connection: &'a Bound<'py, PyAny>,
    pub(super) inbox: &'a Inbox,
    pub(super) client: &'a Client,
}

/// The next event, as a Python object.
pub(super) fn take<'py>(source: &Source<'_, 'py>) -> PyResult<Option<Bound<'py, PyAny>>> {
    next(source)?.map(|event| object(source, event)).transpose()
}

/// Calls a sync function with messages.
pub(super) fn dispatch<'py>(
    source: &Source<'_, 'py>,
    dispatcher: &Dispatcher<'py>,
    most: usize,
) -> PyResult<DispatchResult<'py>> {
    let py = source.connection.py();
    let mut called = 0;
    loop {
        let Some(event) = next(source)? else { return Ok((called, None, None)) };
        // Asked for each time: a callback may register another one.
        let function = match event {
            Event::Message(_) if called < most => sync_function(&dispatcher.callbacks)?,
            _ => None,
        };
        let event = object(source, event)?;
        let Some(function) = function else { return Ok((called, Some(event), None)) };
        called += 1;
        if let Err(error) = dispatcher.call.call1((function, event)) {
            return Ok((called, None, Some(error.into_value(py).into_bound(py))));
        }
    }
}

/// The next event. `None`: there is none, and `ready` will be called for the next one.
fn next(source: &Source<'_, '_>) -> PyResult<Option<Event>> {
    let Source { connection, inbox, client } = source;
    let py = connection.py();
    loop {
        let (taken, room) = inbox.take();
        if room && let Some(transport) = client.outbox.transport(py) {
            let decode_on = connection.getattr(intern!(py, "decode_on"))?;
            transport.call_method1(py, intern!(py, "call_soon"), (decode_on,))?;
        }
        return Ok(match taken {
            None => None,
            Some(Taken::Event(Event::DeferredClose)) => {
                client.answer_close(py)?;
                continue;
            }
            Some(Taken::Event(event)) => Some(event),
            Some(Taken::Drained) => match inbox.decode(&mut &[][..]) {
                DecodeOutcome::Decoded(Decoded::Message(message)) => Some(Event::Message(message)),
                DecodeOutcome::Decoded(Decoded::Close(close)) => {
                    client.record_close(close);
                    continue;
                }
                DecodeOutcome::Decoded(Decoded::Ping(_) | Decoded::Pong(_)) => continue,
                DecodeOutcome::Failed(error) => Some(Event::Error(error)),
                DecodeOutcome::Nothing | DecodeOutcome::Full => {
                    inbox.end();
                    Some(Event::Lost)
                }
            },
        });
    }
}

fn object<'py>(source: &Source<'_, 'py>, event: Event) -> PyResult<Bound<'py, PyAny>> {
    let py = source.connection.py();
    Ok(match event {
        Event::Message(Message::Text(text)) => PyString::new(py, &text).into_any(),
        Event::Message(Message::Binary(bytes)) => PyBytes::new(py, &bytes).into_any(),
        Event::Open => Bound::new(py, OpenEvent)?.into_any(),
        Event::Error(error) => {
            source.client.close_for(py, &error)?;
            Bound::new(py, ErrorEvent::from(&error))?.into_any()
        }
        // Not for a callback: `next` has handled it.
        Event::DeferredClose => py.None().into_bound(py),
        Event::Lost => {
            source.client.forget_listener();
            Bound::new(py, CloseEvent)?.into_any()
        }
    })
}
