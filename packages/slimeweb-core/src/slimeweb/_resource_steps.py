"""Making resources and ending them, one after the other: in a thread, or in a task."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from slimeweb._cancellation import is_same
from slimeweb.handlers import signature_of
from slimeweb.resources import Resource

if TYPE_CHECKING:
    from slimeweb.app import Slime

__all__ = ["Begun", "Step", "end", "end_async", "step_of"]

Call = Callable[[Mapping[str, Any], Any, Any], Any]


@dataclass(frozen=True, slots=True)
class Step:
    """How one resource is made. `call` takes the values so far by name, and request and response."""

    resource: Resource
    name: str
    call: Call
    is_async: bool
    is_generator: bool

    def make(self, values: dict[str, Any], begun: list[Begun], req: Any = None, resp: Any = None) -> None:
        """Makes the resource, which is not asynchronous."""
        made = self.call(values, req, resp)
        if self.is_generator:
            begun.append((made, self))
            try:
                made = next(made)
            except StopIteration:
                begun.pop()
                raise self._without_yield() from None
            except BaseException:
                begun.pop()
                raise
        values[self.name] = made

    async def make_async(self, values: dict[str, Any], begun: list[Begun], req: Any = None, resp: Any = None) -> None:
        """Makes the resource, whichever it is, in the running task."""
        if not self.is_async:
            self.make(values, begun, req, resp)
            return
        made = self.call(values, req, resp)
        if self.is_generator:
            try:
                value = await anext(made)
            except StopAsyncIteration:
                raise self._without_yield() from None
            begun.append((made, self))
            values[self.name] = value
        else:
            values[self.name] = await made

    def _without_yield(self) -> RuntimeError:
        return RuntimeError(f"the resource {self.resource} ended without a yield: yield its value once")

    def yielded_again(self) -> RuntimeError:
        """The error for a generator that does not end."""
        return RuntimeError(f"the resource {self.resource} has yielded a second time: yield its value once")


Begun = tuple[Any, Step]
"""A generator that has yielded its value, and what it is."""


def step_of(resource: Resource, app: Slime) -> Step:
    """How a resource is made."""
    positional = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    parameters = signature_of(resource.function).parameters
    own = {"app": "app", "req": "req", "resp": "resp"}
    arguments = []
    for name in resource.takes:
        value = own.get(name, f"values[{name!r}]")
        arguments.append(value if parameters[name].kind in positional else f"{name}={value}")
    # One call, and nothing that is looked at when it runs. All names are identifiers.
    source = f"lambda values, req, resp: function({', '.join(arguments)})"
    call: Call = eval(source, {"function": resource.function, "app": app})
    return Step(resource, resource.name, call, resource.is_async, resource.is_generator)


def end(begun: list[Begun], error: BaseException | None) -> tuple[BaseException | None, Step | None]:
    """Ends what has begun, the last first, each with the error at its `yield`. The error that there is afterwards, and
    whose it is: swallowing one changes nothing, another one takes its place.
    """
    culprit = None
    try:
        while begun:
            generator, step = begun.pop()
            try:
                if error is None:
                    next(generator)
                else:
                    generator.throw(error)
            except StopIteration:
                continue
            except BaseException as raised:
                if not is_same(raised, error):
                    error, culprit = raised, step
            else:
                generator.close()
                error, culprit = _after(step.yielded_again(), error), step
        return error, culprit
    finally:
        # Its traceback has this frame: together they would stay until the collector runs.
        del error


async def end_async(begun: list[Begun], error: BaseException | None) -> tuple[BaseException | None, Step | None]:
    """As `end`, in the running task."""
    culprit = None
    try:
        while begun:
            if not begun[-1][1].is_async:
                generator, step = begun.pop()
                error, found = end([(generator, step)], error)
                culprit = found or culprit
                continue
            generator, step = begun.pop()
            try:
                if error is None:
                    await anext(generator)
                else:
                    await generator.athrow(error)
            except StopAsyncIteration:
                continue
            except BaseException as raised:
                if not is_same(raised, error):
                    error, culprit = raised, step
            else:
                await generator.aclose()
                error, culprit = _after(step.yielded_again(), error), step
        return error, culprit
    finally:
        del error


def _after(error: BaseException, context: BaseException | None) -> BaseException:
    error.__context__ = context
    return error
