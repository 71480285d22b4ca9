"""Core's list of known plugins says what each brings; without the plugin, every one of these names says what to
install.
"""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import Protocol

import pytest

from slimeweb._known_plugins import KNOWN_PLUGINS, Extra

pytestmark = pytest.mark.timeout(900)

# How `slime plugins` writes what a plugin brings.
FORMS = {
    "exports": "from slimeweb import {}",
    "app_members": "app.{}",
    "route_options": "route({}=…)",
    "serve_options": "serve({}=…)",
    "request_members": "req.{}",
    "response_members": "resp.{}",
    "commands": "slime {}",
}
# What a user meets who types the name: a program that prints what went wrong.
USES = {
    "exports": "from slimeweb import {}",
    "app_members": "Slime('main.py').{}",
    "route_options": "Slime('main.py').route('/', {}=True)",
    "serve_options": "Slime('main.py').serve({}=True)",
    "request_members": """
from slimeweb.testing import TestClient
app, errors = Slime('main.py'), []
@app.route('/')
def handler(req, resp):
    try:
        req.{}
    except Exception as error:
        errors.append(error)
    return ''
with TestClient(app) as client:
    client.get('/')
raise errors[0]
""",
}
ENTRIES = [
    pytest.param(extra, kind, name, id=FORMS[kind].format(name))
    for extra in KNOWN_PLUGINS
    for kind in FORMS
    for name in getattr(extra, kind)
]


class Environment(Protocol):
    folder: Path

    def run(self, program: str, *arguments: str) -> str: ...
    def python(self, code: str) -> str: ...
    def add(self, *requirements: str) -> None: ...
    def remove(self, distribution: str) -> None: ...


def brings(extra: Extra) -> set[str]:
    return {form.format(name) for kind, form in FORMS.items() for name in getattr(extra, kind)}


def test_the_catalogue_is_what_the_plugins_bring(everything: Environment) -> None:
    listed = re.findall(r"^(slimeweb-\w+) .*\n    (.+)$", everything.run("slime", "plugins"), re.MULTILINE)
    # Hooks that add no name are listed too.
    found = {name: {each for each in adds.split(", ") if not each.startswith("slime_")} for name, adds in listed}
    assert found == {extra.distribution: brings(extra) for extra in KNOWN_PLUGINS}


@pytest.fixture(scope="module")
def without(request: pytest.FixtureRequest, everything: Environment) -> object:
    """All plugins but one, which comes back afterwards."""
    extra: Extra = request.param
    everything.remove(extra.distribution)
    yield everything
    everything.add(extra.distribution)


@pytest.mark.parametrize(("without", "kind", "name"), ENTRIES, indirect=["without"])
def test_a_name_whose_plugin_was_removed_says_what_to_install(
    without: Environment, request: pytest.FixtureRequest, kind: str, name: str
) -> None:
    extra: Extra = request.node.callspec.params["without"]
    advice = f"pip install 'slimeweb[{extra.name}]'"
    if kind == "commands":
        done = subprocess.run([without.folder / "bin" / "slime", name], capture_output=True, text=True, check=False)
        assert done.returncode != 0
        assert advice in done.stderr
        assert "Traceback" not in done.stderr
        return
    use = "from slimeweb import Slime\n" + USES[kind].format(name)
    program = f"try:\n    exec({use!r})\nexcept Exception as error:\n    print(type(error).__name__, error)"
    kinds = ("ImportError",) if kind == "exports" else ("AttributeError", "TypeError")
    printed = without.python(program)
    assert printed.startswith(kinds)
    assert advice in printed
    assert repr(name) in printed
