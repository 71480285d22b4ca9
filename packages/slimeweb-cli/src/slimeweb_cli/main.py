"""The entry point of `slime`: reads the command line and runs one command."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from slimeweb.commands import Commands, hint
from slimeweb_cli.add_remove import register_add_remove
from slimeweb_cli.errors import CommandError
from slimeweb_cli.new import register_new
from slimeweb_cli.plugins import register_plugin_commands, register_plugins
from slimeweb_cli.run import register_run
from slimeweb_cli.types import register_types
from slimeweb_cli.version import register_version

__all__ = ["main"]


def builtin_commands() -> Commands:
    """Give the commands that `slime` has of its own."""
    commands = Commands()
    register_new(commands)
    register_run(commands)
    register_add_remove(commands)
    register_plugins(commands)
    register_types(commands)
    register_version(commands)
    return commands


def build_parser(commands: Commands) -> argparse.ArgumentParser:
    """Make the parser that knows all `commands`."""
    parser = argparse.ArgumentParser(prog="slime", description="Run and manage slimeweb applications.")
    subparsers = parser.add_subparsers(metavar="COMMAND", required=True)
    for command in commands:
        subparser = subparsers.add_parser(command.name, help=command.help, description=command.help)
        if command.configure is not None:
            command.configure(subparser)
        subparser.set_defaults(run=command.run)
    return parser


def refuse_unknown(arguments: Sequence[str], commands: Commands) -> None:
    """Raise for a command that a plugin brings which is not installed. Other unknown commands are argparse's to
    refuse.
    """
    if arguments and arguments[0] not in commands and (advice := hint("commands", arguments[0])) is not None:
        raise CommandError(advice, exit_code=2)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line `argv` (that of the process by default) and return its exit code."""
    arguments = sys.argv[1:] if argv is None else list(argv)
    try:
        commands = builtin_commands()
        # A broken plugin must not keep an application from being run: the application reports it better.
        if not arguments or arguments[0] not in commands:
            register_plugin_commands(commands)
            refuse_unknown(arguments, commands)
        options = build_parser(commands).parse_args(arguments)
        code: int = options.run(options)
    except CommandError as error:
        print(f"slime: {error}", file=sys.stderr)
        return error.exit_code
    return code
