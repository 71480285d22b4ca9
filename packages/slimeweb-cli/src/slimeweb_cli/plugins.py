"""`slime plugins`: what is installed, from which distribution, and what it adds; what is broken, and why."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import asdict, dataclass
from functools import partial
from importlib.metadata import entry_points
from pathlib import Path
from typing import TypeVar

from slimeweb import Slime
from slimeweb.commands import EXPORTS_GROUP as EXPORTS
from slimeweb.commands import Commands, Plugin, PluginManager
from slimeweb.errors import PluginError, SlimeError
from slimeweb_cli.errors import CommandError

__all__ = ["add_plugin_commands", "register_plugins"]

# How a user writes the names that a hook adds.
MEMBERS = {
    "slime_app_members": "app.{}",
    "slime_declarations": "app.{}",
    "slime_request_members": "req.{}",
    "slime_response_members": "resp.{}",
}
OPTIONS = {"slime_route_options": "route({}=…)", "slime_serve_options": "serve({}=…)"}

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Entry:
    """What is to be said of a plugin. `adds` is as a user writes it; `error` is why it cannot be used, else None."""

    name: str
    distribution: str
    version: str
    hooks: tuple[str, ...] = ()
    adds: tuple[str, ...] = ()
    error: str | None = None


def show(builtin: Commands, options: argparse.Namespace) -> int:
    """Print one paragraph for each plugin, or JSON."""
    entries, broken = without_broken(partial(working_entries, builtin))
    entries = sorted([*entries, *map(broken_entry, broken.values())], key=lambda entry: entry.name)
    if options.json:
        print(json.dumps([asdict(entry) for entry in entries], indent=2))
    else:
        nothing = "no plugins are installed: pip install 'slimeweb[all]' brings all of slimeweb's own"
        print("\n".join(map(paragraph, entries)) or nothing)
    return 0


def without_broken(make: Callable[[list[str]], T]) -> tuple[T, dict[str, PluginError]]:
    """Give what `make` makes without the plugins that it is given the names of, which are those that break it, and
    their errors by these names.

    :raises CommandError: it is broken in another way.
    """
    broken: dict[str, PluginError] = {}
    while True:
        try:
            return make(list(broken)), broken
        except PluginError as error:
            if error.plugin in {"", *broken}:
                raise CommandError(str(error)) from error
            broken[error.plugin] = error
        except SlimeError as error:
            raise CommandError(str(error)) from error


def working_entries(builtin: Commands, without: list[str]) -> list[Entry]:
    """Describe the plugins but those named. `builtin` are slime's own commands."""
    plugins = PluginManager(without=without)
    app = Slime(str(Path.cwd() / "main.py"), without=without)
    commands = Commands()
    for command in builtin:
        commands.add(command.name, command.run)
    return [
        Entry(
            plugin.name,
            plugin.distribution,
            plugin.version,
            plugin.hooks,
            tuple(additions(plugin, plugins, app, commands)),
        )
        for plugin in plugins.plugins
    ]


def broken_entry(error: PluginError) -> Entry:
    """Describe the plugin that raised."""
    owners = [point.dist for point in entry_points(group="slimeweb") if point.name == error.plugin]
    names = [owner.name for owner in owners if owner is not None]
    versions = [owner.version for owner in owners if owner is not None]
    return Entry(error.plugin, ", ".join(names), ", ".join(versions), error=str(error))


def paragraph(entry: Entry) -> str:
    """Give the lines about one plugin."""
    what = ", ".join(entry.adds) or "adds nothing yet" if entry.error is None else f"cannot be used: {entry.error}"
    return f"{entry.distribution} {entry.version} (plugin {entry.name!r})\n    {what}"


def additions(plugin: Plugin, plugins: PluginManager, app: Slime, commands: Commands) -> Iterator[str]:
    """Give what a plugin adds, as a user writes it; its other hooks under their own names. Its commands come to
    `commands`.
    """
    for hook, form in MEMBERS.items():
        arguments = {"app": app, "on": app} if hook == "slime_declarations" else {"app": app}
        for owner, names in plugins.each(hook, Mapping, **arguments):  # type: ignore[type-abstract]
            if owner is plugin:
                yield from map(form.format, names)
    for hook, form in OPTIONS.items():
        for owner, named in plugins.each(hook, Collection):  # type: ignore[type-abstract]
            if owner is plugin:
                yield from (form.format(option.name) for option in named)
    for point in sorted(entry_points(group=EXPORTS), key=lambda point: point.name):
        if point.dist is not None and point.dist.name == plugin.distribution:
            yield f"from slimeweb import {point.name}"
    for implementation in plugins.implementations("slime_cli"):
        if implementation.plugin is plugin:
            before = {command.name for command in commands}
            implementation.call({"commands": commands})
            yield from (f"slime {command.name}" for command in commands if command.name not in before)
    yield from (hook for hook in plugin.hooks if hook not in {*MEMBERS, *OPTIONS, "slime_cli"})


def register_plugins(commands: Commands) -> None:
    """Add `slime plugins`."""

    def configure(parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--json", action="store_true", help="as a list of objects, for programs")

    run = partial(show, commands)
    commands.add("plugins", run, help="list the installed plugins and what each adds", configure=configure)


def add_plugin_commands(builtin: Callable[[], Commands]) -> tuple[Commands, dict[str, PluginError]]:
    """Give slime's own commands with those of all plugins that work, and the errors of the others by their names."""

    def make(without: list[str]) -> Commands:
        commands = builtin()
        PluginManager(without=without).call("slime_cli", commands=commands)
        return commands

    return without_broken(make)
