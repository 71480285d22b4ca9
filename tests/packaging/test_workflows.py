"""What workflows run, and what pages say to type, are targets of the Makefile, so that anybody can run what CI does."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
TARGETS = set(re.findall(r"^([a-z][a-z-]*):(?!=)", (ROOT / "Makefile").read_text(), re.MULTILINE))


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.stem)
def test_the_commands_of_a_workflow_are_targets_of_make(workflow: Path) -> None:
    commands = re.findall(r"^ *(?:- )?run:(.*)$", workflow.read_text(), re.MULTILINE)
    assert commands
    for command in commands:
        words = command.removeprefix(" sudo").split()
        assert words[0] == "make", command
        assert set(words[1:]) <= TARGETS, command


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.stem)
def test_the_actions_of_a_workflow_are_pinned_by_commit(workflow: Path) -> None:
    actions = re.findall(r"uses: (.*)$", workflow.read_text(), re.MULTILINE)
    assert actions
    for action in actions:
        assert re.fullmatch(r"[\w/-]+@[0-9a-f]{40} # v[\d.]+", action), action


@pytest.mark.parametrize("page", sorted(ROOT.glob("*.md")), ids=lambda path: path.name)
def test_the_targets_that_a_page_names_exist(page: Path) -> None:
    commands = re.findall(r"(?:`|^ {4})make ((?:[a-z][a-z-]*\b ?)+)", page.read_text("utf-8"), re.MULTILINE)
    assert {name for command in commands for name in command.split()} <= TARGETS
