"""State is correct under threads without a lock in the caller's hands."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

from slimeweb.state import State

THREADS = 8
ROUNDS = 2_000


def in_threads(work: Callable[[], None]) -> None:
    start = threading.Barrier(THREADS)

    def run() -> None:
        start.wait()
        for _ in range(ROUNDS):
            work()

    threads = [threading.Thread(target=run) for _ in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def test_incr_loses_nothing() -> None:
    state = State()
    in_threads(lambda: state.incr("n"))
    assert state["n"] == THREADS * ROUNDS


def test_update_loses_nothing() -> None:
    state = State({"n": 0})
    in_threads(lambda: state.update("n", lambda n: n + 1))
    assert state["n"] == THREADS * ROUNDS


def test_setdefault_agrees_on_one_value() -> None:
    state = State()
    seen = set()
    in_threads(lambda: seen.add(id(state.setdefault("lock", threading.Lock()))))
    assert len(seen) == 1


def test_iteration_is_not_disturbed_by_changes() -> None:
    state = State({"a": 1})

    def work() -> None:
        state.incr(threading.current_thread().name)
        assert "a" in list(state)

    in_threads(work)
    assert len(state) == THREADS + 1


def test_update_may_use_the_state() -> None:
    state = State({"a": 1, "b": 2})
    assert state.update("a", lambda a: a + state["b"] + state.incr("b")) == 6
    assert state.snapshot() == {"a": 6, "b": 3}


def test_an_update_that_raises_changes_nothing() -> None:
    state = State({"a": 1})
    with pytest.raises(ZeroDivisionError):
        state.update("a", lambda a: a / 0)
    assert state.snapshot() == {"a": 1}


def test_a_missing_key() -> None:
    state = State()
    assert state.get("a") is None
    assert state.get("a", 1) == 1
    assert state.update("a", lambda a: [a]) == [None]
    assert state.pop("b", "nothing") == "nothing"
    with pytest.raises(KeyError):
        state["b"]
    with pytest.raises(KeyError):
        del state["b"]


def test_it_is_a_copy_of_what_it_is_given() -> None:
    values = {"a": 1}
    state = State(values)
    state["b"] = state.incr("a", 0.5)
    assert values == {"a": 1}
    assert state.snapshot() == {"a": 1.5, "b": 1.5}
    assert repr(state) == "State({'a': 1.5, 'b': 1.5})"
