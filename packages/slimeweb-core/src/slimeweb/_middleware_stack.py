"""The middleware stack around a handler, built once, at start: what the server then calls is one function.

A layer is entered when its before has returned. The first before that answers (returns something other than `None`,
or fills the response) ends the way in. Cookies that a before has set outlast what is raised after it. The way out goes
through the layers that were entered, inner to outer, whatever happened. What raises on the way in goes to `on_error`,
on the way out to `on_after_error`, `SystemExit` and its like included; either turns it into a response, which the rest
of the way out then sees.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from slimeweb._around_stack import AroundStep, around_stack
from slimeweb._cancellation import is_of_child, is_own_cancellation
from slimeweb.handlers import Handler, describe, is_async_generator_function, is_coroutine_function
from slimeweb.resources import ResourceKey

if TYPE_CHECKING:
    from slimeweb._core import SlimeRequest, SlimeResponse

__all__ = ["Layer", "OnError", "build_middleware_stack", "needs_loop"]

OnError = Callable[["SlimeRequest", "SlimeResponse", BaseException], None]
Ways = tuple[Handler | None, ...]
Names = Mapping[int, str]


@dataclass(frozen=True, slots=True)
class Layer:
    """What one middleware does before and after what is inside of it, or `around` that: a generator, outside of the
    other two. Around a coroutine function those with `_async` run in the place of the others, where they are there.
    `owner` is the plugin that it comes from, `resources` are made before it, `is_of_route` is whether it is around
    some routes and not the application.
    """

    before: Handler | None = None
    after: Handler | None = None
    around: Handler | None = None
    before_async: Handler | None = None
    after_async: Handler | None = None
    around_async: Handler | None = None
    owner: str = ""
    resources: tuple[ResourceKey, ...] = ()
    is_of_route: bool = False

    @property
    def is_async(self) -> bool:
        """Whether it needs an event loop."""
        return any(
            later is not None if plain is None else needs_loop(plain)
            for plain, later in (
                (self.before, self.before_async),
                (self.after, self.after_async),
                (self.around, self.around_async),
            )
        )

    def is_on_way_in(self, *, is_async: bool) -> bool:
        """Whether anything runs before a handler that is a coroutine function, or is none."""
        return self.on_way_in(is_async=is_async) is not None or self.generator(is_async=is_async) is not None

    def on_way_in(self, *, is_async: bool) -> Handler | None:
        """What runs before a handler that is a coroutine function, or is none."""
        return (is_async and self.before_async) or self.before

    def on_way_out(self, *, is_async: bool) -> Handler | None:
        """What runs after a handler that is a coroutine function, or is none."""
        return (is_async and self.after_async) or self.after

    def generator(self, *, is_async: bool) -> Handler | None:
        """What makes a generator around a handler that is a coroutine function, or is none."""
        return (is_async and self.around_async) or self.around


def build_middleware_stack(
    layers: Sequence[Layer], handler: Handler, on_error: OnError, on_after_error: OnError, *, is_async: bool
) -> Handler:
    """One endpoint that runs `handler` inside of `layers`, the first of which is the outermost.

    Without layers it is the handler itself, so that a route without middleware costs nothing more.
    """
    if any(layer.generator(is_async=is_async) is not None for layer in layers):
        steps = [step for layer in layers for step in _around_steps(layer, is_async=is_async)]
        return around_stack(steps, handler, on_error, on_after_error, is_async=is_async)
    ways = [(layer, layer.on_way_in(is_async=is_async), layer.on_way_out(is_async=is_async)) for layer in layers]
    useful = [(layer, before, after) for layer, before, after in ways if before is not None or after is not None]
    if not useful:
        return handler
    ways_in = tuple(before for _, before, _ in useful)
    ways_out = tuple(after for _, _, after in useful)
    # By the functions' identity: looked up only where one returns something.
    names = {id(each): _name(layer, each) for layer, *functions in useful for each in functions if each is not None}
    return (_async_stack if is_async else _sync_stack)(ways_in, ways_out, names, handler, on_error, on_after_error)


def _around_steps(layer: Layer, *, is_async: bool) -> Iterator[AroundStep]:
    around = layer.generator(is_async=is_async)
    if around is not None:
        awaits, name = is_async_generator_function(around), _name(layer, around)
        yield AroundStep(around, None, None, awaits, awaits, name, name)
    before, after = layer.on_way_in(is_async=is_async), layer.on_way_out(is_async=is_async)
    if before is not None or after is not None:
        yield AroundStep(
            None, before, after, needs_loop(before), needs_loop(after), _name(layer, before), _name(layer, after)
        )


def _name(layer: Layer, function: Handler | None) -> str:
    """What one of its functions is called where what it returns is no answer."""
    return f"{layer.owner}: {describe(function)}" if layer.owner else describe(function)


def _sync_stack(
    ways_in: Ways, ways_out: Ways, names: Names, handler: Handler, on_error: OnError, on_after_error: OnError
) -> Handler:
    pid = os.getpid()

    def endpoint(req: SlimeRequest, resp: SlimeResponse) -> None:
        entered = 0
        try:
            for before in ways_in:
                answer = None if before is None else before(req, resp)
                entered += 1
                if answer is not None:
                    resp.accept(answer, names[id(before)])
                    break
                if resp._is_set_by_before:
                    break
            else:
                result = handler(req, resp)
                if result is not None:
                    resp.accept(result)
        except BaseException as error:
            if is_of_child(error, pid):
                raise
            on_error(req, resp, error)
        for after in reversed(ways_out[:entered]):
            if after is None:
                continue
            try:
                answer = after(req, resp)
                if answer is not None:
                    resp.accept(answer, names[id(after)])
            except BaseException as error:
                if is_of_child(error, pid):
                    raise
                on_after_error(req, resp, error)

    return endpoint


def _async_stack(
    ways_in: Ways, ways_out: Ways, names: Names, handler: Handler, on_error: OnError, on_after_error: OnError
) -> Handler:
    # Which calls are to be awaited is known here, so that no call is looked at when it runs.
    awaited_in = tuple((before, needs_loop(before)) for before in ways_in)
    awaited_out = tuple((after, needs_loop(after)) for after in ways_out)
    pid = os.getpid()

    async def endpoint(req: SlimeRequest, resp: SlimeResponse) -> None:
        entered = 0
        cancelled: BaseException | None = None
        try:
            for before, awaits in awaited_in:
                answer: Any = None
                if before is not None:
                    answer = await before(req, resp) if awaits else before(req, resp)
                entered += 1
                if answer is not None:
                    resp.accept(answer, names[id(before)])
                    break
                if resp._is_set_by_before:
                    break
            else:
                result = await handler(req, resp)
                if result is not None:
                    resp.accept(result)
        except BaseException as error:
            if is_of_child(error, pid):
                raise
            if is_own_cancellation(error):
                cancelled = error
            else:
                on_error(req, resp, error)
        # After a cancellation too, when the client has left or the server stops: what a before has begun, its after
        # ends.
        for after, awaits in reversed(awaited_out[:entered]):
            if after is None:
                continue
            try:
                answer = await after(req, resp) if awaits else after(req, resp)
                if answer is not None:
                    resp.accept(answer, names[id(after)])
            except BaseException as error:
                if is_of_child(error, pid):
                    raise
                if is_own_cancellation(error):
                    cancelled = error
                else:
                    on_after_error(req, resp, error)
        if cancelled is not None:
            raise cancelled

    return endpoint


def needs_loop(function: Handler | None) -> bool:
    """Whether it is a coroutine function, or an asynchronous generator function, and needs an event loop."""
    return function is not None and (is_coroutine_function(function) or is_async_generator_function(function))
