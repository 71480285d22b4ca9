"""What `slime serve` makes of what it is given."""

from __future__ import annotations

from pathlib import Path

import pytest

from slimeweb import Slime
from slimeweb.commands import import_target
from slimeweb.testing import TestClient
from slimeweb_asgi.command import slime_of

SOURCE = """
from slimeweb import Slime


async def asgi(scope, receive, send):
    if scope["type"] == "http":
        await send({"type": "http.response.start", "status": 200})
        await send({"type": "http.response.body", "body": b"asgi"})


class Callable:
    async def __call__(self, scope, receive, send):
        await asgi(scope, receive, send)


def wsgi(environ, start_response):
    start_response("200 OK", [])
    return [b"wsgi"]


def make():
    return asgi


class holder:
    app = wsgi


slime = Slime(__file__)
instance = Callable()
"""


@pytest.fixture
def old(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    (tmp_path / "old_applications.py").write_text(SOURCE)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.chdir(tmp_path)
    return "old_applications"


@pytest.mark.parametrize(
    ("name", "text"),
    [("asgi", "asgi"), ("instance", "asgi"), ("make()", "asgi"), ("wsgi", "wsgi"), ("holder.app", "wsgi")],
)
def test_an_application_is_found_and_answers_everything(old: str, name: str, text: str) -> None:
    _, application = import_target(f"{old}:{name}", Path.cwd())
    with TestClient(slime_of(application, __file__)) as client:
        assert client.get("/").text == client.get("/any/where").text == text


def test_the_interface_can_be_said(old: str) -> None:
    _, application = import_target(f"{old}:wsgi", Path.cwd())
    with TestClient(slime_of(application, __file__, "wsgi")) as client:
        assert client.get("/").text == "wsgi"


def test_an_application_of_slimeweb_is_itself(old: str) -> None:
    _, application = import_target(f"{old}:slime", Path.cwd())
    assert isinstance(application, Slime)
    assert slime_of(application, __file__) is application
