"""What `slime serve` finds."""

from __future__ import annotations

from pathlib import Path

import pytest

from slimeweb import Slime
from slimeweb.testing import TestClient
from slimeweb_asgi.command import find, slime_of

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
    application, file = find(f"{old}:{name}")
    assert file.endswith("old_applications.py")
    with TestClient(slime_of(application, file)) as client:
        assert client.get("/").text == client.get("/any/where").text == text


def test_the_interface_can_be_said(old: str) -> None:
    application, file = find(f"{old}:wsgi")
    with TestClient(slime_of(application, file, "wsgi")) as client:
        assert client.get("/").text == "wsgi"


def test_an_application_of_slimeweb_is_itself(old: str) -> None:
    application, file = find(f"{old}:slime")
    assert isinstance(application, Slime)
    assert slime_of(application, file) is application


@pytest.mark.parametrize(
    ("target", "text"),
    [
        ("old_applications", "write MODULE:APPLICATION"),
        (":asgi", "write MODULE:APPLICATION"),
        ("missing_module:app", "there is no module 'missing_module' in"),
        ("old_applications.sub:app", "there is no module 'old_applications.sub' in"),
        ("old_applications:nothing", "old_applications.py has no 'nothing'"),
    ],
)
def test_what_cannot_be_found_is_said(old: str, target: str, text: str) -> None:
    with pytest.raises(LookupError, match=text):
        find(target)
