"""Which plugins an application has: those that are installed, those that it is given, and what it does without."""

from __future__ import annotations

import os
from asyncio import CancelledError
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from slimeweb._entry_points import InstalledEntryPoint, entry_points
from slimeweb._known_plugins import KNOWN_PLUGINS
from slimeweb._requirements import refused_by
from slimeweb.errors import ConfigError, PluginError
from slimeweb.spelling import suggestion

__all__ = ["DISABLE_VARIABLE", "GROUP", "Plugin", "find_plugins", "way_out"]

GROUP = "slimeweb"
DISABLE_VARIABLE = "SLIME_DISABLE_PLUGINS"


@dataclass(frozen=True, slots=True, eq=False)
class Plugin:
    """One plugin, and where it comes from: `name` is what it is left out or replaced by, `implementation` the object
    with the hooks, `hooks` their names. `distribution` and `version` are empty for an object given to
    `Slime(plugins=…)`.
    """

    name: str
    implementation: Any
    distribution: str = ""
    version: str = ""
    hooks: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"plugin {self.name!r}" + (f" of {self.distribution} {self.version}" if self.distribution else "")

    def error(self, text: str) -> PluginError:
        """An error that begins with the plugin, ready to be raised."""
        return PluginError(f"{self}{text}", plugin=self.name)

    def failure(self, what: str, error: BaseException) -> BaseException:
        """What to raise for an exception that the plugin raised: a `PluginError` that names it. What comes from outside
        (KeyboardInterrupt, the cancellation of a task) stays what it is, with a note. A plugin's own kind of
        `PluginError` is for who has called: it stays as well, and knows the plugin.
        """
        if isinstance(error, PluginError):
            if error.plugin:
                return error
            if type(error) is not PluginError:
                error.plugin = self.name
                return error
        if isinstance(error, KeyboardInterrupt | CancelledError | GeneratorExit):
            error.add_note(f"{self} {what}")
            return error
        return self.error(f" {what}: {type(error).__name__}: {error}")


def find_plugins(
    given: Iterable[object], installed: bool | Iterable[str], without: Iterable[str]
) -> tuple[list[Plugin], frozenset[str]]:
    """The plugins of an application, in their order: installed ones by name, an object that is given in the place of
    the one that it replaces, then the other objects. With them the names of what is installed and is left
    out here.

    `installed` is whether to take what is installed, or the names to take; `without` has names to leave out, as the
    variable `SLIME_DISABLE_PLUGINS` does. `ConfigError` for names that there are not, `PluginError` for plugins that
    cannot be used.
    """
    points = entry_points(GROUP)
    ours = _by_name([_given(each, points) for each in given])
    there = {*(point.name for point in points), *ours, *(extra.name for extra in KNOWN_PLUGINS)}
    left_out = _names("without", without, there)
    for name in left_out & ours.keys():
        raise ConfigError(f"{ours[name]} is in Slime(plugins=…), and Slime(without=…) leaves it out: take away one")
    disabled = {name.strip() for name in os.environ.get(DISABLE_VARIABLE, "").split(",")}
    if isinstance(installed, bool):
        wanted = {point.name for point in points} if installed else set()
    else:
        wanted = _names("installed", installed, {point.name for point in points})
    wanted -= left_out
    unwanted = frozenset(point.name for point in points) - wanted - ours.keys()
    wanted -= wanted if "*" in disabled else disabled
    chosen = [point for point in points if point.name in wanted]
    _check_one_each(chosen, ours)
    found = [
        ours.pop(name) if name in ours else _loaded(point)
        for name, point in {each.name: each for each in chosen}.items()
    ]
    return [*found, *ours.values()], unwanted


def way_out(*plugins: Plugin) -> str:
    """What to type to go without one of several plugins that are in each other's way."""
    installed = [f"Slime(__file__, without=[{plugin.name!r}])" for plugin in plugins if plugin.distribution]
    if not installed:
        return "give only one of them in Slime(plugins=[…])" if plugins[1:] else "take it out of Slime(plugins=[…])"
    which = "it" if not plugins[1:] else "one of them" if installed[1:] else "the installed one"
    return f"to go without {which}, give {' or '.join(installed)}"


def _names(argument: str, given: Iterable[str], known: Collection[str]) -> set[str]:
    names = None if isinstance(given, str) or not isinstance(given, Iterable) else list(given)
    if names is None or not all(isinstance(name, str) for name in names):
        raise ConfigError(f"Slime({argument}={given!r}): give a list of names, such as {argument}=['docs']")
    for name in names:
        if name not in known:
            install = next((extra for extra in KNOWN_PLUGINS if extra.name == name), None)
            advice = suggestion(name, sorted(known)) if known else "there are none"
            if install is not None:
                advice = f"pip install 'slimeweb[{install.name}]'"
            raise ConfigError(f"Slime({argument}=…) names {name!r}, and no such plugin is installed: {advice}")
    return set(names)


def _given(implementation: object, points: Sequence[InstalledEntryPoint]) -> Plugin:
    kind = type(implementation).__name__
    if isinstance(implementation, type):
        raise PluginError(f"{implementation.__name__} is a class: give Slime(plugins=[{implementation.__name__}()])")
    try:
        name = getattr(implementation, "name", None)
    except Exception as error:
        raise Plugin(kind, implementation).failure("failed in its attribute name", error) from error
    if not isinstance(name, str) or not name:
        point = next((point for point in points if point.leads_to(implementation)), None)
        name = point.name if point is not None else getattr(implementation, "__name__", kind)
    return Plugin(name, implementation)


def _by_name(plugins: Iterable[Plugin]) -> dict[str, Plugin]:
    found: dict[str, Plugin] = {}
    for plugin in plugins:
        if plugin.name in found:
            raise plugin.error(" is given twice: give one, or set an attribute `name` of one of them to another name")
        found[plugin.name] = plugin
    return found


def _check_one_each(points: Sequence[InstalledEntryPoint], replaced: Collection[str]) -> None:
    for one, other in pairwise(points):
        if one.name == other.name and one.name not in replaced:
            both = [Plugin(point.name, None, point.distribution, point.version) for point in (one, other)]
            raise both[1].error(
                f" has the same name as {both[0]}: uninstall one (pip uninstall {other.distribution}), or go without "
                f"both, by Slime(__file__, without=[{one.name!r}])"
            )


def _loaded(point: InstalledEntryPoint) -> Plugin:
    plugin = Plugin(point.name, None, point.distribution, point.version)
    _check_version(plugin, point)
    try:
        implementation = point.load()
    except BaseException as error:
        raise _unusable(plugin, f"({point.value}) cannot be imported", error) from error
    if isinstance(implementation, type):
        # A class is a plugin that keeps something for each application.
        made = f"{implementation.__name__}(…)"
        try:
            implementation = implementation()
        except TypeError as error:
            configured = f"({point.value}) cannot be made without arguments: give Slime(__file__, plugins=[{made}])"
            raise _unusable(plugin, configured, error) from error
        except BaseException as error:
            raise _unusable(plugin, f"({point.value}) cannot be made", error) from error
    return Plugin(point.name, implementation, point.distribution, point.version)


def _unusable(plugin: Plugin, what: str, error: BaseException) -> BaseException:
    failure = plugin.failure(what, error)
    if failure is error:
        return error
    advice = f"{way_out(plugin)}, or set {DISABLE_VARIABLE}={plugin.name}"
    return plugin.error(f" {what}: {type(error).__name__}: {error}; {advice}")


def _check_version(plugin: Plugin, point: InstalledEntryPoint) -> None:
    from slimeweb._core import __version__

    for requirement in point.requirements:
        refused = refused_by(requirement, "slimeweb-core", __version__)
        if refused is not None:
            raise plugin.error(
                f" needs slimeweb-core {refused}, and this is slimeweb-core {__version__}: install versions that go "
                f"together (pip install --upgrade slimeweb-core {point.distribution}); {way_out(plugin)}"
            )
