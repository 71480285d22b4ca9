"""What slimeweb-stream adds, for type checkers."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Coroutine, Iterable, Iterator
from typing import Any, Protocol, TypedDict, TypeVar, Unpack, overload

from slimeweb import SlimeRequest
from slimeweb.routing import RouteArguments
from slimeweb_stream.asynchronous import AsyncStreamResponse
from slimeweb_stream.synchronous import StreamResponse

__all__ = ["Declare", "DeclaringMembers", "RouteOptions"]

Plain = TypeVar("Plain", bound=Callable[[SlimeRequest, StreamResponse], Iterator[Any] | None])
Asynchronous = TypeVar(
    "Asynchronous",
    bound=Callable[
        [SlimeRequest, AsyncStreamResponse],
        Coroutine[Any, Any, Iterator[Any] | AsyncIterator[Any] | None] | AsyncIterator[Any],
    ],
)


class Decorate(Protocol):
    """Takes plain functions of a `StreamResponse`, coroutine functions of an `AsyncStreamResponse`, and generators of
    either kind.
    """

    @overload
    def __call__(self, handler: Asynchronous, /) -> Asynchronous: ...
    @overload
    def __call__(self, handler: Plain, /) -> Plain: ...


class Declare(Protocol):
    """The type of `app.stream`."""

    def __call__(
        self,
        path: str = "/",
        method: str | Iterable[str] = "GET",
        content: str = "text/plain",
        **options: Unpack[RouteArguments],
    ) -> Decorate:
        """Declares a route that streams its answer."""


class DeclaringMembers:
    """Attributes of applications and routers."""

    stream: Declare


class RouteOptions(TypedDict, total=False):
    """Keyword arguments of `route()`."""

    stream: str
