"""Resources: what lives as long as the process, a worker or a request, and what handlers reach it by."""

from __future__ import annotations

import inspect
import keyword
from collections.abc import AsyncIterator, Awaitable, Callable, Generator, Iterable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal, TypeVar, get_args, overload

from slimeweb.errors import ConfigError, InvalidHandler
from slimeweb.handlers import describe, is_coroutine_function, signature_of
from slimeweb.spelling import suggestion

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop

__all__ = ["Resource", "ResourceKey", "Resources", "Scope", "resource"]

T = TypeVar("T")

Scope = Literal["app", "worker", "request"]
"""How long a resource lives, the longest first: as the process, as the event loop of a worker, as a request."""

SCOPES: tuple[Scope, ...] = get_args(Scope)

_PARAMETERS = ("app", "req", "resp")
"""What functions of resources take besides other resources."""


@dataclass(frozen=True, slots=True)
class Resource:
    """A resource as it is declared: `function` makes it, of `scope`, under `name`.

    The function is plain, a generator, a coroutine function or an asynchronous generator; a generator yields the value
    once, and what follows runs at the end. Its parameters without a default are names: of other resources, `app`, and
    in the scope `request` also `req` and `resp`.
    """

    function: Callable[..., Any]
    scope: Scope
    name: str

    @property
    def takes(self) -> tuple[str, ...]:
        """The names that the function takes, in order. `InvalidHandler` where it has no signature."""
        return asked_by(self.function, f"the resource {self.name!r}")

    @property
    def is_generator(self) -> bool:
        """Whether something is left to do at the end."""
        return inspect.isgeneratorfunction(self.function) or inspect.isasyncgenfunction(self.function)

    @property
    def is_async(self) -> bool:
        """Whether it needs an event loop."""
        return inspect.isasyncgenfunction(self.function) or is_coroutine_function(self.function)

    def __str__(self) -> str:
        return f"{self.name!r} ({describe(self.function)})"


def resource(function: Callable[..., Any], *, scope: Scope = "worker", name: str | None = None) -> Resource:
    """A resource without an application: for the hook `slime_resources`, and for `TestClient(resources=…)`.

    The name is the function's unless it is given. `ConfigError` for a name or a scope that cannot be, `InvalidHandler`
    for what cannot be called.
    """
    if not callable(function):
        raise InvalidHandler(f"a resource is made by a function, not {function!r}")
    if scope not in SCOPES:
        raise ConfigError(
            f"the resource {describe(function)}: scope={scope!r} is none: give 'app', 'worker', 'request'"
        )
    if name is None:
        name = getattr(function, "__name__", "")
    if not name.isidentifier() or keyword.iskeyword(name) or name.startswith("_") or name == "<lambda>":
        raise ConfigError(f"the resource {describe(function)} cannot be named {name!r}: give name='…', an identifier")
    if name in (*_PARAMETERS, "get") or hasattr(Resources, name):
        raise ConfigError(f"the resource {describe(function)} cannot be named {name!r}, which means something else")
    return Resource(function, scope, name)


ResourceKey = str | Callable[..., Any] | Resource
"""What a list of resources may hold: a name, a function that has been declared, or a resource that has not."""


def as_keys(listed: object, what: str) -> tuple[ResourceKey, ...]:
    """A list of resources as a tuple. `ConfigError` for what is none, naming `what` has it."""
    if isinstance(listed, str | Resource) or not isinstance(listed, Iterable):
        raise ConfigError(f"{what}: resources={listed!r} is no list: write resources=[{listed!r}]")
    keys = tuple(listed)
    for key in keys:
        if not (isinstance(key, str | Resource) or callable(key)):
            raise ConfigError(f"{what}: resources={listed!r}: {key!r} is neither a name nor a function")
    return keys


def asked_by(function: Callable[..., Any], what: str) -> tuple[str, ...]:
    """The names of the parameters of a function that have no default, in order. `InvalidHandler` where it has no
    signature.
    """
    try:
        parameters = signature_of(function).parameters.values()
    except (TypeError, ValueError) as error:
        raise InvalidHandler(f"{what}: {describe(function)} does not tell what it takes: wrap it in a def") from error
    several = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    return tuple(each.name for each in parameters if each.default is each.empty and each.kind not in several)


class Resources:
    """The resources that a request, or whatever has asked for them, can use: `req.resources.db`, or with its real type
    `req.resources[db]`, the function being the key.

    Those of the application and of the worker are always there, those of the scope `request` where the route or its
    middleware lists them.
    """

    __slots__ = ("__dict__", "_loop", "_names")

    def __init__(
        self,
        values: Mapping[str, Any] = MappingProxyType({}),
        names: Mapping[Callable[..., Any], str] = MappingProxyType({}),
        loop: AbstractEventLoop | None = None,
    ) -> None:
        self.__dict__.update(values)
        self._names = names
        self._loop = loop

    @overload
    def __getitem__(self, key: str) -> Any: ...
    @overload
    def __getitem__(self, key: Callable[..., AsyncIterator[T]]) -> T: ...
    @overload
    def __getitem__(self, key: Callable[..., Iterator[T]]) -> T: ...
    @overload
    def __getitem__(self, key: Callable[..., Awaitable[T]]) -> T: ...
    @overload
    def __getitem__(self, key: Callable[..., T]) -> T: ...
    def __getitem__(self, key: str | Callable[..., Any]) -> Any:
        """The value of a resource, by its name or its function. `LookupError` where there is none."""
        name = key if isinstance(key, str) else self._names.get(key)
        if name is None:
            raise LookupError(f"{describe(key)} is no resource of this application: declare it with @app.resource()")
        try:
            return self.__dict__[name]
        except KeyError:
            raise LookupError(self._missing(name)) from None

    def __getattr__(self, name: str) -> Any:
        # What is there has been found by then.
        raise AttributeError(self._missing(name), name=name, obj=self)

    def __contains__(self, key: object) -> bool:
        return (key if isinstance(key, str) else self._names.get(key)) in self.__dict__  # type: ignore[call-overload]

    def end(self) -> Awaitable[None]:
        """Ends those of the request, last made first, before the handler has ended: so that a long stream holds no
        connection. To be awaited in a coroutine handler. Raises what they raise.
        """
        return ENDED

    def _missing(self, name: str) -> str:
        declared = set(self._names.values())
        if name in declared:
            return f"the resource {name!r} has not been made here: list it, resources=[{name!r}], on the route"
        return f"there is no resource {name!r}: {suggestion(name, sorted(declared))}"


class _Ended:
    """What has ended already, for those who await that."""

    __slots__ = ()

    def __await__(self) -> Generator[Any, None, None]:
        return
        yield


ENDED = _Ended()
