"""Middleware around a handler: order, short cuts and errors, sync and async."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable
from typing import Any, cast

import pytest

from slimeweb._middleware_stack import Layer, build_middleware_stack
from slimeweb.handlers import Handler


class Response:
    """As much of a response as the middleware stack touches."""

    def __init__(self) -> None:
        self.answer: object = None
        self.seen: list[str] = []

    @property
    def _is_set_by_before(self) -> bool:
        return self.answer is not None

    def accept(self, answer: object, returned_by: str | None = None) -> None:
        self.answer = answer


def note(name: str, answer: object = None, error: Exception | None = None) -> Handler:
    def function(req: object, resp: Response) -> object:
        resp.seen.append(name)
        if error is not None:
            raise error
        return answer

    return function


def noted_later(name: str, answer: object = None, error: Exception | None = None) -> Handler:
    function = note(name, answer, error)

    async def coroutine(req: object, resp: Response) -> object:
        await asyncio.sleep(0)
        return function(req, resp)

    return coroutine


def on_error(req: Any, resp: Any, exc: BaseException) -> None:
    cast(Response, resp).seen.append(f"error {exc}")
    cast(Response, resp).accept("error's answer")


Make = Callable[..., Handler]


def run(layers: list[Layer], handler: Handler, make: Make) -> Response:
    endpoint = build_middleware_stack(layers, handler, on_error, on_error, is_async=make is noted_later)
    resp = Response()
    result = endpoint(None, resp)
    if inspect.iscoroutine(result):
        asyncio.run(result)
    return resp


pytestmark = pytest.mark.parametrize("make", [note, noted_later])


def test_without_layers_the_handler_is_the_endpoint(make: Make) -> None:
    handler = make("handler")
    assert build_middleware_stack([Layer()], handler, on_error, on_error, is_async=make is noted_later) is handler


def test_layers_run_inward_and_outward(make: Make) -> None:
    layers = [Layer(note("a in"), note("a out")), Layer(make("b in"), make("b out"))]
    resp = run(layers, make("handler", "answer"), make)
    assert resp.seen == ["a in", "b in", "handler", "b out", "a out"]
    assert resp.answer == "answer"


def test_an_after_sees_and_may_replace_what_the_handler_returned(make: Make) -> None:
    def shout(req: object, resp: Response) -> str:
        return str(resp.answer).upper()

    assert run([Layer(after=shout)], make("handler", "answer"), make).answer == "ANSWER"


def test_a_before_that_returns_ends_the_way_in(make: Make) -> None:
    layers = [
        Layer(make("a in"), make("a out")),
        Layer(make("b in", "no"), make("b out")),
        Layer(make("c in"), make("c out")),
    ]
    resp = run(layers, make("handler"), make)
    assert resp.seen == ["a in", "b in", "b out", "a out"]
    assert resp.answer == "no"


def test_a_before_that_fills_the_response_ends_the_way_in(make: Make) -> None:
    def fill(req: object, resp: Response) -> None:
        resp.answer = "filled"

    resp = run([Layer(after=make("out")), Layer(before=fill)], make("handler"), make)
    assert resp.seen == ["out"]
    assert resp.answer == "filled"


def test_afters_see_the_response_of_an_error(make: Make) -> None:
    answers = []

    def look(req: object, resp: Response) -> None:
        answers.append(resp.answer)

    resp = run([Layer(make("in"), look)], make("handler", error=ValueError("x")), make)
    assert resp.seen == ["in", "handler", "error x"]
    assert answers == ["error's answer"]


def test_a_before_that_raises_is_not_entered(make: Make) -> None:
    layers = [Layer(make("a in"), make("a out")), Layer(make("b in", error=ValueError("x")), make("b out"))]
    assert run(layers, make("handler"), make).seen == ["a in", "b in", "error x", "a out"]


def test_an_after_that_raises_does_not_stop_the_others(make: Make) -> None:
    layers = [Layer(after=make("a")), Layer(after=make("b", error=ValueError("x"))), Layer(after=make("c"))]
    assert run(layers, make("handler", 1), make).seen == ["handler", "c", "b", "error x", "a"]


def test_what_would_end_the_process_is_an_error_of_its_request(make: Make) -> None:
    layers = [
        Layer(after=make("a")),
        Layer(after=make("b", error=cast(Exception, KeyboardInterrupt("y")))),
        Layer(after=make("c")),
    ]
    response = run(layers, make("handler", error=cast(Exception, SystemExit("x"))), make)
    assert response.seen == ["handler", "error x", "c", "b", "error y", "a"]
