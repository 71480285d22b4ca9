import json

import pytest

from benchmarks.load import LoadFailed, parse_websocket_load, parse_wrk

WRK = {
    "requests": 50_000,
    "microseconds": 2_000_000,
    "connect": 0,
    "read": 0,
    "write": 0,
    "status": 0,
    "timeout": 0,
    "p50": 800,
    "p99": 2400,
}
ECHO = {"messages": 100, "seconds": 2.0, "rate": 50.0, "failed": 0, "errors": []}


def test_the_rate_is_what_was_answered_in_the_time_it_took() -> None:
    load = parse_wrk("Running 2s test\n  Latency 1ms\n" + json.dumps(WRK) + "\n")
    assert (load.rate, load.p50, load.p99) == (25_000, 800, 2400)


@pytest.mark.parametrize("kind", ["connect", "read", "write", "status", "timeout"])
def test_one_error_spoils_a_run(kind: str) -> None:
    with pytest.raises(LoadFailed, match=f"'{kind}': 1"):
        parse_wrk(json.dumps(WRK | {kind: 1}))


def test_no_answers_are_no_figure() -> None:
    with pytest.raises(LoadFailed, match="no answer"):
        parse_wrk(json.dumps(WRK | {"requests": 0}))


def test_a_generator_that_says_nothing_is_quoted() -> None:
    with pytest.raises(LoadFailed, match="unable to connect"):
        parse_wrk("unable to connect to 127.0.0.1\n")


def test_echoes() -> None:
    assert parse_websocket_load(json.dumps(ECHO)).rate == 50


@pytest.mark.parametrize(
    ("change", "complaint"),
    [({"failed": 2, "errors": ["a", "b"]}, "2 connections failed: a; b"), ({"messages": 0}, "no message")],
)
def test_echoes_that_fail(change: dict[str, object], complaint: str) -> None:
    with pytest.raises(LoadFailed, match=complaint):
        parse_websocket_load(json.dumps(ECHO | change))
