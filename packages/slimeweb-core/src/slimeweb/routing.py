"""Routes, as they are declared."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from slimeweb.errors import InvalidHandler, MultipleRouteException
from slimeweb.methods import overlap, parse_methods
from slimeweb.pattern import PathParam, PathPattern

if TYPE_CHECKING:
    from slimeweb.middleware import SlimeMiddleware

__all__ = [
    "BODY_SIZE",
    "Handler",
    "RouteSpec",
    "RouteTable",
    "check_handler",
    "check_parentheses",
    "describe",
    "is_coroutine_function",
]

Handler = Callable[..., Any]

BODY_SIZE = 10 * 1024 * 1024
"""How many bytes of body a request may have where nothing else is said."""


@dataclass(frozen=True, slots=True, eq=False)
class RouteSpec:
    """One declared route. Immutable; made by `app.route`, or by a plugin with `RouteSpec.declare`.

    `body_size` is in bytes, `None` for what `serve()` says. `options` holds the plugins' route options by name,
    defaults included. `name` and `doc` are the handler's.
    """

    pattern: PathPattern
    methods: tuple[str, ...]
    handler: Handler
    is_async: bool
    body_size: int | None = None
    stream_body: bool = False
    blocking: bool | None = None
    middleware: tuple[SlimeMiddleware, ...] = ()
    options: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))

    @classmethod
    def declare(
        cls,
        path: str,
        handler: Handler,
        method: str | Iterable[str] = "GET",
        *,
        body_size: int | None = None,
        stream_body: bool = False,
        blocking: bool | None = None,
        middleware: Iterable[SlimeMiddleware] = (),
        options: Mapping[str, Any] | None = None,
    ) -> RouteSpec:
        """A route from what a user would type. `InvalidHandler`, `MethodException` or `ValueError` when that will not
        do.
        """
        pattern = PathPattern.parse(path)
        check_handler(handler, f"the route {path}")
        if body_size is not None and (
            isinstance(body_size, bool) or not isinstance(body_size, int) or not 0 <= body_size < 2**63
        ):
            raise ValueError(f"the route {path}: body_size={body_size!r} has to be a number of bytes, 0 or more")
        if not isinstance(stream_body, bool):
            raise ValueError(f"the route {path}: stream_body={stream_body!r} has to be True or False")
        if blocking is not None and not isinstance(blocking, bool):
            raise ValueError(
                f"the route {path}: blocking={blocking!r} has to be True, False or None (let the server find out)"
            )
        return cls(
            pattern=pattern,
            methods=parse_methods(method),
            handler=handler,
            is_async=is_coroutine_function(handler),
            body_size=body_size,
            stream_body=stream_body,
            blocking=blocking,
            middleware=tuple(middleware),
            options=MappingProxyType(dict(options or {})),
        )

    @property
    def path(self) -> str:
        """The pattern as it was written, `/users/{id:int}`."""
        return self.pattern.text

    @property
    def params(self) -> tuple[PathParam, ...]:
        """The pattern's parameters, in order."""
        return self.pattern.params

    @property
    def name(self) -> str:
        """The handler's name."""
        return getattr(self.handler, "__name__", type(self.handler).__name__)

    @property
    def doc(self) -> str:
        """The handler's docstring, empty when there is none."""
        return inspect.getdoc(self.handler) or ""

    def __str__(self) -> str:
        return f"{','.join(self.methods)} {self.path} ({describe(self.handler)})"


class RouteTable:
    """The routes of one application, in order, no two of which answer the same method of the same path."""

    __slots__ = ("_routes",)

    def __init__(self, routes: Iterable[RouteSpec] = ()) -> None:
        self._routes: tuple[RouteSpec, ...] = ()
        for route in routes:
            self.add(route)

    def add(self, route: RouteSpec) -> None:
        """Adds a route. `MultipleRouteException` names both when another one is in its way."""
        for other in self._routes:
            shared = overlap(route.methods, other.methods)
            if other.pattern.shape == route.pattern.shape and shared:
                raise MultipleRouteException(
                    f"{','.join(shared)} {route.path} has two handlers: {describe(other.handler)} for {other.path} "
                    f"and {describe(route.handler)}"
                )
        self._routes = (*self._routes, route)

    def at(self, shape: tuple[str, ...]) -> tuple[RouteSpec, ...]:
        """The routes whose pattern has that shape."""
        return tuple(route for route in self._routes if route.pattern.shape == shape)

    def __iter__(self) -> Iterator[RouteSpec]:
        return iter(self._routes)

    def __len__(self) -> int:
        return len(self._routes)


def is_coroutine_function(function: Handler) -> bool:
    """Whether calling it gives a coroutine: an `async def`, a partial of one, or an object whose `__call__` is one."""
    if inspect.iscoroutinefunction(function):
        return True
    # A class's own __call__ is what makes its instances callable, not what calling the class does.
    return not inspect.isclass(function) and inspect.iscoroutinefunction(getattr(function, "__call__", None))  # noqa: B004


def check_handler(handler: object, role: str, arguments: tuple[str, ...] = ("req", "resp")) -> None:
    """`InvalidHandler` unless `handler` can be called with these positional arguments."""
    wanted = f"{role} needs a function of {_counted(arguments)}"
    if not callable(handler):
        raise InvalidHandler(f"{wanted}, not {handler!r}")
    if isinstance(handler, type):
        raise InvalidHandler(f"{wanted}, not the class {describe(handler)}: give one of its methods, or an instance")
    called = handler if inspect.isroutine(handler) else getattr(handler, "__call__")  # noqa: B004, B009
    if any(inspect.isgeneratorfunction(each) or inspect.isasyncgenfunction(each) for each in (handler, called)):
        raise InvalidHandler(
            f"{wanted} that returns its answer; {describe(handler)} is a generator: remove its 'yield'"
        )
    try:
        # Its own, not that of a function it is wrapped around (functools.wraps), which it may call with more.
        signature = inspect.signature(handler, follow_wrapped=False)
    except ValueError:
        # Some built-in callables do not tell; calling them will.
        return
    try:
        signature.bind(*arguments)
    except TypeError as error:
        raise InvalidHandler(f"{wanted}; {describe(handler)} takes {signature}") from error


def check_parentheses(decorator: str, given: object, example: str) -> None:
    """`InvalidHandler` when a decorator was given the function itself, since its parentheses were forgotten.

    `given` is its first argument, which is never a function; `example` is what to type. What a decorator without
    parentheses returns takes the function's place and declares nothing.
    """
    if callable(given) and not (isinstance(given, type) and issubclass(given, BaseException)):
        raise InvalidHandler(f"@{decorator} needs parentheses above {describe(given)}: write @{example}")


def _counted(arguments: tuple[str, ...]) -> str:
    count = ("no", "one", "two", "three")[len(arguments)]
    plural = "" if len(arguments) == 1 else "s"
    return f"{count} argument{plural} ({', '.join(arguments)})"


def describe(function: object) -> str:
    """A handler's name and where it is defined, for messages: `main.home (main.py:12)`."""
    function = inspect.unwrap(function) if callable(function) else function
    function = getattr(function, "func", function)
    module, name = getattr(function, "__module__", None), getattr(function, "__qualname__", None)
    if name is None:
        return repr(function)
    code = getattr(function, "__code__", None)
    place = f" ({code.co_filename}:{code.co_firstlineno})" if code is not None else ""
    return f"{module}.{name}{place}" if module else f"{name}{place}"
