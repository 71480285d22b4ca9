"""`slime plugins`: what is installed, from which distribution, and what it adds."""

from __future__ import annotations

import argparse
from collections.abc import Collection, Iterator, Mapping
from importlib.metadata import entry_points
from pathlib import Path

from slimeweb import Slime
from slimeweb.commands import EXPORTS_GROUP as EXPORTS
from slimeweb.commands import Commands, Plugin, PluginManager
from slimeweb.errors import SlimeError
from slimeweb_cli.errors import CommandError

__all__ = ["register_plugin_commands", "register_plugins"]

# How a user writes the names that a hook adds.
MEMBERS = {"slime_app_members": "app.{}", "slime_request_members": "req.{}", "slime_response_members": "resp.{}"}
OPTIONS = {"slime_route_options": "route({}=…)", "slime_serve_options": "serve({}=…)"}


def show(options: argparse.Namespace) -> int:
    """Print one paragraph for each plugin."""
    try:
        found = PluginManager()
        app = Slime(str(Path.cwd() / "main.py"))
        paragraphs = [paragraph(plugin, list(additions(plugin, found, app))) for plugin in found.plugins]
    except SlimeError as error:
        raise CommandError(str(error)) from error
    print("\n".join(paragraphs) or "no plugins are installed: pip install 'slimeweb[all]' brings all of slimeweb's own")
    return 0


def paragraph(plugin: Plugin, adds: list[str]) -> str:
    """Give the lines about one plugin."""
    return (
        f"{plugin.distribution} {plugin.version} (plugin {plugin.name!r})\n    {', '.join(adds) or 'adds nothing yet'}"
    )


def additions(plugin: Plugin, plugins: PluginManager, app: Slime) -> Iterator[str]:
    """Give what a plugin adds, as a user writes it; its other hooks under their own names."""
    for hook, form in MEMBERS.items():
        for owner, names in plugins.each(hook, Mapping, app=app):  # type: ignore[type-abstract]
            if owner is plugin:
                yield from map(form.format, names)
    for hook, form in OPTIONS.items():
        for owner, named in plugins.each(hook, Collection):  # type: ignore[type-abstract]
            if owner is plugin:
                yield from (form.format(option.name) for option in named)
    for point in sorted(entry_points(group=EXPORTS), key=lambda point: point.name):
        if point.dist is not None and point.dist.name == plugin.distribution:
            yield f"from slimeweb import {point.name}"
    if "slime_cli" in plugin.hooks:
        commands = Commands()
        plugin.implementation.slime_cli(commands)
        yield from (f"slime {command.name}" for command in commands)
    yield from (hook for hook in plugin.hooks if hook not in {*MEMBERS, *OPTIONS, "slime_cli"})


def register_plugins(commands: Commands) -> None:
    """Add `slime plugins`."""
    commands.add("plugins", show, help="list the installed plugins and what each adds")


def register_plugin_commands(commands: Commands) -> None:
    """Add the commands of all installed plugins.

    :raises CommandError: a plugin does not load, or claims a command that there is already.
    """
    try:
        PluginManager().call("slime_cli", commands=commands)
    except SlimeError as error:
        raise CommandError(str(error)) from error
