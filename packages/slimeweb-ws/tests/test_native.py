"""The native connection under a transport that does nothing."""

from __future__ import annotations

import gc
import weakref
from contextvars import ContextVar, copy_context

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from slimeweb_ws._native import Connection, Room
from slimeweb_ws.callbacks import Callback, Callbacks


class Transport:
    def __init__(self):
        self.written = []
        self.paused = self.closed = False
        self.size = 0
        self.soon = []

    def set_write_buffer_limits(self, high, low):
        pass

    def write(self, data):
        self.written.append(data)

    def get_write_buffer_size(self):
        return self.size

    def pause_reading(self):
        self.paused = True

    def resume_reading(self):
        self.paused = False

    def call_soon(self, callback, *args):
        self.soon.append((callback, args))

    def close(self):
        self.closed = True

    def abort(self):
        self.closed = True

    def run(self):
        calls, self.soon = self.soon, []
        for callback, args in calls:
            callback(*args)


class Listener:
    def __init__(self):
        self.wakes = 0

    def opened(self, transport):
        pass

    def ready(self):
        self.wakes += 1

    def closing(self):
        pass

    def close_deferred(self):
        pass

    def lost(self):
        pass


def opened(**options):
    listener, transport = Listener(), Transport()
    connection = Connection(listener, **{"max_message_size": 1000, "send_buffer": 1000, **options})
    connection.connection_made(transport)
    return connection, transport, listener


def taken(connection):
    events = []
    while (event := connection.take()) is not None:
        events.append(event)
    return events


PIECES = (
    st.lists(st.binary(max_size=200), max_size=6),
    st.sampled_from([(), (("permessage-deflate", ()),)]),
    # A plausible first byte gets further than a random one mostly does.
    st.sampled_from([b"", b"\x81", b"\xc1\xfe"]),
)


def swallow(pieces, offers, head):
    connection, transport, _ = opened(offers=offers, context_takeover=True)
    for piece in pieces:
        connection.data_received(head + piece)
    connection.connection_lost(None)
    events = taken(connection)
    assert events[-1] == ("close",)
    assert events.count(("close",)) == 1
    assert all(isinstance(event, str | bytes | tuple) for event in events)
    assert sum(map(len, transport.written)) <= 10_000


@settings(max_examples=500, deadline=None)
@given(*PIECES)
def test_arbitrary_bytes(pieces, offers, head):
    swallow(pieces, offers, head)


@pytest.mark.slow
@settings(max_examples=10_000, deadline=None)
@given(*PIECES)
def test_many_more_arbitrary_bytes(pieces, offers, head):
    swallow(pieces, offers, head)


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(messages=st.lists(st.one_of(st.text(max_size=300), st.binary(max_size=300)), max_size=20), data=st.data())
def test_what_is_sent_arrives_however_it_is_cut(make_frame, messages, data):
    wire = b"".join(make_frame(1, m.encode()) if isinstance(m, str) else make_frame(2, m) for m in messages)
    connection, _, _ = opened()
    while wire:
        cut = data.draw(st.integers(1, len(wire)))
        connection.data_received(wire[:cut])
        wire = wire[cut:]
    assert taken(connection) == messages


def test_what_nobody_takes_stops_the_reading_and_goes_on_later(make_frame):
    connection, transport, listener = opened()
    count = 10_000
    wire = b"".join(make_frame(1, str(number).encode()) for number in range(count))
    for start in range(0, len(wire), 16_384):
        connection.data_received(wire[start : start + 16_384])
    assert transport.paused
    assert connection.is_held
    assert listener.wakes == 1
    events = []
    while len(events) < count:
        before = len(events)
        events += taken(connection)
        assert len(events) > before
        transport.run()
    assert events == [str(number) for number in range(count)]
    assert not transport.paused


def test_messages_go_to_a_plain_function_until_something_else_is_next(make_frame):
    connection, _, listener = opened()
    callbacks, context, got = Callbacks(), copy_context(), []

    def keep(message):
        got.append(message)
        current.set(message)

    def fail(message):
        callbacks.message = None
        raise ValueError(message)

    def dispatch(most=10):
        return connection.dispatch(callbacks, context, most)

    current = ContextVar("current")
    callbacks.message = Callback(keep, is_async=False)
    connection.notify_open()
    connection.data_received(b"".join(make_frame(1, str(number).encode()) for number in range(5)))
    assert dispatch() == (0, ("open",), None)
    assert dispatch(2) == (2, "2", None)
    assert (got, context[current], current.get(None)) == (["0", "1"], "1", None)
    callbacks.message = Callback(fail, is_async=False)
    called, event, failure = dispatch()
    assert (called, event, repr(failure)) == (1, None, "ValueError('3')")
    assert failure.__traceback__ is not None
    # Without a function, or with one that is awaited, a message is the caller's.
    assert dispatch() == (0, "4", None)
    connection.data_received(make_frame(2, b"5"))
    callbacks.message = Callback(keep, is_async=True)
    assert dispatch() == (0, b"5", None)
    assert listener.wakes == 1
    assert dispatch() == (0, None, None)
    connection.data_received(make_frame(1, b"6"))
    assert listener.wakes == 2
    connection.connection_lost(None)
    callbacks.message = Callback(keep, is_async=False)
    assert dispatch() == (1, ("close",), None)
    assert got == ["0", "1", "6"]


def test_a_full_transport_gets_no_more_until_it_asks():
    connection, transport, _ = opened()
    transport.size = 1 << 20
    assert connection.send("first")
    assert connection.send("second")
    assert len(transport.written) == 1
    assert connection.buffered == len(b"second") + 2
    assert connection.send("x" * 2000)
    assert not connection.send("no room")
    transport.size = 0
    connection.resume_writing()
    assert len(transport.written) == 3
    assert connection.buffered == 0
    assert connection.send("again")


def test_only_the_latest_ping_is_answered_when_the_client_does_not_read(make_frame):
    connection, transport, _ = opened()
    transport.size = 1 << 20
    connection.send("fills it")
    for number in range(100):
        connection.data_received(make_frame(9, str(number).encode()))
    transport.size = 0
    connection.resume_writing()
    assert transport.written[1:] == [b"\x8a\x0299"]


def test_a_write_that_fails_aborts_the_connection(monkeypatch):
    class Broken(Transport):
        def write(self, data):
            raise OSError("gone")

    failures = []
    monkeypatch.setattr("sys.unraisablehook", failures.append)
    transport = Broken()
    connection = Connection(Listener(), max_message_size=10, send_buffer=10)
    connection.connection_made(transport)
    connection.send("x")
    assert transport.closed
    assert [failure.exc_type for failure in failures] == [OSError]


def test_a_connection_that_is_dropped_unopened_is_collected_and_leaves_its_rooms():
    class Cycle(Listener):
        pass

    listener = Cycle()
    listener.connection = Connection(listener, max_message_size=10, send_buffer=10)
    room = Room()
    assert room.join(listener.connection)
    assert listener.connection in room
    gone = weakref.ref(listener)
    del listener
    gc.collect()
    assert gone() is None
    assert len(room) == 0


def test_after_its_end_a_connection_joins_nothing_and_holds_nobody():
    connection, _, listener = opened()
    room = Room()
    room.join(connection)
    gone = weakref.ref(listener)
    connection.connection_lost(None)
    assert len(room) == 0
    assert not room.join(connection)
    assert len(room) == 0
    assert taken(connection) == [("close",)]
    del listener
    gc.collect()
    assert gone() is None


def test_a_message_is_text_or_bytes():
    connection, _, _ = opened()
    with pytest.raises(TypeError, match="int"):
        connection.send(1)
    with pytest.raises(UnicodeEncodeError):
        connection.send("\ud800")
