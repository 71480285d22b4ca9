"""`slime_handle_exception`: what plugins do about handlers that fail."""

from __future__ import annotations

import logging
import threading
from typing import Any

import pytest

from slimeweb import HttpError, Slime, SlimeMiddleware, SlimeRequest, SlimeResponse
from slimeweb.errors import PluginError
from slimeweb.testing import TestClient
from support.toys import app_with, toy


class Busy(Exception):
    pass


class BusyNow(Busy):
    pass


class Failing(SlimeMiddleware):
    def middle_before(self, req: SlimeRequest, resp: SlimeResponse) -> None:
        raise Busy


def failing(app: Slime, error: BaseException) -> Slime:
    """Three routes that raise: in a plain handler, in a coroutine, in a middleware."""

    @app.route(path="/sync")
    def sync(req: SlimeRequest, resp: SlimeResponse) -> None:
        raise error

    @app.route(path="/async")
    async def coro(req: SlimeRequest, resp: SlimeResponse) -> None:
        raise error

    @app.route(path="/middleware", plugin=Failing())
    def guarded(req: SlimeRequest, resp: SlimeResponse) -> str:
        return "never"

    return app


def answering(name: str, status: int = 503) -> object:
    def handle(req: SlimeRequest, resp: SlimeResponse, exc: BaseException) -> Any:
        return resp.plain(f"{name}: {type(exc).__name__}", status=status) if isinstance(exc, Busy) else None

    return toy(name, slime_handle_exception=handle)


@pytest.mark.parametrize("path", ["/sync", "/async", "/middleware"])
def test_slime_handle_exception_may_answer(path: str) -> None:
    with TestClient(failing(app_with(answering("One")), Busy())) as client:
        answer = client.get(path)
        assert (answer.status_code, answer.text) == (503, "One: Busy")


def test_slime_handle_exception_answers_with_what_a_handler_may_return() -> None:
    app = failing(app_with(toy("Json", slime_handle_exception=lambda exc: {"error": type(exc).__name__})), Busy())
    with TestClient(app) as client:
        assert client.get("/sync").json() == {"error": "Busy"}


@pytest.mark.parametrize("path", ["/sync", "/async", "/middleware"])
@pytest.mark.parametrize(("error", "status"), [(ValueError(), 500), (HttpError(418, "no", {"X-Pot": "tea"}), 418)])
def test_what_slime_handle_exception_answers_has_the_status_of_the_exception(
    path: str, error: BaseException, status: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Failing, "middle_before", lambda self, req, resp: _raise(error))
    with TestClient(failing(app_with(toy("Plain", slime_handle_exception=lambda: "sorry")), error)) as client:
        answer = client.get(path)
    assert (answer.status_code, answer.text) == (status, "sorry")
    assert answer.headers.get("x-pot") == ("tea" if status == 418 else None)


def _raise(error: BaseException) -> None:
    raise error


def test_slime_handle_exception_begins_with_an_empty_response() -> None:
    app = app_with(toy("Retry", slime_handle_exception=lambda resp: resp.set_header("Retry-After", "5") or resp))

    @app.route(path="/")
    def half(req: SlimeRequest, resp: SlimeResponse) -> None:
        resp.json({"half": "an answer"})
        raise Busy

    with TestClient(app) as client:
        answer = client.get("/")
    assert (answer.status_code, answer.content, answer.headers["retry-after"]) == (500, b"", "5")


def test_slime_handle_exception_of_the_first_plugin_that_answers_decides() -> None:
    asked: list[str] = []
    app = failing(
        app_with(
            toy("Silent", slime_handle_exception=lambda: asked.append("Silent")),
            answering("Second", 502),
            toy("Third", slime_handle_exception=lambda: asked.append("Third")),
        ),
        Busy(),
    )
    with TestClient(app) as client:
        assert client.get("/sync").status_code == 502
    assert asked == ["Silent"]


def test_slime_handle_exception_comes_after_app_error_of_the_class_and_before_that_of_the_status() -> None:
    app = failing(app_with(answering("Plugin")), BusyNow())

    @app.error(500)
    def by_status(req: SlimeRequest, resp: SlimeResponse, exc: BaseException) -> SlimeResponse:
        return resp.plain("by status")

    with TestClient(app) as client:
        assert client.get("/sync").text == "Plugin: BusyNow"

    @app.error(Busy)
    def by_class(req: SlimeRequest, resp: SlimeResponse, exc: BaseException) -> SlimeResponse:
        return resp.plain("by class")

    with TestClient(app) as client:
        assert client.get("/sync").text == "by class"


def test_slime_handle_exception_that_passes_leaves_the_rest_as_it_is(caplog: pytest.LogCaptureFixture) -> None:
    with TestClient(failing(app_with(answering("One")), ValueError("secret"))) as client:
        answer = client.get("/async")
        assert (answer.status_code, answer.text) == (500, "Internal Server Error")
    with TestClient(failing(app_with(answering("One")), HttpError(418, "short and stout"))) as client:
        assert client.get("/sync").status_code == 418
    assert len([record for record in caplog.records if record.levelno >= logging.ERROR]) == 1


def test_slime_handle_exception_runs_on_the_thread_of_the_request() -> None:
    threads: dict[str, int] = {}
    app = app_with(toy("Watcher", slime_handle_exception=lambda req: threads.update({req.path: threading.get_ident()})))

    @app.route(path="/sync")
    def sync(req: SlimeRequest, resp: SlimeResponse) -> None:
        threads["handler"] = threading.get_ident()
        raise Busy

    @app.route(path="/async")
    async def coro(req: SlimeRequest, resp: SlimeResponse) -> None:
        threads["coroutine"] = threading.get_ident()
        raise Busy

    with TestClient(app) as client:
        client.get("/sync")
        client.get("/async")
    assert threads["/sync"] == threads["handler"]
    assert threads["/async"] == threads["coroutine"]
    assert threads["/sync"] != threads["/async"]


@pytest.mark.parametrize("path", ["/sync", "/async", "/middleware"])
def test_slime_handle_exception_that_raises_is_logged_and_the_client_gets_a_500(
    path: str, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(exc: BaseException) -> None:
        raise OSError("secret")

    with TestClient(failing(app_with(toy("Broken", slime_handle_exception=fail)), Busy())) as client:
        answer = client.get(path)
        assert (answer.status_code, answer.text) == (500, "Internal Server Error")
    errors = [record.exc_info[1] for record in caplog.records if record.exc_info]
    blamed = [error for error in errors if isinstance(error, PluginError)]
    assert len(blamed) == 1
    assert "'Broken' failed in slime_handle_exception: OSError: secret" in str(blamed[0])
    assert isinstance(blamed[0].__cause__, OSError)


def test_slime_handle_exception_that_returns_nonsense_is_a_500(caplog: pytest.LogCaptureFixture) -> None:
    with TestClient(failing(app_with(toy("Odd", slime_handle_exception=lambda: object())), Busy())) as client:
        assert client.get("/sync").status_code == 500
    assert any(isinstance(record.exc_info[1], TypeError) for record in caplog.records if record.exc_info)
