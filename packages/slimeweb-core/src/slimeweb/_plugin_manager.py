"""The plugins of one application: found, checked, and called so that every failure names its plugin."""

from __future__ import annotations

import inspect
import logging
import os
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import entry_points
from traceback import walk_tb
from types import MappingProxyType
from typing import Any, TypeVar

import pluggy

from slimeweb import hookspecs
from slimeweb.errors import PluginError
from slimeweb.spelling import closest

__all__ = ["DISABLE_VARIABLE", "GROUP", "Plugin", "PluginManager"]

GROUP = "slimeweb"
DISABLE_VARIABLE = "SLIME_DISABLE_PLUGINS"

T = TypeVar("T")

_logger = logging.getLogger("slimeweb")


@dataclass(frozen=True, slots=True, eq=False)
class Plugin:
    """One plugin, and where it comes from: `name` is that of its entry point, `implementation` the object with the
    hooks, `hooks` their names. `distribution` and `version` are empty for an object given to `Slime(plugins=…)`.
    """

    name: str
    implementation: Any
    distribution: str = ""
    version: str = ""
    hooks: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"plugin {self.name!r}" + (f" of {self.distribution} {self.version}" if self.distribution else "")


class PluginManager:
    """All plugins of an application, in the order in which they are called. Immutable once made."""

    __slots__ = ("_manager", "plugins")

    def __init__(self, extra: Iterable[object] = (), *, installed: bool = True) -> None:
        """Loads the installed plugins, but those that the variable `SLIME_DISABLE_PLUGINS` names (or all, for `*`),
        then `extra`.
        """
        self._manager = pluggy.PluginManager(hookspecs.PROJECT)
        self._manager.add_hookspecs(hookspecs)
        found = [*(_installed() if installed else ()), *(_given(each) for each in extra)]
        self._check_names(found)
        # pluggy calls what was registered last first.
        registered = [self._register(plugin) for plugin in reversed(found)]
        self.plugins: tuple[Plugin, ...] = tuple(reversed(registered))

    def implements(self, hook: str) -> bool:
        """Whether any plugin implements a hook."""
        return any(hook in plugin.hooks for plugin in self.plugins)

    def call(self, hook: str, **arguments: Any) -> Any:
        """What a hook's implementations return: a list without `None`, or the first that is not for a hook of that
        kind.
        """
        caller = getattr(self._manager.hook, hook)
        return self._naming_the_plugin(hook, caller.get_hookimpls(), caller, arguments)

    def each(self, hook: str, kind: type[T], **arguments: Any) -> list[tuple[Plugin, T]]:
        """What each plugin returns for a hook, with the plugin. `PluginError` for a result that is not a `kind`."""
        results = []
        by_implementation = {id(plugin.implementation): plugin for plugin in self.plugins}
        # pluggy lists implementations in the reverse of the order in which it calls them.
        for implementation in reversed(getattr(self._manager.hook, hook).get_hookimpls()):
            plugin = by_implementation[id(implementation.plugin)]
            others = [other.implementation for other in self.plugins if other is not plugin]
            caller = self._manager.subset_hook_caller(hook, others)
            for result in self._naming_the_plugin(hook, [implementation], caller, arguments):
                if not isinstance(result, kind):
                    raise PluginError(f"{plugin}: {hook} returned {result!r}: return a {kind.__name__}")
                results.append((plugin, result))
        return results

    def notify(self, hook: str, **arguments: Any) -> list[PluginError]:
        """Calls every plugin for a hook whose errors have no caller: one that raises is logged, and the others are
        called. Returns what was raised.
        """
        errors = []
        for implementation in reversed(getattr(self._manager.hook, hook).get_hookimpls()):
            others = [
                other.implementation for other in self.plugins if other.implementation is not implementation.plugin
            ]
            caller = self._manager.subset_hook_caller(hook, others)
            try:
                self._naming_the_plugin(hook, [implementation], caller, arguments)
            except PluginError as error:
                _logger.error("%s", error, exc_info=error)
                errors.append(error)
        return errors

    def observers(self, hook: str) -> tuple[Callable[..., None], ...]:
        """Each plugin's implementation of a hook that nothing depends on. What one raises, `SystemExit` included, is
        logged with the plugin's name.
        """
        found = []
        for implementation in reversed(getattr(self._manager.hook, hook).get_hookimpls()):
            plugin = next(each for each in self.plugins if each.implementation is implementation.plugin)
            others = [each.implementation for each in self.plugins if each is not plugin]
            found.append(_observer(plugin, hook, self._manager.subset_hook_caller(hook, others)))
        return tuple(found)

    def items(self, hook: str, kind: type[T], **arguments: Any) -> list[tuple[Plugin, T]]:
        """The members of the sequences that plugins return for a hook, each with its plugin and checked to be a
        `kind`.
        """
        found = []
        for plugin, result in self.each(hook, Collection, **arguments):  # type: ignore[type-abstract]
            for item in result:
                if not isinstance(item, kind):
                    raise PluginError(f"{plugin}: {hook} returned {item!r} in its list: return {kind.__name__} objects")
                found.append((plugin, item))
        return found

    def table(self, hook: str, taken: Callable[[str], str | None], **arguments: Any) -> Mapping[str, Any]:
        """The mappings that plugins return for a hook, as one. `taken(name)` says who has a name already, if anyone."""
        entries = [
            (plugin, name, value)
            for plugin, mapping in self.each(hook, Mapping, **arguments)  # type: ignore[type-abstract]
            for name, value in mapping.items()
        ]
        return unique(hook, entries, taken)

    def named(self, hook: str, kind: type[T], taken: Callable[[str], str | None]) -> Mapping[str, T]:
        """The objects with a `name` that plugins list for a hook, by that name."""
        entries = [(plugin, getattr(item, "name"), item) for plugin, item in self.items(hook, kind)]  # noqa: B009
        return unique(hook, entries, taken)

    def _naming_the_plugin(
        self,
        hook: str,
        implementations: Sequence[pluggy.HookImpl],
        caller: Callable[..., Any],
        arguments: Mapping[str, Any],
    ) -> Any:
        """Calls a hook so that an exception becomes a `PluginError` that names its plugin."""
        try:
            return caller(**arguments)
        except PluginError:
            raise
        except Exception as error:
            failing = _failing_implementation(error, implementations)
            owner = next((str(plugin) for plugin in self.plugins if plugin.implementation is failing), "a plugin")
            raise PluginError(f"{owner} failed in {hook}: {type(error).__name__}: {error}") from error

    def _check_names(self, found: list[Plugin]) -> None:
        seen: dict[str, Plugin] = {}
        for plugin in found:
            other = seen.setdefault(plugin.name, plugin)
            if other is not plugin:
                raise PluginError(
                    f"{other} and {plugin} have the same name: uninstall one, or disable both with {DISABLE_VARIABLE}"
                )

    def _register(self, plugin: Plugin) -> Plugin:
        _check_marks(plugin)
        try:
            self._manager.register(plugin.implementation, plugin.name)
        except pluggy.PluginValidationError as error:
            reason = "; ".join(str(error).splitlines())
            raise PluginError(f"{plugin} does not fit the contract: {reason}") from error
        except ValueError as error:
            raise PluginError(f"{plugin} is given twice") from error
        hooks = []
        for caller in self._manager.get_hookcallers(plugin.implementation) or ():
            if not caller.has_spec():
                raise PluginError(f"{plugin} implements {caller.name}, which is not a hook{_suggestion(caller.name)}")
            hooks.append(caller.name)
        return Plugin(plugin.name, plugin.implementation, plugin.distribution, plugin.version, tuple(sorted(hooks)))


def _observer(plugin: Plugin, hook: str, caller: Callable[..., Any]) -> Callable[..., None]:
    def observe(**arguments: Any) -> None:
        try:
            caller(**arguments)
        except BaseException as error:
            _logger.error("%s failed in %s: %s: %s", plugin, hook, type(error).__name__, error, exc_info=error)

    return observe


def unique(hook: str, entries: Iterable[tuple[Plugin, str, T]], taken: Callable[[str], str | None]) -> Mapping[str, T]:
    """Names with their objects. `PluginError` names both sides when a name is claimed twice."""
    claimed: dict[str, tuple[Plugin, T]] = {}
    for plugin, name, value in entries:
        owner = taken(name) or (str(claimed[name][0]) if name in claimed else None)
        if owner is not None:
            raise PluginError(f"{plugin} claims the name {name!r} in {hook}, which {owner} has already")
        if not isinstance(name, str) or not name.isidentifier() or name.startswith("_"):
            raise PluginError(f"{plugin}: {name!r} in {hook} is not a public Python name")
        claimed[name] = (plugin, value)
    return MappingProxyType({name: value for name, (_, value) in claimed.items()})


def _installed() -> list[Plugin]:
    disabled = {name.strip() for name in os.environ.get(DISABLE_VARIABLE, "").split(",")}
    if "*" in disabled:
        return []
    found = []
    for point in sorted(entry_points(group=GROUP), key=lambda point: (point.name, point.value)):
        if point.name in disabled:
            continue
        distribution, version = (point.dist.name, point.dist.version) if point.dist is not None else ("", "")
        try:
            implementation = point.load()
            if isinstance(implementation, type):
                # A class is a plugin that keeps something for each application.
                implementation = implementation()
        except Exception as error:
            raise PluginError(
                f"plugin {point.name!r} of {distribution} {version} ({point.value}) cannot be imported: {error}; "
                f"to go without it, set {DISABLE_VARIABLE}={point.name}"
            ) from error
        found.append(Plugin(point.name, implementation, distribution, version))
    return found


def _given(implementation: object) -> Plugin:
    if isinstance(implementation, type):
        raise PluginError(f"{implementation.__name__} is a class: give Slime(plugins=[{implementation.__name__}()])")
    name = getattr(implementation, "__name__", None) or type(implementation).__name__
    return Plugin(name, implementation)


def _check_marks(plugin: Plugin) -> None:
    """`PluginError` for a function with the name of a hook that is not marked as one: pluggy would ignore it."""
    for name, function in inspect.getmembers(plugin.implementation, inspect.isroutine):
        if (
            hasattr(hookspecs, name)
            and name.startswith("slime_")
            and not hasattr(function, f"{hookspecs.PROJECT}_impl")
        ):
            raise PluginError(f"{plugin}: {name} is not marked as a hook: put @slimeweb.hookimpl above it")


def _failing_implementation(error: BaseException, implementations: Iterable[pluggy.HookImpl]) -> object | None:
    """The implementation of a plugin that raised: the innermost one that the traceback passes through."""
    by_code = {getattr(each.function, "__code__", None): each.plugin for each in implementations}
    passed = [by_code.get(frame.f_code) for frame, _ in walk_tb(error.__traceback__)]
    return next((plugin for plugin in reversed(passed) if plugin is not None), None)


def _suggestion(name: str) -> str:
    known = [hook for hook in vars(hookspecs) if hook.startswith("slime_")]
    meant = closest(name, known)
    return f"; there are {', '.join(known)}" if meant is None else f": did you mean {meant}?"
