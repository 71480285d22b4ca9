"""Subcommands of the command `slime`: those that plugins add, what their arguments mean, and what it takes to find the
plugins.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from slimeweb._exports import GROUP as EXPORTS_GROUP
from slimeweb._import_target import TargetError, import_target
from slimeweb._known_plugins import hint
from slimeweb._member_stubs import member_stubs
from slimeweb._plugin_manager import Plugin, PluginManager

__all__ = [
    "EXPORTS_GROUP",
    "Command",
    "Commands",
    "Plugin",
    "PluginManager",
    "TargetError",
    "hint",
    "import_target",
    "member_stubs",
]


@dataclass(frozen=True, slots=True)
class Command:
    """One subcommand, called `name`: `configure` adds its arguments to a parser, `run` takes them parsed and returns
    the exit code, `help` is one line about it.
    """

    name: str
    run: Callable[[argparse.Namespace], int]
    help: str = ""
    configure: Callable[[argparse.ArgumentParser], object] | None = None


class Commands:
    """The subcommands that there are so far."""

    __slots__ = ("_commands",)

    def __init__(self) -> None:
        self._commands: dict[str, Command] = {}

    def add(
        self,
        name: str,
        run: Callable[[argparse.Namespace], int],
        *,
        help: str = "",
        configure: Callable[[argparse.ArgumentParser], object] | None = None,
    ) -> None:
        """Adds a subcommand. `ValueError` when the name is taken."""
        if name in self._commands:
            raise ValueError(f"there is a command {name!r} already")
        self._commands[name] = Command(name, run, help, configure)

    def __contains__(self, name: object) -> bool:
        return name in self._commands

    def __iter__(self) -> Iterator[Command]:
        return iter(self._commands.values())
