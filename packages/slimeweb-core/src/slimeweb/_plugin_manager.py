"""The plugins of one application: checked, and called so that every failure names its plugin."""

from __future__ import annotations

import inspect
import keyword
import logging
import os
import time
from collections.abc import Callable, Collection, Generator, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from operator import itemgetter
from types import MappingProxyType
from typing import Any, NoReturn, TypeVar

import pluggy

from slimeweb import hookspecs
from slimeweb._logging import configure_logging
from slimeweb._plugin_discovery import DISABLE_VARIABLE, GROUP, Plugin, find_plugins, way_out
from slimeweb.errors import ConfigError, PluginError
from slimeweb.handlers import is_coroutine_function
from slimeweb.spelling import closest, suggestion

__all__ = ["DISABLE_VARIABLE", "GROUP", "TRACE_VARIABLE", "Implementation", "Plugin", "PluginManager", "call_each"]

T = TypeVar("T")

TRACE_VARIABLE = "SLIME_TRACE_HOOKS"
"""The variable that, set to anything but nothing and 0, has each call of a hook logged."""

_MARK = f"{hookspecs.PROJECT}_impl"
_BESIDE_A_LOOP = frozenset(("slime_startup", "slime_stopping", "slime_shutdown"))
"""The hooks that may be `async def`."""

_logger = logging.getLogger("slimeweb")
_hook_logger = logging.getLogger("slimeweb.hooks")


@dataclass(frozen=True, slots=True)
class Implementation:
    """A plugin's function for one hook. `arguments` are those of the hook that it takes; `is_wrapper` for one that is
    called around the others; `rank` is 0 for `tryfirst`, 2 for `trylast`, else 1; `may_be_async` whether it may
    return what has to be awaited.
    """

    plugin: Plugin
    hook: str
    function: Callable[..., Any]
    arguments: tuple[str, ...]
    is_wrapper: bool
    rank: int
    may_be_async: bool

    def call(self, arguments: Mapping[str, Any]) -> Any:
        """Calls it. What it raises names the plugin."""
        began = time.monotonic()
        try:
            result = self.function(*[arguments[name] for name in self.arguments])
        except BaseException as error:
            self._trace(arguments, began, f"raised {type(error).__name__}")
            self.fail(error)
        self._trace(arguments, began, "returned %s", result)
        if inspect.iscoroutine(result) and not self.may_be_async:
            result.close()
            raise self.plugin.error(f": {self.hook} returned a coroutine, which nobody awaits: make it a plain def")
        return result

    def _trace(self, arguments: Mapping[str, Any], began: float, outcome: str, *result: object) -> None:
        if _hook_logger.isEnabledFor(logging.DEBUG):
            taken = ", ".join(f"{name}={_shown(arguments[name], str)}" for name in self.arguments)
            shown = outcome % tuple(map(_shown, result))
            milliseconds = (time.monotonic() - began) * 1000
            _hook_logger.debug("%s: %s(%s) %s, %.1f ms", self.plugin, self.hook, taken, shown, milliseconds)

    def fail(self, error: BaseException) -> NoReturn:
        """Raises for an exception that came out of it."""
        failure = self.plugin.failure(f"failed in {self.hook}", error)
        if failure is error:
            raise failure
        raise failure from error


Run = Callable[[Implementation, Mapping[str, Any]], Any]


def call_each(
    implementations: Iterable[Implementation],
    arguments: Mapping[str, Any],
    run: Run = Implementation.call,
    *,
    first: bool = False,
) -> list[tuple[Plugin, Any]]:
    """Calls implementations in order, inside of the wrappers among them, by `run`. Gives their results that are not
    `None`, each with its plugin; with `first` only the first of them.
    """
    wrappers: list[Implementation] = []
    plain: list[Implementation] = []
    for each in implementations:
        (wrappers if each.is_wrapper else plain).append(each)
    if wrappers:
        return _call_inside(wrappers, plain, arguments, run, first=first)
    return _call_plain(plain, arguments, run, first=first)


def _call_plain(
    implementations: Iterable[Implementation], arguments: Mapping[str, Any], run: Run, *, first: bool
) -> list[tuple[Plugin, Any]]:
    results = []
    for each in implementations:
        result = run(each, arguments)
        if result is not None:
            results.append((each.plugin, result))
            if first:
                break
    return results


def _call_inside(
    wrappers: Sequence[Implementation],
    plain: Sequence[Implementation],
    arguments: Mapping[str, Any],
    run: Run,
    *,
    first: bool,
) -> list[tuple[Plugin, Any]]:
    """As pluggy has it: a wrapper yields once, gets the results or the exception, and returns other results or the
    same.
    """
    outermost, inner = wrappers[0], wrappers[1:]
    generator: Generator[None, Any, Any] = outermost.call(arguments)
    results: list[tuple[Plugin, Any]] = []
    try:
        next(generator)
    except StopIteration:
        raise outermost.plugin.error(f": {outermost.hook} does not yield, as a wrapper has to") from None
    except BaseException as error:
        outermost.fail(error)
    try:
        try:
            results = call_each((*inner, *plain), arguments, run, first=first)
        except BaseException as error:
            generator.throw(error)
        else:
            values = [value for _, value in results]
            generator.send((values[0] if values else None) if first else values)
    except StopIteration as stop:
        changed = [stop.value] if first else stop.value
        owners = {id(value): plugin for plugin, value in results}
        return [(owners.get(id(value), outermost.plugin), value) for value in changed or () if value is not None]
    except BaseException as error:
        outermost.fail(error)
    generator.close()
    raise outermost.plugin.error(f": {outermost.hook} yields more than once, as no wrapper may")


@dataclass(frozen=True, slots=True)
class Hook:
    """A hook with all that implements it, in the order in which it is called."""

    arguments: frozenset[str]
    is_first_result: bool
    implementations: tuple[Implementation, ...]


class PluginManager:
    """All plugins of an application, in the order in which they are called. Immutable once made.

    `call` and `each` call the hooks of slimeweb, and those that plugins add in `slime_addhooks`.
    """

    __slots__ = ("_hooks", "_is_complete", "_registry", "left_out", "plugins")

    def __init__(
        self,
        plugins: Iterable[object] = (),
        *,
        without: Iterable[str] = (),
        installed: bool | Iterable[str] = True,
    ) -> None:
        """Finds the plugins as `Slime(file, plugins, without=…, installed=…)` does, and checks them."""
        if os.environ.get(TRACE_VARIABLE, "0") not in ("", "0"):
            configure_logging()
            _hook_logger.setLevel(logging.DEBUG)
        self._is_complete = False
        self._registry = _Registry(hookspecs.PROJECT)
        self._registry.add_hookspecs(hookspecs)
        found, self.left_out = find_plugins(plugins, installed, without)
        # pluggy calls what was registered last first.
        for plugin in reversed(found):
            self._registry.add(plugin)
        self.plugins: tuple[Plugin, ...] = tuple(found)
        call_each(self._hook("slime_addhooks").implementations, {"plugins": self})
        self.plugins = tuple(replace(plugin, hooks=self._registry.hooks_of(plugin)) for plugin in found)
        self._hooks = {name: self._hook(name) for name in self._registry.checked(self.plugins)}
        self._is_complete = True

    def add_hookspecs(self, module_or_class: object) -> None:
        """Adds the hooks that a module or class declares with `slimeweb.hookspec`. Called in `slime_addhooks`.

        `ValueError` where it declares none, or one that there is already; `PluginError` for a plugin whose
        implementation does not fit.
        """
        if self._is_complete:
            raise ConfigError("hooks are added while an application is made: call add_hookspecs in slime_addhooks")
        self._registry.add_new(module_or_class)

    def implements(self, hook: str) -> bool:
        """Whether any plugin implements a hook."""
        return bool(self.implementations(hook))

    def implementations(self, hook: str) -> tuple[Implementation, ...]:
        """What implements a hook, in the order in which it is called."""
        return self._known(hook).implementations

    def call(self, hook: str, **arguments: Any) -> Any:
        """What the implementations of a hook return: a list without `None`, or the first that is not for a hook of
        that kind.

        `PluginError` names the plugin that raises. `ValueError` for a hook that there is not, `TypeError` where one of
        its arguments is not given.
        """
        known = self._known(hook)
        _check_arguments(hook, known, arguments)
        first = known.is_first_result
        results = [result for _, result in call_each(known.implementations, arguments, first=first)]
        return (results[0] if results else None) if first else results

    def each(self, hook: str, kind: type[T], **arguments: Any) -> list[tuple[Plugin, T]]:
        """What each plugin returns for a hook, with the plugin. `PluginError` for a result that is not a `kind`."""
        known = self._known(hook)
        _check_arguments(hook, known, arguments)
        results = call_each(known.implementations, arguments)
        for plugin, result in results:
            if not isinstance(result, kind):
                raise plugin.error(f": {hook} returned {_shown(result)}: return a {kind.__name__}")
        return results

    def observers(self, hook: str, order: Sequence[str]) -> tuple[Callable[[Sequence[Any]], None], ...]:
        """Each plugin's implementation of a hook that nothing depends on, to be called with the values of all the
        hook's arguments, in `order`. What one raises, `SystemExit` included, is logged with the plugin's name.
        """
        return tuple(_observer(each, order) for each in self.implementations(hook))

    def items(self, hook: str, kind: type[T], **arguments: Any) -> list[tuple[Plugin, T]]:
        """The members of the sequences that plugins return for a hook, each with its plugin and checked to be a
        `kind`.
        """
        found = []
        for plugin, result in self.each(hook, Collection, **arguments):  # type: ignore[type-abstract]
            for item in _read(plugin, hook, result):
                if not isinstance(item, kind):
                    raise plugin.error(f": {hook} returned {_shown(item)} in its list: return {kind.__name__} objects")
                found.append((plugin, item))
        return found

    def table(
        self, hook: str, taken: Callable[[str], str | None], *, callables: bool = False, **arguments: Any
    ) -> Mapping[str, Any]:
        """The mappings that plugins return for a hook, as one. `taken(name)` says who has a name already, if anyone.
        With `callables` each value has to be one.
        """
        entries = [
            (plugin, name, value)
            for plugin, mapping in self.each(hook, Mapping, **arguments)  # type: ignore[type-abstract]
            for name, value in _read(plugin, hook, mapping.items())
        ]
        for plugin, name, value in entries if callables else ():
            if not callable(value):
                raise plugin.error(f": {hook} has {_shown(value)} for {name!r}: give a function")
        return unique(hook, entries, taken)

    def named(self, hook: str, kind: type[T], own: Collection[str]) -> Mapping[str, T]:
        """The objects with a `name` that plugins list for a hook, by that name. `own` are the names that slimeweb has
        itself: no other may differ from one of them by an underscore or a plural alone.
        """
        entries = [(plugin, getattr(item, "name"), item) for plugin, item in self.items(hook, kind)]  # noqa: B009
        alike = {_bare(name): name for name in own}
        for plugin, name, _ in entries:
            near = alike.get(_bare(name)) if isinstance(name, str) and name not in own else None
            if near is not None:
                raise plugin.error(
                    f" claims the name {name!r} in {hook}, which would be mistaken for slimeweb's own {near!r}: choose "
                    "another name"
                )
        return unique(hook, entries, lambda name: "slimeweb itself" if name in own else None)

    def _known(self, hook: str) -> Hook:
        try:
            return self._hooks[hook]
        except KeyError:
            raise ValueError(f"there is no hook {hook!r}: {suggestion(hook, self._hooks)}") from None

    def _hook(self, name: str) -> Hook:
        caller = getattr(self._registry.hook, name)
        owners = {plugin.name: plugin for plugin in self.plugins}
        # pluggy lists implementations in the reverse of the order in which it calls them.
        return Hook(
            frozenset(caller.spec.argnames),
            bool(caller.spec.opts.get("firstresult")),
            tuple(
                _implementation(owners[each.plugin_name], name, each, caller.spec)
                for each in reversed(caller.get_hookimpls())
            ),
        )


class _Registry(pluggy.PluginManager):
    """What pluggy knows of the plugins. It calls nothing."""

    def add(self, plugin: Plugin) -> None:
        """Registers a plugin."""
        try:
            self.register(plugin.implementation, plugin.name)
        except pluggy.PluginValidationError as error:
            raise _unfit(plugin, error) from error
        except ValueError as error:
            raise plugin.error(" is given twice") from error
        except BaseException as error:
            failure = plugin.failure("cannot be looked into for hooks", error)
            if failure is error:
                raise
            raise failure from error

    def add_new(self, module_or_class: Any) -> None:
        """Adds hooks of plugins."""
        for name in dir(module_or_class):
            known = vars(self.hook).get(name)
            if known is not None and known.spec is not None and self.parse_hookspec_opts(module_or_class, name):
                owner = getattr(known.spec.namespace, "__name__", known.spec.namespace)
                raise ValueError(f"there is a hook {name} already, of {owner}: give yours another name")
        try:
            self.add_hookspecs(module_or_class)
        except pluggy.PluginValidationError as error:
            owner = Plugin(self.get_name(error.plugin) or "?", error.plugin)
            raise _unfit(owner, error) from error

    def parse_hookimpl_opts(self, plugin: Any, name: str) -> Any:
        """The options of a function that is marked as a hook. Properties are not touched: they are a plugin's own
        business.
        """
        if name.startswith("_"):
            return None
        static = inspect.getattr_static(plugin, name, None)
        if not (inspect.isroutine(static) or isinstance(static, staticmethod | classmethod)):
            return None
        return getattr(static, _MARK, None) or getattr(getattr(static, "__func__", None), _MARK, None)

    def hooks_of(self, plugin: Plugin) -> tuple[str, ...]:
        """The names of the hooks that a plugin implements, sorted."""
        callers = self.get_hookcallers(plugin.implementation) or ()
        return tuple(sorted(caller.name for caller in callers if caller.has_spec()))

    def checked(self, plugins: Iterable[Plugin]) -> list[str]:
        """The names of all hooks. `PluginError` for a function that looks like a hook and is none."""
        known = [name for name, caller in vars(self.hook).items() if caller.has_spec()]
        for plugin in plugins:
            for name in dir(plugin.implementation):
                if (
                    name.startswith("slime_")
                    and name in known
                    and name not in plugin.hooks
                    and inspect.isroutine(inspect.getattr_static(plugin.implementation, name))
                ):
                    raise plugin.error(f": {name} is not marked as a hook: put @slimeweb.hookimpl above it")
        for name, caller in vars(self.hook).items():
            for each in () if caller.has_spec() else caller.get_hookimpls():
                if not each.optionalhook:
                    (plugin,) = (plugin for plugin in plugins if plugin.name == each.plugin_name)
                    raise plugin.error(f" implements {name}, which is not a hook{_meant(name, known)}")
        return known


def _observer(implementation: Implementation, order: Sequence[str]) -> Callable[[Sequence[Any]], None]:
    function, take = implementation.function, _taker([order.index(name) for name in implementation.arguments])
    if implementation.is_wrapper:
        function, take = lambda *values: call_each((implementation,), dict(zip(order, values, strict=True))), tuple

    def observe(values: Sequence[Any]) -> None:
        try:
            function(*take(values))
        except BaseException as error:
            cause = error.__cause__ if isinstance(error, PluginError) and error.__cause__ else error
            where = (implementation.plugin, implementation.hook)
            _logger.error("%s failed in %s: %s: %s", *where, type(cause).__name__, cause, exc_info=cause)

    return observe


def _taker(indices: Sequence[int]) -> Callable[[Sequence[Any]], Iterable[Any]]:
    """What takes the values at these places out of many: by C where it can be."""
    if len(indices) > 1:
        return itemgetter(*indices)
    return lambda values: [values[index] for index in indices]


def unique(hook: str, entries: Iterable[tuple[Plugin, str, T]], taken: Callable[[str], str | None]) -> Mapping[str, T]:
    """Names with their objects. `PluginError` names both sides when a name is claimed twice."""
    claimed: dict[str, tuple[Plugin, T]] = {}
    for plugin, name, value in entries:
        if not isinstance(name, str) or not name.isidentifier() or name.startswith("_") or keyword.iskeyword(name):
            raise plugin.error(f": {_shown(name)} in {hook} is not a public Python name")
        if name in claimed:
            owner, _ = claimed[name]
            raise plugin.error(
                f" claims the name {name!r} in {hook}, which {owner} has already: {way_out(plugin, owner)}"
            )
        if (itself := taken(name)) is not None:
            raise plugin.error(f" claims the name {name!r} in {hook}, which {itself} has already: {way_out(plugin)}")
        claimed[name] = (plugin, value)
    return MappingProxyType({name: value for name, (_, value) in claimed.items()})


def _implementation(plugin: Plugin, hook: str, found: Any, spec: Any) -> Implementation:
    """An implementation that pluggy has found. `PluginError` for one that slimeweb could not call, or not to an end."""
    function = found.function
    if found.hookwrapper:
        raise plugin.error(f": {hook} is an old-style hook wrapper: write @hookimpl(wrapper=True)")
    may_be_async = hook in _BESIDE_A_LOOP or is_coroutine_function(spec.function)
    if is_coroutine_function(function):
        if not may_be_async:
            raise plugin.error(
                f": {hook} is async def, and runs where no loop does: make it a plain def (async def may be "
                f"{', '.join(sorted(_BESIDE_A_LOOP))})"
            )
    elif hasattr(hookspecs, hook) and not found.wrapper and _is_generator(function):
        raise plugin.error(f": {hook} is a generator, which nobody runs: remove its yield, and return a list")
    plain = inspect.unwrap(getattr(function, "__func__", function))
    code = getattr(plain, "__code__", None)
    if code is not None:
        by_keyword = code.co_varnames[code.co_argcount : code.co_argcount + code.co_kwonlyargcount]
        never = [name for name in by_keyword if name in spec.argnames or name not in (plain.__kwdefaults__ or {})]
        if never:
            raise plugin.error(
                f": {hook} takes {', '.join(never)} by keyword only, and hooks are called with positions: remove the *"
            )
        fixed = [name for name in found.kwargnames if name in spec.argnames]
        if fixed:
            raise plugin.error(
                f": {hook} has a default for {', '.join(fixed)}, with which pluggy never gives it: remove the default"
            )
    rank = 0 if found.tryfirst else 2 if found.trylast else 1
    return Implementation(plugin, hook, function, tuple(found.argnames), found.wrapper, rank, may_be_async)


def _is_generator(function: Callable[..., Any]) -> bool:
    return inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function)


def _bare(name: str) -> str:
    return name.lower().replace("_", "").removesuffix("s")


def _check_arguments(name: str, hook: Hook, arguments: Mapping[str, Any]) -> None:
    missing = hook.arguments - arguments.keys() if hook.implementations else ()
    if missing:
        raise TypeError(f"the hook {name} is called without {', '.join(sorted(missing))}")


def _read(plugin: Plugin, hook: str, result: Iterable[T]) -> Sequence[T]:
    """What is in a collection of a plugin's, which may be of its own making."""
    try:
        return list(result)
    except BaseException as error:
        failure = plugin.failure(f"failed in what {hook} returned", error)
        if failure is error:
            raise
        raise failure from error


def _shown(value: object, show: Callable[[object], str] = repr) -> str:
    try:
        return show(value)
    except Exception:
        return f"a {type(value).__name__}, whose {show.__name__}() fails"


def _unfit(plugin: Plugin, error: pluggy.PluginValidationError) -> PluginError:
    return plugin.error(f" does not fit the contract: {'; '.join(str(error).splitlines())}")


def _meant(name: str, known: Iterable[str]) -> str:
    meant = closest(name, known)
    return f"; there are {', '.join(known)}" if meant is None else f": did you mean {meant}?"
