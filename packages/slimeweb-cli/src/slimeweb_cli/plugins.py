"""`slime plugins`."""

from slimeweb_cli.commands import Commands


def add_plugins(commands: Commands) -> None: ...
def add_plugin_commands(commands: Commands) -> None: ...
