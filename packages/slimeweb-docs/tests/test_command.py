"""`slime openapi`: the same document as the page's, without a server."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from slimeweb.commands import Commands
from slimeweb.testing import TestClient
from slimeweb_docs.command import add_openapi

APP = """
from __future__ import annotations

from slimeweb import BodySchema, Slime, SlimeSchema

print("printed by the module")
app = Slime(__file__)


class Pet:
    name: str
    parents: list[Pet]


@app.docs(title="naïve", schema=SlimeSchema(body=BodySchema(Pet)))
@app.route("/pets/{id:int}", method=["GET", "POST"])
def pets(req, resp) -> list[Pet]:
    return []


if __name__ == "__main__":
    raise SystemExit("it was run, not imported")
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    known = set(sys.modules)
    yield tmp_path
    for name in set(sys.modules) - known:
        del sys.modules[name]


@pytest.fixture
def openapi(capfdbinary: pytest.CaptureFixture[bytes]) -> Callable[..., tuple[int, bytes, str]]:
    """Runs the command; its exit code, what it printed, and what it complained about."""

    def run(*arguments: str) -> tuple[int, bytes, str]:
        commands = Commands()
        add_openapi(commands)
        (command,) = commands
        parser = argparse.ArgumentParser()
        assert command.configure is not None
        command.configure(parser)
        code = command.run(parser.parse_args(arguments))
        out, err = capfdbinary.readouterr()
        return code, out, err.decode()

    return run


Run = Callable[..., tuple[int, bytes, str]]


@pytest.mark.parametrize("name", ["shop", "shop.py", "./shop.py", "shop:app"])
def test_the_document_is_the_one_that_is_served(folder: Path, openapi: Run, name: str) -> None:
    (folder / "shop.py").write_text(APP, "utf-8")
    code, out, err = openapi(name)
    assert (code, err) == (0, "printed by the module\n")
    assert "naïve".encode() in out
    with TestClient(sys.modules["shop"].app, dev=True) as client:
        assert client.get("/openapi.json").content == out
    assert set(json.loads(out)["components"]["schemas"]) == {"Pet"}


WITH_PLUGINS = APP.replace(
    "app = Slime(__file__)",
    """
from slimeweb import RouteSpec, ServeOption, hookimpl

class Plugin:
    @hookimpl
    def slime_serve_options(self):
        return [ServeOption("base", default="/", validate=str)]

    @hookimpl
    def slime_ready(self, app):
        app.route("/ready")(lambda req, resp: None)

    @hookimpl
    def slime_routes(self, app):
        pages = [RouteSpec.declare("/health", lambda req, resp: None)]
        return pages + [RouteSpec.declare("/toolbar", lambda req, resp: None)] if app.dev else pages

    @hookimpl(optionalhook=True)
    def slime_docs_document(self, app):
        return {"servers": [{"url": app.serve_options["base"]}]}

app = Slime(__file__, plugins=[Plugin()])
""",
)


@pytest.mark.parametrize(
    "environ", [{}, {"SLIME_BASE": "/v2"}, {"SLIME_DEV": "1"}, {"SLIME_DOCS": "1"}, {"SLIME_DOCS": "0"}]
)
def test_the_document_has_all_that_plugins_add_when_it_is_served(
    folder: Path, openapi: Run, monkeypatch: pytest.MonkeyPatch, environ: dict[str, str]
) -> None:
    (folder / "shop.py").write_text(WITH_PLUGINS, "utf-8")
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    code, out, _ = openapi("shop")
    assert code == 0
    dev = "SLIME_DEV" in environ
    document = json.loads(out)
    assert set(document["paths"]) == {"/pets/{id}", "/ready", "/health", *(["/toolbar"] if dev else [])}
    assert document["servers"] == [{"url": environ.get("SLIME_BASE", "/")}]
    arguments: dict[str, Any] = {"base": environ["SLIME_BASE"]} if "SLIME_BASE" in environ else {}
    with TestClient(sys.modules["shop"].app, dev=dev, docs=True, **arguments) as client:
        assert client.get("/openapi.json").content == out


def test_an_application_that_would_not_start_is_one_line_and_exit_code_1(folder: Path, openapi: Run) -> None:
    source = WITH_PLUGINS.replace('"/ready"', '"/pets/{id:int}"').replace("print", "str")
    (folder / "double_shop.py").write_text(source, "utf-8")
    code, out, err = openapi("double_shop")
    assert (code, out) == (1, b"")
    assert err.startswith("slime openapi: plugin 'Plugin' failed in slime_ready: MultipleRouteException")
    assert err.count("\n") == 1


def test_a_dotted_module(folder: Path, openapi: Run) -> None:
    (folder / "backend").mkdir()
    (folder / "backend" / "__init__.py").touch()
    (folder / "backend" / "shop_in_package.py").write_text(APP, "utf-8")
    code, out, _ = openapi("backend.shop_in_package")
    assert code == 0
    assert json.loads(out)["info"]["title"] == "shop_in_package"


@pytest.mark.parametrize(
    ("source", "name", "message"),
    [
        (None, "nowhere", "there is no nowhere.py and no module 'nowhere'"),
        (None, "no.where", "no module 'no.where'"),
        ("x = 1", "empty_app", "one Slime application at its top level; it has none"),
        ("x = 1", "empty_app:x", "empty_app:x is not a Slime application, but 1"),
        (
            "from slimeweb import Slime\na, b = Slime(__file__), Slime(__file__)",
            "two_apps",
            "several (a, b): pick one with two_apps:a",
        ),
    ],
)
def test_what_cannot_be_found_is_one_line_and_exit_code_2(
    folder: Path, openapi: Run, source: str | None, name: str, message: str
) -> None:
    if source is not None:
        (folder / f"{name.partition(':')[0]}.py").write_text(source)
    code, out, err = openapi(name)
    assert (code, out) == (2, b"")
    assert message in err
    assert err.count("\n") == 1


def test_a_type_that_cannot_be_described_is_one_line_and_exit_code_1(folder: Path, openapi: Run) -> None:
    source = APP.replace("BodySchema(Pet)", "BodySchema(list[complex])").replace("print", "str")
    (folder / "complex_shop.py").write_text(source, "utf-8")
    code, out, err = openapi("complex_shop")
    assert (code, out, err) == (1, b"", "slime openapi: complex has no JSON form: use a type that has one\n")
