"""The middleware stack of a handler that has generators around it; `_middleware_stack` has that of all others.

What is raised travels outwards: each generator has it raised at its `yield`, and may swallow it or raise another one.
It becomes an answer (`on_error`) before the first after that it comes to, or at the end: generators further out have
both. Once the response has started it becomes one at once, which aborts the body, so that one that was cut never looks
whole.

The task of a coroutine handler may be cancelled. Generators have that raised as well, as `asynccontextmanager`'s do: a
`timeout` around a `yield` may turn it into something else. Unless that has taken the cancellation back, it goes on.
"""

from __future__ import annotations

import os
from collections.abc import AsyncGenerator, Callable, Generator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from slimeweb._cancellation import is_cancelled, is_of_child, is_own_cancellation, is_same
from slimeweb.handlers import Handler

if TYPE_CHECKING:
    from slimeweb._core import SlimeRequest, SlimeResponse

__all__ = ["AroundStep", "around_stack"]

OnError = Callable[["SlimeRequest", "SlimeResponse", BaseException], None]

WayIn = tuple[Handler | None, Handler | None, bool, str]
WayOut = tuple[bool, Handler | None, bool, str]

_END: Any = object()


class AroundStep(NamedTuple):
    """What one middleware does: `around` with a generator, or `before` and `after`; whether that is awaited, and what
    it is called in messages.
    """

    around: Handler | None
    before: Handler | None
    after: Handler | None
    awaits_in: bool
    awaits_out: bool
    name_in: str
    name_out: str


def around_stack(
    steps: Sequence[AroundStep], handler: Handler, on_error: OnError, on_after_error: OnError, *, is_async: bool
) -> Handler:
    """One endpoint that runs `handler` inside of `steps`, the first of which is the outermost."""
    # What is needed on either way alone: a loop over less is quicker.
    ways_in = tuple((each.around, each.before, each.awaits_in, each.name_in) for each in steps)
    ways_out = tuple((each.around is not None, each.after, each.awaits_out, each.name_out) for each in steps)
    return (_async_stack if is_async else _sync_stack)(ways_in, ways_out, handler, on_error, on_after_error)


@dataclass(slots=True)
class _Failure:
    """What has been raised on the way of one request, as far as it has travelled."""

    req: SlimeRequest
    resp: SlimeResponse
    error: BaseException | None
    respond: OnError | None
    """What makes an answer of it. `None` once that has been done."""

    def replace(self, error: BaseException, respond: OnError) -> None:
        """Something else has been raised, maybe while the first one travelled."""
        self.error = error
        self.respond = None if is_own_cancellation(error) else respond
        if self.resp.started:
            self.answer()

    def answer(self) -> None:
        """Makes the answer, unless there is one, or the task has been cancelled and nobody gets one."""
        if self.error is not None and self.respond is not None:
            respond, self.respond = self.respond, None
            respond(self.req, self.resp, self.error)

    def passed(self, outcome: BaseException | None, name: str, on_after_error: OnError) -> None:
        """A generator has had it raised, and raises `outcome` now; `None` where it has swallowed it."""
        if outcome is self.error:
            return
        if outcome is None:
            if self.error is not None and is_own_cancellation(self.error):
                # Nobody has taken that back: the client has gone, or the server stops.
                return
            if self.resp.is_set or self.resp.started:
                self.error = self.respond = None
                return
            outcome = RuntimeError(
                f"{name} swallowed an exception, and there is no answer: fill the response, or raise it again"
            )
            outcome.__cause__ = self.error
        self.replace(outcome, on_after_error)


def _sync_stack(
    ways_in: tuple[WayIn, ...],
    ways_out: tuple[WayOut, ...],
    handler: Handler,
    on_error: OnError,
    on_after_error: OnError,
) -> Handler:
    pid = os.getpid()

    def endpoint(req: SlimeRequest, resp: SlimeResponse) -> None:
        generators: list[Generator[Any, None, Any]] = []
        entered = 0
        failure: _Failure | None = None
        try:
            for around, before, _, name in ways_in:
                if around is not None:
                    generator = around(req, resp)
                    answer = next(generator, _END)
                    if answer is _END:
                        raise RuntimeError(_without_yield(name))
                    generators.append(generator)
                else:
                    answer = None if before is None else before(req, resp)
                entered += 1
                if answer is not None:
                    resp.accept(answer, name)
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
            failure = _Failure(req, resp, None, None)
            failure.replace(error, on_error)
        for is_around, after, _, name in reversed(ways_out[:entered]):
            try:
                if is_around:
                    generator = generators.pop()
                    if failure is not None and failure.error is not None:
                        failure.passed(_raise_in(generator, failure.error, name), name, on_after_error)
                        continue
                    if next(generator, _END) is not _END:
                        generator.close()
                        raise RuntimeError(_with_two(name))
                    continue
                if after is None:
                    continue
                if failure is not None:
                    failure.answer()
                answer = after(req, resp)
                if answer is not None:
                    resp.accept(answer, name)
            except BaseException as error:
                if is_of_child(error, pid):
                    raise
                failure = failure or _Failure(req, resp, None, None)
                failure.replace(error, on_after_error)
        if failure is not None:
            failure.answer()
            # Its traceback has this frame: together they would stay, with the request, until the collector runs.
            failure.error = None

    return endpoint


def _async_stack(
    ways_in: tuple[WayIn, ...],
    ways_out: tuple[WayOut, ...],
    handler: Handler,
    on_error: OnError,
    on_after_error: OnError,
) -> Handler:
    pid = os.getpid()

    async def endpoint(req: SlimeRequest, resp: SlimeResponse) -> None:
        generators: list[Any] = []
        entered = 0
        failure: _Failure | None = None
        cancelled: BaseException | None = None
        try:
            for around, before, awaits, name in ways_in:
                answer: Any = None
                if around is not None:
                    generator = around(req, resp)
                    answer = await anext(generator, _END) if awaits else next(generator, _END)
                    if answer is _END:
                        raise RuntimeError(_without_yield(name))
                    generators.append(generator)
                elif before is not None:
                    answer = await before(req, resp) if awaits else before(req, resp)
                entered += 1
                if answer is not None:
                    resp.accept(answer, name)
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
            failure = _Failure(req, resp, None, None)
            failure.replace(error, on_error)
            if is_own_cancellation(error):
                cancelled = error
        for is_around, after, awaits, name in reversed(ways_out[:entered]):
            try:
                if is_around:
                    generator = generators.pop()
                    if failure is not None and failure.error is not None:
                        failure.passed(
                            await _raise_in_async(generator, failure.error, name)
                            if awaits
                            else _raise_in(generator, failure.error, name),
                            name,
                            on_after_error,
                        )
                        continue
                    if (await anext(generator, _END) if awaits else next(generator, _END)) is not _END:
                        if awaits:
                            await generator.aclose()
                        else:
                            generator.close()
                        raise RuntimeError(_with_two(name))
                    continue
                if after is None:
                    continue
                if failure is not None:
                    failure.answer()
                answer = await after(req, resp) if awaits else after(req, resp)
                if answer is not None:
                    resp.accept(answer, name)
            except BaseException as error:
                if is_of_child(error, pid):
                    raise
                failure = failure or _Failure(req, resp, None, None)
                failure.replace(error, on_after_error)
                if is_own_cancellation(error):
                    cancelled = error
        if failure is not None:
            failure.answer()
            failure.error = None
        if cancelled is not None:
            try:
                if is_cancelled():
                    raise cancelled
            finally:
                cancelled = None

    return endpoint


def _raise_in(generator: Generator[Any, None, Any], error: BaseException, name: str) -> BaseException | None:
    """Raises an exception at a generator's `yield`. Returns what it raises then: `None` where it has swallowed it."""
    traceback = error.__traceback__
    try:
        generator.throw(error)
    except StopIteration:
        return None
    except BaseException as raised:
        return _raised(raised, error, traceback)
    generator.close()
    return RuntimeError(_with_two(name))


async def _raise_in_async(
    generator: AsyncGenerator[Any, None], error: BaseException, name: str
) -> BaseException | None:
    traceback = error.__traceback__
    try:
        await generator.athrow(error)
    except StopAsyncIteration:
        return None
    except BaseException as raised:
        return _raised(raised, error, traceback)
    await generator.aclose()
    return RuntimeError(_with_two(name))


def _raised(raised: BaseException, error: BaseException, traceback: Any) -> BaseException:
    """What travels on. The traceback of an exception that was only let through shows none of the way through."""
    if not is_same(raised, error):
        return raised
    error.__traceback__ = traceback
    return error


def _without_yield(name: str) -> str:
    return f"{name} ended without a yield: middle_around yields once, and an answer of its own is yield resp.plain(…)"


def _with_two(name: str) -> str:
    return f"{name} yielded twice: middle_around yields once, before what is to run after the handler"
