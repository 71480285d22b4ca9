"""`slime run`, `rung`, `runw` and `rungw`: an application without or with the GIL, restarted on changes or not."""

from __future__ import annotations

import argparse
import os
import sys
from dataclasses import dataclass
from pathlib import Path

from slimeweb.commands import Commands
from slimeweb_cli import program
from slimeweb_cli.python import Interpreter
from slimeweb_cli.supervisor import Supervisor
from slimeweb_cli.target import Target
from slimeweb_cli.watch import Tree

__all__ = ["register_run"]


@dataclass(frozen=True, slots=True)
class CommandLine:
    """A command line and its environment, ready to be executed."""

    command: tuple[str, ...]
    environment: dict[str, str]

    @classmethod
    def of(cls, module: str, arguments: list[str], gil: bool, cwd: Path) -> CommandLine:
        """Work out how to run `module` of the project in `cwd`, and print a line when the GIL stays on although it was
        to be off.
        """
        target = Target.find(module, cwd)
        interpreter = Interpreter.of_project(cwd)
        if not gil and not interpreter.free_threaded:
            print(
                f"slime: Python {interpreter.version} here is built with the GIL: serving with it "
                "(`slime new` makes projects without; `slime rung` does without this line)",
                file=sys.stderr,
                flush=True,
            )
        return cls(
            (str(interpreter.path), program.__file__, *target.arguments, *arguments), interpreter.environment(gil)
        )


def run(options: argparse.Namespace) -> int:
    """Replace this process by the application: its signals and its exit code are the command's own."""
    command_line = CommandLine.of(options.module, options.arguments, options.gil, Path.cwd())
    sys.stdout.flush()
    os.execve(command_line.command[0], command_line.command, command_line.environment)


def run_watched(options: argparse.Namespace) -> int:
    """Run the application, and again whenever a source file changes."""
    cwd = Path.cwd()
    command_line = CommandLine.of(options.module, options.arguments, options.gil, cwd)
    return Supervisor(command_line.command, command_line.environment, Tree(cwd)).run()


def arguments(gil: bool, parser: argparse.ArgumentParser) -> None:
    parser.add_argument("module", metavar="MODULE", help="main, main.py, a dotted module, or the project's name")
    rest = parser.add_argument("arguments", nargs=argparse.REMAINDER, help="handed to the application in sys.argv")
    # Before Python 3.12 argparse asks for them where MODULE is missing.
    rest.required = False
    parser.set_defaults(gil=gil)


def without_gil(parser: argparse.ArgumentParser) -> None:
    arguments(False, parser)


def with_gil(parser: argparse.ArgumentParser) -> None:
    arguments(True, parser)


def register_run(commands: Commands) -> None:
    """Add the four ways to run an application."""
    commands.add("run", run, help="run an application without the GIL", configure=without_gil)
    commands.add("rung", run, help="run an application with the GIL", configure=with_gil)
    commands.add("runw", run_watched, help="run without the GIL, again on every change", configure=without_gil)
    commands.add("rungw", run_watched, help="run with the GIL, again on every change", configure=with_gil)
