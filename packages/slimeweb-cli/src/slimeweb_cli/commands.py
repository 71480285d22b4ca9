"""The subcommands of `slime`: the built-in ones, and those that plugins add."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from slimeweb_cli.failure import CommandError

__all__ = ["Command", "Commands", "Configure", "Run"]

Configure = Callable[[argparse.ArgumentParser], None]
Run = Callable[[argparse.Namespace], int | None]


@dataclass(frozen=True, slots=True)
class Command:
    """One subcommand: `slime NAME`.

    `run` gets the parsed arguments and returns the exit code (None is 0); `configure` adds the arguments to the parser.
    """

    name: str
    help: str
    run: Run
    configure: Configure | None = None
    owner: str = "slimeweb-cli"


class Commands:
    """The table of subcommands, by name. A plugin's `slime_cli(commands)` hook adds to it with `add`."""

    def __init__(self) -> None:
        self._commands: dict[str, Command] = {}

    def add(
        self,
        name: str,
        run: Run,
        *,
        help: str,
        configure: Configure | None = None,
        owner: str | None = None,
    ) -> None:
        """Add the subcommand `name`.

        :param run: called with the parsed arguments; returns the exit code, None for 0.
        :param help: one line for `slime --help`.
        :param configure: called with the subcommand's `argparse.ArgumentParser`, to add arguments.
        :param owner: who adds it, for error messages; the module of `run` unless given.
        :raises CommandError: the name is taken, or no single word.
        """
        command = Command(name, help, run, configure, owner or str(run.__module__))
        if not name or not name.replace("-", "").isalnum():
            raise CommandError(f"{command.owner} adds the command {name!r}: use letters, digits and '-' only")
        taken = self._commands.get(name)
        if taken is not None:
            raise CommandError(
                f"both {taken.owner} and {command.owner} add the command {name!r}: uninstall one of them"
            )
        self._commands[name] = command

    def __iter__(self) -> Iterator[Command]:
        return iter(self._commands.values())

    def __contains__(self, name: object) -> bool:
        return name in self._commands
