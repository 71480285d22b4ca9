"""Sec-WebSocket-Extensions in the opening handshake (RFC 6455, section 9.1; RFC 7692, section 7.1)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slimeweb_ws._native import Connection
from slimeweb_ws.callbacks import Callbacks
from slimeweb_ws.handshake import read_offers


class Listener:
    """Hears nothing."""

    callbacks = Callbacks(print)

    def __getattr__(self, name):
        return lambda *args: None


def answer(field, context_takeover=True):
    offers = read_offers(field)
    connection = Connection(
        Listener(),
        max_message_size=1000,
        send_buffer=1000,
        offers=offers,
        context_takeover=context_takeover,
        level=1,
        threshold=1024,
    )
    return connection.extension


@pytest.mark.parametrize(
    ("field", "expected"),
    [
        ("permessage-deflate", "permessage-deflate"),
        ("Permessage-Deflate; client_max_window_bits", "permessage-deflate"),
        ('x-other, permessage-deflate ; client_max_window_bits = "10"', "permessage-deflate"),
        ('x-other; a="b, permessage-deflate; x", permessage-deflate', "permessage-deflate"),
        ('x-other; a="b, permessage-deflate"', None),
        ('permessage-deflate; client_max_window_bits="1\\0"', "permessage-deflate"),
        ("permessage-deflate; server_max_window_bits=10", "permessage-deflate; server_max_window_bits=10"),
        (
            "permessage-deflate; server_no_context_takeover; client_no_context_takeover",
            "permessage-deflate; server_no_context_takeover; client_no_context_takeover",
        ),
        ("permessage-deflate; server_max_window_bits=8, permessage-deflate", "permessage-deflate"),
        ("permessage-deflate; server_max_window_bits=8", None),
        ("permessage-deflate; server_max_window_bits", None),
        ("permessage-deflate; server_max_window_bits=16", None),
        ("permessage-deflate; server_max_window_bits=09", None),
        ("permessage-deflate; server_max_window_bits=+9", None),
        ("permessage-deflate; client_max_window_bits=7", None),
        ('permessage-deflate; client_max_window_bits="10', None),
        ('permessage-deflate; client_max_window_bits="10"x', None),
        ("permessage-deflate; server_no_context_takeover=1", None),
        ("permessage-deflate; server_no_context_takeover; server_no_context_takeover", None),
        ("permessage-deflate; x", None),
        ("permessage-bzip2", None),
        ("", None),
        (f"permessage-deflate, {'x' * 4096}", None),
    ],
)
def test_the_first_offer_that_can_be_met_is_taken(field, expected):
    assert answer(field) == expected


@given(st.text())
def test_any_list_of_offers_is_read(field):
    answer(field)
    answer(f"permessage-deflate;{field}", context_takeover=False)
