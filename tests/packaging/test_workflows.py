"""The workflows under .github run what the Makefile has, so that whatever they check can be run anywhere."""

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
