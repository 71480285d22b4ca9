"""The entry point of `slime`: reads the command line and runs one command."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from functools import partial

from slimeweb.commands import Commands, hint
from slimeweb.errors import PluginError
from slimeweb.handlers import describe
from slimeweb_cli.add_remove import register_add_remove
from slimeweb_cli.errors import CommandError
from slimeweb_cli.new import register_new
from slimeweb_cli.plugins import add_plugin_commands, register_plugins
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
        run = command.run
        try:
            if command.configure is not None:
                command.configure(subparser)
        except (Exception, SystemExit) as error:
            # Of a plugin. The other commands, and --help, work all the same.
            reason = f"the command {command.name!r} of {describe(command.configure)} is broken: {error!r}"
            subparser.add_argument("arguments", nargs=argparse.REMAINDER)
            run = partial(fail, reason)
        subparser.set_defaults(run=run)
    return parser


def fail(reason: str, options: argparse.Namespace) -> int:
    """Raise for a command that cannot be run."""
    raise CommandError(reason)


def refuse_unknown(arguments: Sequence[str], commands: Commands, broken: Mapping[str, PluginError]) -> None:
    """Raise for a command that a plugin brings which is not installed, or may bring that is broken. Other unknown
    commands are argparse's to refuse.
    """
    if not arguments or arguments[0].startswith("-") or arguments[0] in commands:
        return
    if (advice := hint("commands", arguments[0])) is not None and not broken:
        raise CommandError(advice, exit_code=2)
    if broken:
        raise CommandError(f"there is no command {arguments[0]!r} without {'; '.join(map(str, broken.values()))}")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line `argv` (that of the process by default) and return its exit code."""
    arguments = sys.argv[1:] if argv is None else list(argv)
    try:
        commands = builtin_commands()
        # A broken plugin must not keep an application from being run: the application reports it better.
        if not arguments or arguments[0] not in commands:
            commands, broken = add_plugin_commands(builtin_commands)
            refuse_unknown(arguments, commands, broken)
            if not arguments or arguments[0].startswith("-"):
                for failure in broken.values():
                    print(f"slime: {failure}", file=sys.stderr)
        options = build_parser(commands).parse_args(arguments)
        code: int = options.run(options)
    except CommandError as error:
        print(f"slime: {error}", file=sys.stderr)
        return error.exit_code
    return code
