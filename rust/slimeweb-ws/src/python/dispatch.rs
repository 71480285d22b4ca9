//! Dispatches events to callbacks.

use pyo3::exceptions::PyBaseException;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyString};

use super::connection::{Connection, Dispatcher};
use super::events::{CloseEvent, ErrorEvent, OpenEvent};
use super::inbox::{DecodeOutcome, Event, Taken};
use crate::{Decoded, Message};

/// How often a function has been called, the event taken beyond that, and what the function has raised.
pub(super) type DispatchResult<'py> = (usize, Option<Bound<'py, PyAny>>, Option<Bound<'py, PyBaseException>>);

/// The next event, as a Python object.
pub(super) fn take<'py>(connection: &Bound<'py, Connection>) -> PyResult<Option<Bound<'py, PyAny>>> {
    next(connection)?.map(|event| object(connection, event)).transpose()
}

/// Calls a sync function with messages.
pub(super) fn dispatch<'py>(
    connection: &Bound<'py, Connection>,
    dispatcher: &Dispatcher<'py>,
    most: usize,
) -> PyResult<DispatchResult<'py>> {
    let py = connection.py();
    let mut called = 0;
    loop {
        let Some(event) = next(connection)? else { return Ok((called, None, None)) };
        // Asked for each time: a callback may register another one.
        let function = match event {
            Event::Message(_) if called < most => sync_function(&dispatcher.callbacks)?,
            _ => None,
        };
        let event = object(connection, event)?;
        let Some(function) = function else { return Ok((called, Some(event), None)) };
        called += 1;
        if let Err(error) = dispatcher.call.call1((function, event)) {
            return Ok((called, None, Some(error.into_value(py).into_bound(py))));
        }
    }
}

/// The function that messages are for, unless there is none or it is a coroutine function.
pub(super) fn sync_function<'py>(callbacks: &Bound<'py, PyAny>) -> PyResult<Option<Bound<'py, PyAny>>> {
    let message: Option<(Bound<'py, PyAny>, bool)> =
        callbacks.getattr(intern!(callbacks.py(), "message"))?.extract()?;
    Ok(message.and_then(|(function, is_async)| (!is_async).then_some(function)))
}

/// The next event. `None`: there is none, and `ready` will be called for the next one.
fn next(connection: &Bound<'_, Connection>) -> PyResult<Option<Event>> {
    let (py, this) = (connection.py(), connection.get());
    loop {
        let (taken, room) = this.inbox.take();
        if room && let Some(transport) = this.shared().outbox.transport(py) {
            let decode_on = connection.getattr(intern!(py, "decode_on"))?;
            transport.call_method1(py, intern!(py, "call_soon"), (decode_on,))?;
        }
        return Ok(match taken {
            None => None,
            Some(Taken::Event(Event::DeferredClose)) => {
                this.answer_close(py)?;
                continue;
            }
            Some(Taken::Event(event)) => Some(event),
            Some(Taken::Drained) => match this.inbox.decode(&mut &[][..]) {
                DecodeOutcome::Decoded(Decoded::Message(message)) => Some(Event::Message(message)),
                DecodeOutcome::Decoded(Decoded::Close(close)) => {
                    this.shared().record_close(close);
                    continue;
                }
                DecodeOutcome::Decoded(Decoded::Ping(_) | Decoded::Pong(_)) => continue,
                DecodeOutcome::Failed(error) => Some(Event::Error(error)),
                DecodeOutcome::Nothing | DecodeOutcome::Full => {
                    this.inbox.end();
                    Some(Event::Lost)
                }
            },
        });
    }
}

fn object<'py>(connection: &Bound<'py, Connection>, event: Event) -> PyResult<Bound<'py, PyAny>> {
    let (py, this) = (connection.py(), connection.get());
    Ok(match event {
        Event::Message(Message::Text(text)) => PyString::new(py, &text).into_any(),
        Event::Message(Message::Binary(bytes)) => PyBytes::new(py, &bytes).into_any(),
        Event::Open => Bound::new(py, OpenEvent)?.into_any(),
        Event::Error(error) => {
            this.close_for(py, &error)?;
            Bound::new(py, ErrorEvent::from(&error))?.into_any()
        }
        // Not for a callback: `next` has handled it.
        Event::DeferredClose => py.None().into_bound(py),
        Event::Lost => {
            this.shared().forget_listener();
            Bound::new(py, CloseEvent)?.into_any()
        }
    })
}
