"""The native connection under a transport that does nothing."""

from __future__ import annotations

import ast
import gc
import weakref
from contextvars import ContextVar, copy_context
from operator import attrgetter
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from slimeweb_ws import _native
from slimeweb_ws._native import BATCH, CloseEvent, Connection, ErrorEvent, OpenEvent, Room
from slimeweb_ws.callbacks import Callback, Callbacks


class Transport:
    def __init__(self):
        self.written = []
        self.paused = self.closed = False
        self.size = 0
        self.asked = 0
        self.soon = []
        self.plain = []
        self.has_threads = False

    def set_write_buffer_limits(self, high, low):
        pass

    def write(self, data):
        self.written.append(data)

    def get_write_buffer_size(self):
        self.asked += 1
        return self.size

    def is_closing(self):
        return self.closed

    def pause_reading(self):
        self.paused = True

    def resume_reading(self):
        self.paused = False

    def call_soon(self, callback, *args):
        self.soon.append((callback, args))

    def call_plain(self, callback, *args):
        if self.has_threads:
            self.plain.append((callback, args))
        return self.has_threads

    def close(self):
        self.closed = True

    def abort(self):
        self.closed = True

    def run(self):
        calls, self.soon = self.soon, []
        for callback, args in calls:
            callback(*args)


class Listener:
    def __init__(self, callbacks=None):
        self.callbacks = callbacks or registered()
        self.wakes = 0
        self.resumed = []

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

    def resume(self, called, event, failure):
        self.resumed.append((called, event, failure))


def registered(message=None, *, is_async=False):
    callbacks = Callbacks(copy_context().run)
    callbacks.message = message and Callback(message, is_async)
    return callbacks


PLAIN = {"offers": (), "context_takeover": False, "level": 1, "threshold": 1024}
"""A connection without compression."""


def opened(callbacks=None, **options):
    listener, transport = Listener(callbacks), Transport()
    connection = Connection(listener, **{"max_message_size": 1000, "send_buffer": 1000, **PLAIN, **options})
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
    assert [type(event) for event in events].index(CloseEvent) == len(events) - 1
    assert all(isinstance(event, str | bytes | ErrorEvent) for event in events[:-1])
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
    context, got = copy_context(), []
    callbacks = Callbacks(context.run)
    connection, _, listener = opened(callbacks)

    def keep(message):
        got.append(message)
        current.set(message)

    def fail(message):
        callbacks.message = None
        raise ValueError(message)

    def dispatch(most=10):
        return connection.dispatch(most)

    current = ContextVar("current")
    callbacks.message = Callback(keep, is_async=False)
    connection.notify_open()
    connection.data_received(b"".join(make_frame(1, str(number).encode()) for number in range(5)))
    called, event, failure = dispatch()
    assert (called, type(event), failure) == (0, OpenEvent, None)
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
    called, event, failure = dispatch()
    assert (called, type(event), failure) == (1, CloseEvent, None)
    assert got == ["0", "1", "6"]


def test_a_connection_has_the_transport_call_a_plain_function(make_frame):
    got = []
    connection, transport, listener = opened(registered(got.append))
    transport.has_threads = True
    connection.data_received(make_frame(1, b"a") + make_frame(1, b"b"))
    # One call for all that is there, and none of the listener.
    assert (len(transport.plain), got, listener.wakes) == (1, [], 0)
    callback, arguments = transport.plain.pop()
    callback(*arguments)
    assert (got, listener.resumed) == (["a", "b"], [])
    # Nothing was left: the next message is scheduled anew.
    connection.data_received(make_frame(1, b"c"))
    assert (len(transport.plain), listener.wakes) == (1, 0)


@pytest.mark.parametrize("callbacks", [registered(), registered(print, is_async=True)], ids=["none", "async"])
def test_what_is_not_for_a_plain_function_is_left_to_the_listener(make_frame, callbacks):
    connection, transport, listener = opened(callbacks)
    transport.has_threads = True
    connection.data_received(make_frame(1, b"a"))
    assert (transport.plain, listener.wakes) == ([], 1)


def test_without_a_thread_the_listener_is_called(make_frame):
    connection, _, listener = opened(registered(print))
    connection.data_received(make_frame(1, b"a"))
    assert listener.wakes == 1


def test_a_plain_function_is_called_a_batch_at_a_time(make_frame):
    got = []
    connection, _, listener = opened(registered(got.append))
    connection.data_received(make_frame(1, b"x") * (BATCH + 2))
    connection.run_callbacks()
    assert (len(got), listener.resumed) == (BATCH, [(BATCH, "x", None)])


def test_what_a_plain_function_raises_and_the_end_go_to_the_listener(make_frame):
    def fail(message):
        raise ValueError(message)

    connection, _, listener = opened(registered(fail))
    connection.data_received(make_frame(1, b"a"))
    connection.run_callbacks()
    ((called, event, failure),) = listener.resumed
    assert (called, event, repr(failure)) == (1, None, "ValueError('a')")
    connection.connection_lost(None)
    connection.run_callbacks()
    called, event, failure = listener.resumed[1]
    assert (called, type(event), failure) == (0, CloseEvent, None)
    # After the last event there is nothing, and nobody to call.
    connection.run_callbacks()
    assert len(listener.resumed) == 2


FULL = 1 << 20
"""The bytes in a transport's buffer when it takes no more."""
HIGH = 64 * 1024
"""The bytes that a transport is given before it is asked whether it is full."""


def fill(connection, transport):
    """Makes a transport full, and has it asked."""
    transport.size = FULL
    while not transport.asked:
        assert connection.send("x" * 900)
    transport.written.clear()


def test_a_transport_is_asked_what_it_holds_only_when_it_may_be_full():
    connection, transport, _ = opened()
    sent = 0
    while not transport.asked:
        assert connection.send("x" * 100)
        sent += 102
    assert HIGH < sent <= HIGH + 102
    # It has passed everything on: it may be given as much again.
    for _ in range(HIGH // 102):
        assert connection.send("x" * 100)
    assert transport.asked == 1
    assert connection.send("x" * 100)
    assert transport.asked == 2
    assert connection.buffered == 0


def test_a_sender_learns_from_the_transport_that_the_client_has_left_before_the_loop_can_say_so(make_frame):
    connection, transport, _ = opened()
    transport.closed = True
    sent = 0
    while connection.send("x" * 100):
        sent += 102
        assert sent <= HIGH + 102
    assert connection.is_closed
    assert not connection.is_lost
    assert connection.buffered == 0
    # What the client has sent before is still of use.
    connection.data_received(make_frame(1, b"last"))
    assert taken(connection) == ["last"]
    connection.connection_lost(None)
    assert [type(event) for event in taken(connection)] == [CloseEvent]
    assert connection.close_code == 1006


def test_a_full_transport_gets_no_more_until_it_asks():
    connection, transport, _ = opened()
    fill(connection, transport)
    assert connection.send("second")
    assert transport.written == []
    assert connection.buffered == len(b"second") + 2
    assert connection.send("x" * 2000)
    assert not connection.send("no room")
    transport.size = 0
    connection.resume_writing()
    assert len(transport.written) == 2
    assert connection.buffered == 0
    assert connection.send("again")


def test_only_the_latest_ping_is_answered_when_the_client_does_not_read(make_frame):
    connection, transport, _ = opened()
    fill(connection, transport)
    for number in range(100):
        connection.data_received(make_frame(9, str(number).encode()))
    transport.size = 0
    connection.resume_writing()
    assert transport.written == [b"\x8a\x0299"]


def test_a_write_that_fails_aborts_the_connection(monkeypatch):
    class Broken(Transport):
        def write(self, data):
            raise OSError("gone")

    failures = []
    monkeypatch.setattr("sys.unraisablehook", failures.append)
    transport = Broken()
    connection = Connection(Listener(), max_message_size=10, send_buffer=10, **PLAIN)
    connection.connection_made(transport)
    connection.send("x")
    assert transport.closed
    assert [failure.exc_type for failure in failures] == [OSError]


def test_a_connection_that_is_dropped_unopened_is_collected_and_leaves_its_rooms():
    class Cycle(Listener):
        pass

    listener = Cycle()
    listener.connection = Connection(listener, max_message_size=10, send_buffer=10, **PLAIN)
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
    assert [type(event) for event in taken(connection)] == [CloseEvent]
    del listener
    gc.collect()
    assert gone() is None


def test_a_message_is_text_or_bytes():
    connection, _, _ = opened()
    with pytest.raises(TypeError, match="int"):
        connection.send(1)
    with pytest.raises(UnicodeEncodeError):
        connection.send("\ud800")


def test_the_extension_says_of_each_name_what_the_stub_says_of_it():
    stub = ast.parse(Path(_native.__file__).with_name("_native.pyi").read_text("utf-8"))
    said = {}
    for each in stub.body:
        if isinstance(each, ast.ClassDef):
            said[each.name] = ast.get_docstring(each)
            said |= {
                f"{each.name}.{method.name}": ast.get_docstring(method)
                for method in each.body
                if isinstance(method, ast.FunctionDef) and not method.name.startswith("__")
            }
    assert len(said) > 40
    assert None not in said.values()
    for name, text in said.items():
        assert attrgetter(name)(_native).__doc__.split() == text.split(), name
