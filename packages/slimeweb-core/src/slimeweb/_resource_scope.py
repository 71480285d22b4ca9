"""`app.scope()`: resources where there is no request, such as background work, a message or a script."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any, TypeVar, overload

from slimeweb._request_resources import AsyncRequestResources, RequestResources, raise_other
from slimeweb._resource_graph import ResourceGraph
from slimeweb._resource_steps import Step, end, end_async, step_of
from slimeweb.errors import ConfigError
from slimeweb.resources import Resources

if TYPE_CHECKING:
    from slimeweb.app import Slime

__all__ = ["AsyncScopeResources", "ResourceScope", "ScopeResources", "ScopeSteps"]

T = TypeVar("T")

_ASKER = "app.scope()"


class ScopeSteps:
    """How each resource is made without a request, with all that it takes. Decided when it is first asked for."""

    def __init__(self, app: Slime, graph: ResourceGraph) -> None:
        self._app = app
        self._graph = graph
        # Another thread may decide the same again, to the same end.
        self._steps: dict[str, Sequence[Step]] = {}

    def of(self, key: str | Callable[..., Any]) -> Sequence[Step]:
        """The steps, that of the resource itself the last. `ConfigError` where there is none, or no request can be done
        without.
        """
        name = self._graph.known(key, _ASKER).name
        steps = self._steps.get(name)
        if steps is None:
            needed = self._graph.needed(name)
            for each in needed:
                for parameter in ("req", "resp"):
                    if parameter in each.takes:
                        raise ConfigError(f"{_ASKER} cannot make {each}: it takes {parameter!r}, and there is none")
            steps = self._steps[name] = [step_of(each, self._app) for each in needed]
        return steps


class ScopeResources(RequestResources):
    """What `with app.scope() as resources:` has. For one thread."""

    __slots__ = ("_is_over", "_steps")

    def __init__(self, outer: Resources, steps: ScopeSteps) -> None:
        super().__init__(outer)
        self._steps = steps
        self._is_over = False

    @overload
    def get(self, key: str) -> Any: ...
    @overload
    def get(self, key: Callable[..., Iterator[T]]) -> T: ...
    @overload
    def get(self, key: Callable[..., T]) -> T: ...
    def get(self, key: str | Callable[..., Any]) -> Any:
        """A resource by its name or its function, made where it is not there yet, with those that it takes. Raises what
        making it raises; `ConfigError` where there is none, where it needs an event loop, and for one that takes the
        request.
        """
        steps = missing(self, key)
        for step in steps:
            if step.is_async:
                raise ConfigError(f"{_ASKER} cannot make {step.resource}: write `async with app.scope()`")
        for step in steps:
            step.make(self.__dict__, self._begun)
        return self[key]

    def end(self) -> Any:
        """Ends those that have been made here, before the end of the block."""
        self._is_over = True
        return super().end()

    def _missing(self, name: str) -> str:
        return advice(self, name, super()._missing(name))


class AsyncScopeResources(AsyncRequestResources):
    """What `async with app.scope() as resources:` has. For the tasks of its event loop."""

    __slots__ = ("_is_over", "_lock", "_steps")

    def __init__(self, outer: Resources, steps: ScopeSteps) -> None:
        super().__init__(outer)
        self._steps = steps
        self._is_over = False
        self._lock = asyncio.Lock()

    @overload
    async def get(self, key: str) -> Any: ...
    @overload
    async def get(self, key: Callable[..., AsyncIterator[T]]) -> T: ...
    @overload
    async def get(self, key: Callable[..., Iterator[T]]) -> T: ...
    @overload
    async def get(self, key: Callable[..., Awaitable[T]]) -> T: ...
    @overload
    async def get(self, key: Callable[..., T]) -> T: ...
    async def get(self, key: str | Callable[..., Any]) -> Any:
        """As `ScopeResources.get`, of resources of every kind."""
        async with self._lock:
            for step in missing(self, key):
                await step.make_async(self.__dict__, self._begun)
        return self[key]

    async def end(self) -> None:
        """Ends those that have been made here, before the end of the block."""
        self._is_over = True
        await super().end()

    def _missing(self, name: str) -> str:
        return advice(self, name, super()._missing(name))


Made = ScopeResources | AsyncScopeResources


def missing(resources: Made, key: str | Callable[..., Any]) -> Sequence[Step]:
    """What is to be made for a resource. `RuntimeError` after the end."""
    if resources._is_over:
        raise RuntimeError(f"{_ASKER} has ended: nothing can be had of it any more")
    return [step for step in resources._steps.of(key) if step.name not in resources.__dict__]


def advice(resources: Made, name: str, otherwise: str) -> str:
    """What to do where a resource is not there."""
    if name in resources._names.values():
        return f"the resource {name!r} has not been made here: resources.get({name!r}) makes it"
    return otherwise


class ResourceScope:
    """A block with resources of its own, for `with` or `async with`, once."""

    __slots__ = ("_app", "_resources")

    def __init__(self, app: Slime) -> None:
        self._app = app
        self._resources: Made | None = None

    def __enter__(self) -> ScopeResources:
        self._check_new()
        self._resources = entered = ScopeResources(*self._outer(is_async=False))
        return entered

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._resources is not None
        self._resources._is_over = True
        try:
            after, _ = end(self._resources._begun, error)
            raise_other(after, error)
        finally:
            # Its traceback has this frame.
            del error

    async def __aenter__(self) -> AsyncScopeResources:
        self._check_new()
        self._resources = entered = AsyncScopeResources(*self._outer(is_async=True))
        return entered

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._resources is not None
        self._resources._is_over = True
        try:
            after, _ = await end_async(self._resources._begun, error)
            raise_other(after, error)
        finally:
            del error

    def _check_new(self) -> None:
        if self._resources is not None:
            raise RuntimeError("a scope is for one block: call app.scope() for each")

    def _outer(self, *, is_async: bool) -> tuple[Resources, ScopeSteps]:
        """The resources that are there already, and how others are made."""
        life = self._app._resource_life
        if life is not None:
            return life.here(is_async=is_async), life.steps
        self._app._get_ready()
        graph = self._app._resource_graph()
        return Resources({}, graph.names), ScopeSteps(self._app, graph)
