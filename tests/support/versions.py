"""One application, asked over either version of HTTP."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

from slimeweb import Slime, SlimeTls
from slimeweb.testing import TestClient
from support.certificate import self_signed
from support.http2 import Http2, tls_to
from support.wire import Answer, Wire

__all__ = ["VERSIONS", "Ask", "served"]

VERSIONS = ["1.1", "2"]


class Ask(Protocol):
    def __call__(self, method: str, target: str, *, headers: Mapping[str, str] | None = None) -> Answer: ...


@contextmanager
def served(app: Slime, version: str, folder: Path, **arguments: Any) -> Iterator[Ask]:
    """Serves it, and gives a function that sends a request on one connection of that version and reads the answer.

    `folder` is where the server's certificate goes.
    """
    with TestClient(app, https=SlimeTls(*self_signed(folder)), **arguments) as client:
        if version == "2":
            with Http2.tls("127.0.0.1", client.port) as connection:
                yield connection.ask
            return
        with Wire(tls_to("127.0.0.1", client.port, ["http/1.1"])) as wire:

            def ask(method: str, target: str, *, headers: Mapping[str, str] | None = None) -> Answer:
                wire.request(method, target, headers=headers)
                return wire.answer(to=method)

            yield ask
