"""The `slime` command: runs, watches and manages slimeweb applications."""

from slimeweb_cli.commands import Command, Commands
from slimeweb_cli.failure import CommandError

__all__ = ["Command", "CommandError", "Commands"]
