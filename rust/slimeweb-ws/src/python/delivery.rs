//! What the client has said, on its way to callbacks.

use pyo3::exceptions::PyBaseException;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyString};

use super::connection::Connection;
use super::inbox::{Note, Step, Taken};
use crate::{Event, Message};

/// How often a function has been called, what was taken beyond that, and what it has raised.
pub(super) type Delivered<'py> = (usize, Option<Bound<'py, PyAny>>, Option<Bound<'py, PyBaseException>>);

/// The next note, as Python has it.
pub(super) fn take<'py>(connection: &Bound<'py, Connection>) -> PyResult<Option<Bound<'py, PyAny>>> {
    next(connection)?.map(|note| object(connection, note)).transpose()
}

/// Calls a plain function with messages.
pub(super) fn deliver<'py>(
    connection: &Bound<'py, Connection>,
    callbacks: &Bound<'py, PyAny>,
    context: &Bound<'py, PyAny>,
    most: usize,
) -> PyResult<Delivered<'py>> {
    let py = connection.py();
    let mut called = 0;
    loop {
        let Some(note) = next(connection)? else { return Ok((called, None, None)) };
        // Asked for each time: a callback may register another one.
        let function = match note {
            Note::Message(_) if called < most => plain(callbacks)?,
            _ => None,
        };
        let note = object(connection, note)?;
        let Some(function) = function else { return Ok((called, Some(note), None)) };
        called += 1;
        if let Err(error) = context.call_method1(intern!(py, "run"), (function, note)) {
            return Ok((called, None, Some(error.into_value(py).into_bound(py))));
        }
    }
}

/// The function that messages are for, unless there is none or it is a coroutine function.
fn plain<'py>(callbacks: &Bound<'py, PyAny>) -> PyResult<Option<Bound<'py, PyAny>>> {
    let message: Option<(Bound<'py, PyAny>, bool)> =
        callbacks.getattr(intern!(callbacks.py(), "message"))?.extract()?;
    Ok(message.and_then(|(function, is_async)| (!is_async).then_some(function)))
}

/// The next note. `None`: there is none, and `ready` will be called for the next one.
fn next(connection: &Bound<'_, Connection>) -> PyResult<Option<Note>> {
    let (py, this) = (connection.py(), connection.get());
    loop {
        let (taken, room) = this.inbox.take();
        if room && let Some(transport) = this.shared().outbox.transport(py) {
            let decode_on = connection.getattr(intern!(py, "decode_on"))?;
            transport.call_method1(py, intern!(py, "call_soon"), (decode_on,))?;
        }
        return Ok(match taken {
            None => None,
            Some(Taken::Note(Note::Goodbye)) => {
                this.say_goodbye(py)?;
                continue;
            }
            Some(Taken::Note(note)) => Some(note),
            Some(Taken::Drained) => match this.inbox.decode(&mut &[][..]) {
                Step::Event(Event::Message(message)) => Some(Note::Message(message)),
                Step::Event(Event::Close(close)) => {
                    this.shared().hear_close(close);
                    continue;
                }
                Step::Event(Event::Ping(_) | Event::Pong(_)) => continue,
                Step::Failed(error) => Some(Note::Error(error)),
                Step::Nothing | Step::Full => {
                    this.inbox.end();
                    Some(Note::Lost)
                }
            },
        });
    }
}

fn object<'py>(connection: &Bound<'py, Connection>, note: Note) -> PyResult<Bound<'py, PyAny>> {
    let (py, this) = (connection.py(), connection.get());
    Ok(match note {
        Note::Message(Message::Text(text)) => PyString::new(py, &text).into_any(),
        Note::Message(Message::Binary(bytes)) => PyBytes::new(py, &bytes).into_any(),
        Note::Open => ("open",).into_pyobject(py)?.into_any(),
        Note::Error(error) => {
            this.close_for(py, &error)?;
            ("error", error.code(), error.to_string()).into_pyobject(py)?.into_any()
        }
        // It is no callback's: `next` has seen to it.
        Note::Goodbye => py.None().into_bound(py),
        Note::Lost => {
            this.shared().forget_listener();
            ("close",).into_pyobject(py)?.into_any()
        }
    })
}
