"""Which handlers are called with a request and a response."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from slimeweb import RouteSpec, Slime, SlimeRequest, SlimeResponse, _plugin_discovery
from slimeweb.errors import InvalidHandler
from slimeweb.routing import RouteResponse

if TYPE_CHECKING:
    from elsewhere import LinesResponse, Pool  # type: ignore[import-not-found]


class Lines(RouteResponse):
    """The response of a kind."""


def derived(name: str) -> type:
    return type(name, (RouteResponse,), {})


LINES = derived("LinesResponse")


def request_and_response() -> list[Callable[..., Any]]:
    def plain(req, resp): ...  # type: ignore[no-untyped-def]
    def other_names(request, answer): ...  # type: ignore[no-untyped-def]
    def one_of_the_path(req, id): ...  # type: ignore[no-untyped-def]
    def with_classes(a: SlimeRequest, b: SlimeResponse): ...  # type: ignore[no-untyped-def]
    def of_a_kind(a: SlimeRequest, b: Lines): ...  # type: ignore[no-untyped-def]
    def for_checkers_alone(a: SlimeRequest, b: LinesResponse): ...  # type: ignore[no-untyped-def]
    def whatever(a: Any, b: object): ...  # type: ignore[no-untyped-def]
    def by_name(req: int, resp: str): ...  # type: ignore[no-untyped-def]
    def with_more(req, resp, limit: int = 3, *, name: str = ""): ...  # type: ignore[no-untyped-def]
    def any_number(*args, **kwargs): ...  # type: ignore[no-untyped-def]
    def some(req, *rest): ...  # type: ignore[no-untyped-def]

    class Callable_:
        def __call__(self, req, resp): ...  # type: ignore[no-untyped-def]
        def method(self, req, resp): ...  # type: ignore[no-untyped-def]

    return [
        plain, other_names, one_of_the_path, with_classes, of_a_kind, for_checkers_alone, whatever, by_name, with_more,
        any_number, some, Callable_(), Callable_().method, functools.partial(with_more, limit=4),
    ]  # fmt: skip


def others() -> list[Callable[..., Any]]:
    def nothing(): ...  # type: ignore[no-untyped-def]
    def one(req): ...  # type: ignore[no-untyped-def]
    def three(req, resp, db): ...  # type: ignore[no-untyped-def]
    def keyword(req, resp, *, db): ...  # type: ignore[no-untyped-def]
    def both_of_the_path(id, name): ...  # type: ignore[no-untyped-def]
    def first_typed(id: int, db): ...  # type: ignore[no-untyped-def]
    def second_typed(req, page: int): ...  # type: ignore[no-untyped-def]
    def with_default(req, page=1): ...  # type: ignore[no-untyped-def]
    def unresolved(req, db: Pool): ...  # type: ignore[no-untyped-def]
    def named_like_one(body: CreateRequest, db): ...  # type: ignore[no-untyped-def]

    def exchanged(resp: SlimeResponse, req: SlimeRequest): ...  # type: ignore[no-untyped-def]

    class CreateRequest: ...

    return [
        exchanged, nothing, one, three, keyword, both_of_the_path, first_typed, second_typed, with_default, unresolved,
        named_like_one,
    ]  # fmt: skip


def name(handler: Callable[..., Any]) -> str:
    return getattr(handler, "__name__", type(handler).__name__)


@pytest.mark.parametrize("handler", request_and_response(), ids=name)
def test_a_handler_of_a_request_and_a_response(handler: Callable[..., Any]) -> None:
    assert RouteSpec.declare("/{id}/{name}", handler).takes_request_and_response
    Slime(__file__).route("/{id}/{name}")(handler)


@pytest.mark.parametrize("handler", others(), ids=name)
def test_any_other_handler_says_what_to_install(monkeypatch: pytest.MonkeyPatch, handler: Callable[..., Any]) -> None:
    monkeypatch.setattr(_plugin_discovery, "entry_points", lambda group: ())
    assert not RouteSpec.declare("/{id}/{name}", handler).takes_request_and_response
    with pytest.raises(InvalidHandler, match=r"takes \(.*\): .*pip install 'slimeweb\[typed\]'") as caught:
        Slime(__file__).route("/{id}/{name}")(handler)
    assert f"{name(handler)} (" in str(caught.value)


def test_a_builtin_without_a_signature_is_taken_for_one_of_two_arguments() -> None:
    assert RouteSpec.declare("/", max).takes_request_and_response
