"""Routers: declarations that a module makes without an application, and that applications include."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar, Unpack

from slimeweb._error_handlers import ErrorHandlers, ErrorKey
from slimeweb._installed.members import DeclaringMembers, RouteHandler
from slimeweb._middleware import EVERY_PATH, Registration, SlimeMiddleware, as_middleware
from slimeweb._pattern import PathPattern
from slimeweb._place import caller_place
from slimeweb.errors import ConfigError, InvalidHandler
from slimeweb.handlers import check_parentheses
from slimeweb.methods import parse_methods
from slimeweb.resources import Scope
from slimeweb.routing import RouteArguments, RouterArguments, check_name

if TYPE_CHECKING:
    from slimeweb._core import SlimeRequest, SlimeResponse
    from slimeweb.app import Slime

__all__ = ["Declarations", "Include", "Router"]

# What decorators take and give back as it is.
F = TypeVar("F", bound=Callable[..., Any])
H = TypeVar("H", bound=RouteHandler)
M = TypeVar("M", bound="Callable[[SlimeRequest, SlimeResponse], Any]")
ErrorFunction = TypeVar(
    "ErrorFunction",
    bound="Callable[[SlimeRequest, SlimeResponse, Any], Any] | Callable[[SlimeRequest, SlimeResponse], Any]",
)
StartFunction = TypeVar("StartFunction", bound=Callable[..., Any])
ResourceFunction = TypeVar("ResourceFunction", bound=Callable[..., Any])
EndFunction = TypeVar("EndFunction", bound=Callable[[BaseException | None], Any])

_ADDED_UP = ("plugin", "resources")
"""The arguments of routes that add up: those of the router come before those of the route."""

_DECORATORS = ("route", "middle_before", "middle_after", "middle_around", "error", "start", "end", "resource", "every")

_ONCE = ("start", "end", "resource", "every")
"""What belongs to the whole application, however often the router is included."""


class Declarations(DeclaringMembers):
    """What can be declared on an application, on a router, and by plugins on either: the argument `on` of the hook
    `slime_declarations`. The methods of `Slime` say what each does; paths are below the router's prefix.
    """

    def route(
        self, path: str = "/", method: str | Iterable[str] = "GET", **arguments: Unpack[RouteArguments]
    ) -> Callable[[H], H]:
        """Declares a route."""
        return self._declare("route", path, method, **arguments)

    def get(self, path: str = "/", **arguments: Unpack[RouteArguments]) -> Callable[[H], H]:
        """Declares a route for GET: `route(path, "GET", …)`."""
        return self._declare_method("get", path, arguments)

    def post(self, path: str = "/", **arguments: Unpack[RouteArguments]) -> Callable[[H], H]:
        """Declares a route for POST."""
        return self._declare_method("post", path, arguments)

    def put(self, path: str = "/", **arguments: Unpack[RouteArguments]) -> Callable[[H], H]:
        """Declares a route for PUT."""
        return self._declare_method("put", path, arguments)

    def patch(self, path: str = "/", **arguments: Unpack[RouteArguments]) -> Callable[[H], H]:
        """Declares a route for PATCH."""
        return self._declare_method("patch", path, arguments)

    def delete(self, path: str = "/", **arguments: Unpack[RouteArguments]) -> Callable[[H], H]:
        """Declares a route for DELETE."""
        return self._declare_method("delete", path, arguments)

    def use(self, middleware: SlimeMiddleware, method: str | Iterable[str] = "*", path: str = EVERY_PATH) -> None:
        """Puts middleware around the routes."""
        self._declare("use", middleware, method, path)

    def middle_before(self, path: str = EVERY_PATH, method: str | Iterable[str] = "*") -> Callable[[M], M]:
        """Declares a function that runs before the handlers of a path, of every route of the router unless given."""
        return self._declare("middle_before", path, method)

    def middle_after(self, path: str = EVERY_PATH, method: str | Iterable[str] = "*") -> Callable[[M], M]:
        """Declares a function that runs after the handlers of a path, of every route of the router unless given."""
        return self._declare("middle_after", path, method)

    def middle_around(self, path: str = EVERY_PATH, method: str | Iterable[str] = "*") -> Callable[[M], M]:
        """Declares a generator function that runs around the handlers of a path, of every route of the router unless
        given.
        """
        return self._declare("middle_around", path, method)

    def error(self, key: ErrorKey) -> Callable[[ErrorFunction], ErrorFunction]:
        """Declares what answers an error status or an exception class."""
        return self._declare("error", key)

    def start(self, *misplaced: object) -> Callable[[StartFunction], StartFunction]:
        """Declares a function that runs once before the first request."""
        return self._declare("start", *misplaced)

    def end(self, *misplaced: object) -> Callable[[EndFunction], EndFunction]:
        """Declares a function that runs once when serving ends."""
        return self._declare("end", *misplaced)

    def every(self, seconds: float) -> Callable[[StartFunction], StartFunction]:
        """Declares a function that runs again and again while the application is served."""
        return self._declare("every", seconds)

    def resource(
        self, *misplaced: object, scope: Scope = "worker", name: str | None = None
    ) -> Callable[[ResourceFunction], ResourceFunction]:
        """Declares what lives as long as the process, a worker or a request."""
        return self._declare("resource", *misplaced, scope=scope, name=name)

    def include(
        self,
        router: Router,
        *,
        prefix: str | None = None,
        name: str | None = None,
        **arguments: Unpack[RouterArguments],
    ) -> None:
        """Declares here what a router has recorded. `prefix` and `name` take the place of the router's own; the other
        arguments are as `Router` has them, and count over those.

        `ConfigError` for a router that includes itself; what its declarations raise has a note of where they are.
        """
        self._declare("include", router, prefix=prefix, name=name, **arguments)

    def _declare_method(self, method: str, path: str, arguments: Mapping[str, Any]) -> Callable[[H], H]:
        check_parentheses(f"app.{method}", path, f'app.{method}("/")')
        return self.route(path, method.upper(), **arguments)

    def _declare(self, what: str, /, *arguments: Any, **keywords: Any) -> Callable[[F], F]:
        raise NotImplementedError


@dataclass(frozen=True, slots=True)
class Declaration:
    """One call that a router has recorded: of which method, with what, and where. `function` is what the decorator
    that came of it was put above, `None` where there was none.
    """

    what: str
    arguments: tuple[Any, ...]
    keywords: Mapping[str, Any]
    place: str
    function: Callable[..., Any] | None = None

    def replay(self, on: Include) -> None:
        """Makes the call. What it raises has a note of both places."""
        try:
            if self.what == "include":
                return on._include(self.place, *self.arguments, **self.keywords)
            made = getattr(on, self.what)(*self.arguments, **self.keywords)
            if self.function is not None:
                made(self.function)
        except Exception as error:
            error.add_note(f"declared at {self.place} by {on.router}, which was included at {on.place}")
            raise


class Router(Declarations):
    """Routes and what belongs to them, declared without an application.

        users = Router("/users", plugin=[LoginRequired()], name="users")

        @users.get("/{id:int}", name="show")
        def show(req, resp):
            return resp.json(find(req.params["id"]))

        app.include(users)

    It records. `app.include(users)` declares all of it then, as if the application had: with the same checks, hooks and
    conflicts. A router may be included several times, in several applications and in other routers; nothing can be
    declared on it any more then.

    `prefix` stands before the path of every route and may hold parameters; a path `""` is the prefix itself. `name`
    stands before the names of its routes for `url_for`, with a dot between. All else are arguments of its routes: a
    route's own count over them, but `plugin` adds up, the router's outside. `use`, `middle_before`, `middle_after`,
    `middle_around` and `error` hold for its routes and those of routers that it includes, whatever the order of
    declaration; not for 404s and 405s. `start` and `end` become the application's, once. So do members that plugins
    bring, such as `@users.stream(…)`: whether an application has them is known when it includes the router.

    `InvalidHandler` for a prefix that will not do, `ConfigError` for a declaration that comes too late.
    """

    def __init__(self, prefix: str = "", *, name: str | None = None, **arguments: Unpack[RouterArguments]) -> None:
        self._place = caller_place()
        self._prefix = check_prefix("Router", prefix)
        self._name = check_name("Router", name)
        self._arguments: Mapping[str, Any] = _read(arguments)
        self._declared: tuple[Declaration, ...] = ()
        self._included_at: str | None = None

    @property
    def prefix(self) -> str:
        """What stands before the paths of its routes."""
        return self._prefix

    @property
    def name(self) -> str | None:
        """What stands before the names of its routes."""
        return self._name

    def __str__(self) -> str:
        return f"Router({self._prefix!r}) of {self._place}"

    if not TYPE_CHECKING:
        # Hidden from type checkers, which know from `DeclaringMembers` what there is.
        def __getattr__(self, name: str) -> Any:
            if name.startswith("_"):
                raise AttributeError(f"Router has no attribute {name!r}", name=name, obj=self)
            return lambda *arguments, **keywords: self._declare(name, *arguments, **keywords)

    def _declare(self, what: str, /, *arguments: Any, **keywords: Any) -> Callable[[F], F]:
        if what == "include":
            check_router(arguments[0])
            if arguments[0] is self:
                raise ConfigError(f"{self} includes itself, which would have no end: take that include away")
        elif what in _DECORATORS and arguments:
            check_parentheses(f"router.{what}", arguments[0], f"router.{what}(…)")
        declaration = Declaration(what, arguments, keywords, caller_place())
        self._record(declaration)
        if what in ("include", "use"):
            if what == "include":
                arguments[0]._close(declaration.place)
            return _unchanged

        def declare(function: F) -> F:
            self._declared = tuple(each for each in self._declared if each is not declaration)
            self._record(Declaration(what, arguments, keywords, declaration.place, function))
            return function

        return declare

    def _record(self, declaration: Declaration) -> None:
        if self._included_at is not None:
            raise ConfigError(
                f"{self} was included at {self._included_at}, and {declaration.what} at {declaration.place} comes too "
                "late: declare everything before the router is included, or import the module that does so before"
            )
        self._declared = (*self._declared, declaration)

    def _close(self, place: str) -> tuple[Declaration, ...]:
        """Its declarations, to which nothing is added from now on."""
        self._included_at = self._included_at or place
        return self._declared


class Include(Declarations):
    """A router as one application has it: what declares the router's routes there, and what routes and middleware
    belong to. `name` is `None` where neither the router nor the include has one, `outer` the include of the router
    that this one was included in, `place` the file and line of the include.
    """

    def __init__(
        self,
        app: Slime,
        router: Router,
        outer: Include | None,
        *,
        prefix: str | None,
        name: str | None,
        arguments: Mapping[str, Any],
        place: str,
    ) -> None:
        own = check_prefix("include", router.prefix if prefix is None else prefix)
        self.app = app
        self.router = router
        self.outer = outer
        self.place = place
        self.prefix: str = own if outer is None else outer.prefix + own
        self.name = router.name if name is None else check_name("include", name)
        self.errors = ErrorHandlers()
        level = {**_given(router._arguments), **_given(arguments)} | _added_up(_read(arguments), router._arguments)
        self._arguments: Mapping[str, Any] = _merged({} if outer is None else outer._arguments, level)
        self._is_first = router not in app._included
        self._members = app._declaring_members(self)

    @property
    def chain(self) -> tuple[Include, ...]:
        """The includes that it is inside of, outermost first, and itself."""
        return (self,) if self.outer is None else (*self.outer.chain, self)

    def route(
        self, path: str = "/", method: str | Iterable[str] = "GET", **arguments: Unpack[RouteArguments]
    ) -> Callable[[H], H]:
        """Declares a route below the prefix, with the arguments of the router where it has none of its own."""
        merged = _merged(self._arguments, arguments)
        return self.app._route(self._below("route", path), method, includes=self.chain, **merged)

    def use(self, middleware: SlimeMiddleware, method: str | Iterable[str] = "*", path: str = EVERY_PATH) -> None:
        """Puts middleware around the routes of this include, of those below its prefix that have that path."""
        (target,) = as_middleware([middleware])
        self.app._register(Registration(target, "around", self._scope("use", path), parse_methods(method), self))

    def middle_before(self, path: str = EVERY_PATH, method: str | Iterable[str] = "*") -> Callable[[M], M]:
        """As `Router.middle_before`."""
        return self.app._middle("before", self._scope("middle_before", path), method, self)

    def middle_after(self, path: str = EVERY_PATH, method: str | Iterable[str] = "*") -> Callable[[M], M]:
        """As `Router.middle_after`."""
        return self.app._middle("after", self._scope("middle_after", path), method, self)

    def middle_around(self, path: str = EVERY_PATH, method: str | Iterable[str] = "*") -> Callable[[M], M]:
        """As `Router.middle_around`."""
        return self.app._middle("around", self._scope("middle_around", path), method, self)

    def error(self, key: ErrorKey) -> Callable[[ErrorFunction], ErrorFunction]:
        """Declares what answers an error in one of its routes."""

        def declare(handler: ErrorFunction) -> ErrorFunction:
            self.errors.add(key, handler)
            return handler

        return declare

    def start(self, *misplaced: object) -> Callable[[StartFunction], StartFunction]:
        """As `Slime.start`, once for a router that is included several times."""
        return self.app.start(*misplaced) if self._is_first else _unchanged

    def end(self, *misplaced: object) -> Callable[[EndFunction], EndFunction]:
        """As `Slime.end`, once for a router that is included several times."""
        return self.app.end(*misplaced) if self._is_first else _unchanged

    def every(self, seconds: float) -> Callable[[StartFunction], StartFunction]:
        """As `Slime.every`, once for a router that is included several times."""
        return self.app.every(seconds) if self._is_first else _unchanged

    def resource(
        self, *misplaced: object, scope: Scope = "worker", name: str | None = None
    ) -> Callable[[ResourceFunction], ResourceFunction]:
        """As `Slime.resource`, once for a router that is included several times."""
        return self.app.resource(*misplaced, scope=scope, name=name) if self._is_first else _unchanged

    def include(
        self,
        router: Router,
        *,
        prefix: str | None = None,
        name: str | None = None,
        **arguments: Unpack[RouterArguments],
    ) -> None:
        """Includes a router in this one."""
        self._include(caller_place(), router, prefix=prefix, name=name, **arguments)

    def _declare_all(self) -> None:
        """Declares in the application what the router has recorded."""
        for each in self.router._close(self.place):
            each.replay(self)
        self.app._check_registrations(self)

    def __str__(self) -> str:
        return f"{self.router}, included at {self.place}"

    def _include(self, place: str, router: Router, *, prefix: str | None, name: str | None, **arguments: Any) -> None:
        self.app._include(router, prefix=prefix, name=name, arguments=arguments, outer=self, place=place)

    def _below(self, what: str, path: str) -> str:
        if not isinstance(path, str) or (path and not path.startswith("/")):
            raise InvalidHandler(
                f"{what}({path!r}) on {self.router}: give a path that starts with a slash, or '' for the prefix itself"
            )
        return self.prefix + path

    def _scope(self, what: str, path: str) -> str:
        return path if path == EVERY_PATH else self._below(what, path)

    if not TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any:
            if name.startswith("_"):
                raise AttributeError(f"Include has no attribute {name!r}", name=name, obj=self)
            if name in _ONCE:
                return getattr(self.app, name) if self._is_first else _ignored
            if name in self._members:
                return self._members[name]
            # Says which plugin is missing, where one is.
            member = getattr(self.app, name)
            raise AttributeError(
                f"a router cannot have {name!r}: use app.{name}, {type(member).__name__} of the application", name=name
            )


def _unchanged(function: F) -> F:
    return function


def _ignored(*arguments: object, **keywords: object) -> Callable[[F], F]:
    return _unchanged


def check_prefix(what: str, prefix: str) -> str:
    """A prefix, as it was given. `InvalidHandler` for one that will not do."""
    if not isinstance(prefix, str) or prefix.endswith("/") or (prefix and not prefix.startswith("/")):
        raise InvalidHandler(
            f"{what}(prefix={prefix!r}): a prefix starts with a slash and ends without one, such as '/users', or is ''"
        )
    if prefix:
        PathPattern.parse(prefix)
    return prefix


def check_router(router: object) -> None:
    if not isinstance(router, Router):
        kind = f"the class {router.__name__}" if isinstance(router, type) else repr(router)
        raise TypeError(f"include({kind}): give a Router, such as Router('/users')")


def _read(arguments: Mapping[str, Any]) -> Mapping[str, Any]:
    """Arguments of a router, their middleware checked."""
    return {**arguments, "plugin": as_middleware(arguments["plugin"])} if "plugin" in arguments else arguments


def _given(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments that say something: `None` is as good as nothing."""
    return {name: value for name, value in arguments.items() if value is not None}


def _added_up(outer: Mapping[str, Any], inner: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: (*_listed(outer.get(name)), *_listed(inner.get(name)))
        for name in _ADDED_UP
        if name in outer or name in inner
    }


def _listed(value: Any) -> tuple[Any, ...]:
    if value is None:
        return ()
    return tuple(value) if isinstance(value, Iterable) and not isinstance(value, str | Mapping) else (value,)


def _merged(outer: Mapping[str, Any], inner: Mapping[str, Any]) -> dict[str, Any]:
    return {**outer, **_given(inner)} | _added_up(outer, inner)
