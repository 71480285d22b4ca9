"""`StopCallbacks`: what plugins end when the server stops."""

from __future__ import annotations

import queue
from typing import Any

import pytest

from slimeweb import Slime
from slimeweb.stopping import StopCallbacks
from slimeweb.testing import TestClient
from support.toys import app_with, toy


def test_callbacks_are_called_at_the_stop_at_once_behind_it_and_no_more_when_they_are_taken_back(
    caplog: pytest.LogCaptureFixture,
) -> None:
    called: queue.SimpleQueue[str] = queue.SimpleQueue()
    seen: list[tuple[str, str]] = []
    callbacks = StopCallbacks()

    def fail() -> None:
        called.put("fails")
        raise LookupError("at the stop")

    def first() -> None:
        called.put("first")

    def gone() -> None:
        pytest.fail("it has been taken back")

    def start() -> None:
        callbacks.start()
        assert not callbacks.is_stopping
        for callback in (first, fail, gone):
            callbacks.add(callback)
        callbacks.discard(gone)
        callbacks.discard(gone)

    def stop(app: Slime) -> None:
        callbacks.stop(app, "plugin")
        assert callbacks.is_stopping
        callbacks.add(lambda: called.put("late"))

    def show(exc: BaseException, where: str) -> None:
        seen.append((where, repr(exc)))

    app = app_with(toy("Stops", slime_startup=start, slime_stopping=stop, slime_exception=show))
    for served in (1, 2):
        with TestClient(app):
            assert called.empty()
        every: Any = [called.get(timeout=1) for _ in range(3 if served == 1 else 4)]
        assert sorted(every) == ["fails", "first", "late", "late"][: len(every)]
        assert every[-1] == "late"
    assert seen == [("plugin", "LookupError('at the stop')")] * 2
    assert "what was to be called at the server's stop failed" in caplog.text
