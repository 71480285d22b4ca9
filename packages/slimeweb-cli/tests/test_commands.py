"""The table of subcommands."""

from __future__ import annotations

import argparse

import pytest

from slimeweb_cli import CommandError, Commands


def show(options: argparse.Namespace) -> None:
    pass


def test_a_name_is_given_once() -> None:
    commands = Commands()
    commands.add("openapi", show, help="print the document", owner="one")
    with pytest.raises(CommandError, match="both one and two add the command 'openapi'"):
        commands.add("openapi", show, help="print another", owner="two")


@pytest.mark.parametrize("name", ["", "two words", "--flag=1", "a/b"])
def test_a_name_is_one_word(name: str) -> None:
    with pytest.raises(CommandError, match="letters, digits"):
        Commands().add(name, show, help="…")


def test_commands_keep_their_order() -> None:
    commands = Commands()
    commands.add("b", show, help="…")
    commands.add("a", show, help="…")
    assert [command.name for command in commands] == ["b", "a"]
    assert "a" in commands
    assert "c" not in commands
