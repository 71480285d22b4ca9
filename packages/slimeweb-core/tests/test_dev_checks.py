"""What dev mode says about applications that would answer nothing."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import pytest

from slimeweb import Slime, SlimeRequest, SlimeResponse
from slimeweb.testing import TestClient


def forgotten(req: SlimeRequest, resp: SlimeResponse) -> None:
    {"name": "Ada"}  # noqa: B018


async def forgotten_later(req: SlimeRequest, resp: SlimeResponse) -> None:
    {"name": "Ada"}  # noqa: B018


def warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [each.getMessage() for each in caplog.records if each.levelno >= logging.WARNING]


@pytest.mark.parametrize("handler", [forgotten, forgotten_later])
def test_a_forgotten_return_is_told_in_dev(handler: Any, caplog: pytest.LogCaptureFixture) -> None:
    app = Slime(__file__)
    app.route("/students")(handler)
    with TestClient(app, dev=True) as client:
        assert client.get("/students").status_code == 204
    (line,) = warnings(caplog)
    assert line.startswith(f"GET /students: {__name__}.{handler.__name__} ({__file__}:"), line
    assert "answered nothing" in line
    assert "is a return missing?" in line


@pytest.mark.parametrize("handler", [forgotten, forgotten_later])
def test_a_forgotten_return_is_not_told_in_production(handler: Any, caplog: pytest.LogCaptureFixture) -> None:
    app = Slime(__file__)
    app.route("/")(handler)
    with TestClient(app) as client:
        assert client.get("/").status_code == 204
    assert warnings(caplog) == []


@pytest.mark.parametrize(
    "answer",
    [
        lambda req, resp: resp.empty(),
        lambda req, resp: "",
        lambda req, resp: resp.set_status(202),
        lambda req, resp: resp.set_cookie("seen", "1"),
        lambda req, resp: resp.plain("hello") and None,
    ],
)
@pytest.mark.parametrize("variant", ["plain", "coroutine"])
def test_an_answer_without_a_body_is_one(answer: Any, variant: str, caplog: pytest.LogCaptureFixture) -> None:
    app = Slime(__file__)
    app.route("/plain")(answer)

    @app.route("/coroutine")
    async def later(req: SlimeRequest, resp: SlimeResponse) -> Any:
        return answer(req, resp)

    with TestClient(app, dev=True) as client:
        assert client.get(f"/{variant}").status_code in (200, 202, 204)
    assert warnings(caplog) == []


@pytest.mark.parametrize("dev", [True, False])
@pytest.mark.parametrize("variant", ["plain", "coroutine"])
def test_a_file_that_is_missing_is_told_in_dev(
    variant: str, dev: bool, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    app = Slime(__file__)
    (tmp_path / "there.txt").write_text("here")

    @app.route("/plain/{name}")
    def plain(req: SlimeRequest, resp: SlimeResponse) -> SlimeResponse:
        return resp.file(tmp_path / req.params["name"])

    @app.route("/coroutine/{name}")
    async def later(req: SlimeRequest, resp: SlimeResponse) -> SlimeResponse:
        return resp.file(str(tmp_path / req.params["name"]))

    with TestClient(app, dev=dev) as client:
        assert client.get(f"/{variant}/there.txt").text == "here"
        assert warnings(caplog) == []
        assert client.get(f"/{variant}/missing.txt").status_code == 404
    lines = warnings(caplog)
    assert len(lines) == dev
    assert all(f"the file '{tmp_path}/missing.txt', which does not exist" in line for line in lines)
    assert all(f"GET /{variant}/{{name}}" in line and f"({__file__}:" in line for line in lines)


def test_a_response_knows_its_file(tmp_path: Path) -> None:
    app = Slime(__file__)
    seen: list[Path | None] = []
    path = tmp_path / "there.txt"
    path.write_text("here")

    @app.route("/")
    def home(req: SlimeRequest, resp: SlimeResponse) -> SlimeResponse:
        seen.append(resp.file_path)
        resp.file(path)
        seen.append(resp.file_path)
        resp.plain("hello")
        seen.append(resp.file_path)
        return resp

    with TestClient(app) as client:
        client.get("/")
    assert seen == [None, path, None]


def test_an_application_without_routes_says_so_in_dev(caplog: pytest.LogCaptureFixture) -> None:
    with TestClient(Slime(__file__)):
        pass
    assert warnings(caplog) == []
    with TestClient(Slime(__file__), dev=True):
        pass
    (line,) = warnings(caplog)
    assert line.startswith(f"{__file__} declares no routes, so every request gets a 404")


def test_an_application_of_files_alone_is_fine(tmp_path: Any, caplog: pytest.LogCaptureFixture) -> None:
    app = Slime(tmp_path / "main.py")
    app.static_route("/files", tmp_path)
    with TestClient(app, dev=True):
        pass
    assert warnings(caplog) == []
