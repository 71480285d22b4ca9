"""What plugins do to responses just before status and headers go out, whatever the answer is."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from slimeweb import HttpError, RouteSpec, Slime, SlimeMiddleware, SlimeRequest, SlimeResponse
from slimeweb.errors import PluginError
from slimeweb.testing import TestClient
from support.toys import app_with, kind, raw, switched, toy, written
from support.versions import VERSIONS, served

OnHead = Callable[[SlimeRequest, SlimeResponse], Any]


def heading(*functions: OnHead) -> list[object]:
    """Plugins with these functions for every head."""
    return [toy(f"Head{number}", slime_response_head=lambda each=each: each) for number, each in enumerate(functions)]


def note_status(req: SlimeRequest, resp: SlimeResponse) -> None:
    """Says that it has been called, and with which status."""
    resp.add_header("X-Head", str(resp.status))


class Guard(SlimeMiddleware):
    def middle_before(self, req: SlimeRequest, resp: SlimeResponse) -> SlimeResponse | None:
        return resp.plain("refused", status=403) if req.query.get("refused") else None


def answering(folder: Path, *plugins: object) -> Slime:
    """One path for each way to answer, plain and as a coroutine: `/plain/text`, `/coroutine/text`."""
    (folder / "static").mkdir(exist_ok=True)
    (folder / "static" / "page.html").write_text("<p>static</p>")
    app = Slime(folder / "main.py", plugins=[*plugins, kind("written", written)])
    app.static_route("/static", "static")

    def text(req: SlimeRequest, resp: SlimeResponse) -> object:
        return "text"

    def nothing(req: SlimeRequest, resp: SlimeResponse) -> object:
        return None

    def redirect(req: SlimeRequest, resp: SlimeResponse) -> object:
        return resp.redirect("/plain/text")

    def file(req: SlimeRequest, resp: SlimeResponse) -> object:
        return resp.file(folder / "static" / "page.html")

    def refuse(req: SlimeRequest, resp: SlimeResponse) -> object:
        raise HttpError(409)

    def fail(req: SlimeRequest, resp: SlimeResponse) -> object:
        raise KeyError("unexpected")

    def handled(req: SlimeRequest, resp: SlimeResponse) -> object:
        raise TimeoutError("handled")

    def wrong(req: SlimeRequest, resp: SlimeResponse) -> object:
        return object()

    def stream(req: SlimeRequest, writer: Any) -> None:
        writer.start()
        assert writer.try_write(b"piece")

    def unstarted(req: SlimeRequest, writer: Any) -> None:
        """Answers without a body."""

    for handler in (text, nothing, redirect, file, refuse, fail, handled, wrong, stream, unstarted):

        async def coroutine(req: SlimeRequest, resp: SlimeResponse, handler: Any = handler) -> object:
            return handler(req, resp)

        options = {"written": True} if handler in (stream, unstarted) else {}
        app.route(path=f"/plain/{handler.__name__}", plugin=Guard(), **options)(handler)
        app.route(path=f"/coroutine/{handler.__name__}", plugin=Guard(), **options)(coroutine)

    @app.error(TimeoutError)
    def on_timeout(req: SlimeRequest, resp: SlimeResponse, exc: BaseException) -> SlimeResponse:
        return resp.plain("late", status=504)

    return app


ANSWERS = {
    "text": 200,
    "text?refused=1": 403,
    "nothing": 204,
    "redirect": 302,
    "file": 200,
    "refuse": 409,
    "fail": 500,
    "handled": 504,
    "wrong": 500,
    "stream": 200,
    "unstarted": 204,
}


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("side", ["plain", "coroutine"])
def test_slime_response_head_is_called_once_for_every_answer_of_a_route(
    side: str, version: str, tmp_path: Path
) -> None:
    app = answering(tmp_path, *heading(note_status))
    with served(app, version, tmp_path) as ask:
        for path, status in ANSWERS.items():
            for method in ("GET", "HEAD"):
                answer = ask(method, f"/{side}/{path}")
                assert (answer.status, answer.header_all("x-head")) == (status, [str(status)]), (method, path)
        assert ask("GET", f"/{side}/stream").body == b"piece"
        assert ask("POST", f"/{side}/text").header_all("x-head") == ["405"]
        assert ask("OPTIONS", f"/{side}/text").header_all("x-head") == ["204"]


@pytest.mark.parametrize("version", VERSIONS)
def test_slime_response_head_is_called_for_what_no_route_answers(version: str, tmp_path: Path) -> None:
    app = answering(tmp_path, *heading(note_status))
    with served(app, version, tmp_path) as ask:
        assert (ask("GET", "/nowhere").status, ask("GET", "/nowhere").header_all("x-head")) == (404, ["404"])
        page = ask("GET", "/static/page.html")
        assert (page.status, page.text, page.header_all("x-head")) == (200, "<p>static</p>", ["200"])
        etag = page.header("etag")
        assert etag is not None
        unchanged = ask("GET", "/static/page.html", headers={"If-None-Match": etag})
        assert (unchanged.status, unchanged.header_all("x-head")) == (304, ["304"])
        part = ask("GET", "/static/page.html", headers={"Range": "bytes=0-2"})
        assert (part.status, part.text, part.header_all("x-head")) == (206, "<p>", ["206"])
        assert ask("GET", "/%zz").header_all("x-head") == [str(ask("GET", "/%zz").status)]


def test_slime_response_head_is_called_for_a_body_that_is_refused() -> None:
    app = app_with(*heading(note_status))
    app.route(path="/", method="POST", body_size=4)(lambda req, resp: "taken")
    with TestClient(app) as client:
        answer = client.post("/", content=b"too long")
        assert answer.status_code == 400
        assert answer.header_all("x-head") == ["400"]


class Silent:
    """A protocol that says nothing."""

    def connection_made(self, transport: Any) -> None:
        transport.close()

    def data_received(self, data: bytes) -> None: ...
    def eof_received(self) -> None: ...
    def pause_writing(self) -> None: ...
    def resume_writing(self) -> None: ...
    def connection_lost(self, exc: BaseException | None) -> None: ...


def switch(req: SlimeRequest, resp: SlimeResponse) -> object:
    return resp.switch_protocol(Silent(), [("Upgrade", "toy/1")])  # type: ignore[arg-type]


async def switch_async(req: SlimeRequest, resp: SlimeResponse) -> object:
    return resp.switch_protocol(Silent(), [("Upgrade", "toy/1")])  # type: ignore[arg-type]


async def switch_awaited(req: SlimeRequest, resp: SlimeResponse) -> None:
    await resp.switch_protocol(Silent(), [("Upgrade", "toy/1")])  # type: ignore[arg-type]


@pytest.mark.parametrize("handler", [switch, switch_async, switch_awaited])
def test_slime_response_head_is_called_for_a_switch_of_protocol(handler: Any) -> None:
    app = app_with(*heading(note_status))
    app.route(path="/")(handler)
    with TestClient(app) as client, raw(client) as wire:
        wire.request("GET", "/", headers={"Connection": "Upgrade", "Upgrade": "toy/1"})
        answer = wire.answer()
        assert (answer.status, answer.header_all("x-head")) == (101, ["101"])
        with switched(client):
            pass


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("side", ["plain", "coroutine"])
@pytest.mark.parametrize("path", ["text", "stream", "handled", "unstarted"])
def test_a_cookie_set_for_a_head_goes_out_with_whole_answers_errors_and_streams(
    path: str, side: str, version: str, tmp_path: Path
) -> None:
    def save(req: SlimeRequest, resp: SlimeResponse) -> None:
        resp.set_cookie("session", req.id)

    with served(answering(tmp_path, *heading(save)), version, tmp_path) as ask:
        (cookie,) = ask("GET", f"/{side}/{path}").header_all("set-cookie")
        assert cookie.startswith("session=")


def test_heads_are_asked_for_by_route_and_once_for_all_that_has_none() -> None:
    asked: list[str | None] = []

    def choose(route: RouteSpec | None) -> OnHead | None:
        asked.append(None if route is None else route.path)
        return note_status if route is not None and route.path == "/yes" else None

    app = app_with(toy("Choosy", slime_response_head=choose))
    for path in ("/yes", "/no"):
        app.route(path=path)(lambda req, resp: "hello")
    with TestClient(app) as client:
        assert asked == [None, "/yes", "/no"]
        assert client.get("/yes").header_all("x-head") == ["200"]
        assert client.get("/no").header_all("x-head") == client.get("/nowhere").header_all("x-head") == []
        assert len(asked) == 3


def test_functions_for_heads_run_in_the_order_of_the_plugins_after_middleware_and_filters() -> None:
    class Mark(SlimeMiddleware):
        def middle_after(self, req: SlimeRequest, resp: SlimeResponse) -> None:
            resp.add_header("X-Order", "middleware")

    class Filter:
        def begin(self, request: SlimeRequest, response: SlimeResponse, length: int | None) -> None:
            response.add_header("X-Order", "filter")

    def named(name: str) -> OnHead:
        return lambda req, resp: resp.add_header("X-Order", name)

    app = app_with(
        *heading(named("first"), named("second")),
        toy("Filter", slime_body_filter=lambda: Filter()),
        toy("Outer", slime_app_middleware=lambda: [Mark()]),
    )
    app.route(path="/")(lambda req, resp: "hello")
    with TestClient(app) as client:
        assert client.get("/").header_all("x-order") == ["middleware", "filter", "first", "second"]


def failing(req: SlimeRequest, resp: SlimeResponse) -> None:
    raise LookupError("no session")


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("side", ["plain", "coroutine"])
@pytest.mark.parametrize("path", ["text", "file", "stream", "nothing", "refuse"])
def test_a_function_for_heads_that_raises_makes_a_500_and_is_named(
    path: str, side: str, version: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    app = answering(tmp_path, *heading(failing, note_status))
    with served(app, version, tmp_path) as ask:
        answer = ask("GET", f"/{side}/{path}")
        assert (answer.status, answer.text) == (500, "Internal Server Error")
        # The other functions have been called, before it became one.
        assert len(answer.header_all("x-head")) == 1
    (error,) = [record.exc_info[1] for record in caplog.records if record.exc_info]
    assert str(error) == "plugin 'Head0' failed in slime_response_head: LookupError: no session"
    assert isinstance(error, PluginError)
    assert isinstance(error.__cause__, LookupError)


@pytest.mark.parametrize("handler", [switch, switch_async, switch_awaited])
def test_a_function_for_heads_that_raises_keeps_the_connection_from_switching(handler: Any) -> None:
    app = app_with(*heading(failing))
    app.route(path="/")(handler)
    with TestClient(app) as client, raw(client) as wire:
        wire.request("GET", "/", headers={"Connection": "Upgrade", "Upgrade": "toy/1"})
        assert wire.answer().status == 500


def test_a_function_for_heads_that_raises_for_what_no_route_answers_makes_a_500(tmp_path: Path) -> None:
    app = answering(tmp_path, *heading(failing))
    with TestClient(app) as client:
        for path in ("/nowhere", "/static/page.html"):
            answer = client.get(path)
            assert (answer.status_code, answer.text) == (500, "Internal Server Error")


@pytest.mark.parametrize("change", [lambda resp: resp.plain("other"), lambda resp: resp.writer()])
def test_the_body_cannot_be_changed_any_more_when_the_head_goes_out(
    change: Any, caplog: pytest.LogCaptureFixture
) -> None:
    app = app_with(*heading(lambda req, resp: change(resp)))
    app.route(path="/")(lambda req, resp: "hello")
    with TestClient(app) as client:
        assert client.get("/").status_code == 500
    (error,) = [record.exc_info[1] for record in caplog.records if record.exc_info]
    assert "a plugin may change status and headers alone" in str(error)


def test_status_and_headers_can_be_changed_when_the_head_goes_out() -> None:
    def change(req: SlimeRequest, resp: SlimeResponse) -> None:
        resp.remove_header("X-Secret")
        resp.set_status(418)

    app = app_with(*heading(change))

    @app.route(path="/")
    def home(req: SlimeRequest, resp: SlimeResponse) -> SlimeResponse:
        resp.set_header("X-Secret", "1")
        return resp.plain("hello")

    with TestClient(app) as client:
        answer = client.get("/")
        assert (answer.status_code, answer.text, answer.headers.get("x-secret")) == (418, "hello", None)


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        (lambda req: None, r"needs a function of two arguments"),
        (switch_async, r"which is async def: nothing can be awaited just before the head goes out"),
    ],
)
def test_what_cannot_be_called_for_a_head_is_refused_at_the_start(wrong: Any, reason: str) -> None:
    app = app_with(*heading(wrong))
    app.route(path="/")(lambda req, resp: "hello")
    with pytest.raises(PluginError, match=f"plugin 'Head0': slime_response_head returned .*{reason}"), TestClient(app):
        pass


def test_a_large_body_of_a_coroutine_has_its_head_made_where_it_is_filtered() -> None:
    threads: dict[str, int] = {}

    class Encoder:
        def push(self, data: bytes) -> bytes:
            threads["filter"] = threading.get_ident()
            return data

        def finish(self) -> bytes:
            return b""

    class Filter:
        def begin(self, request: SlimeRequest, response: SlimeResponse, length: int | None) -> Encoder:
            return Encoder()

    def note(req: SlimeRequest, resp: SlimeResponse) -> None:
        threads["head"] = threading.get_ident()

    app = app_with(*heading(note), toy("Filter", slime_body_filter=lambda: Filter()))

    @app.route(path="/{size:int}")
    async def sized(req: SlimeRequest, resp: SlimeResponse) -> SlimeResponse:
        threads["handler"] = threading.get_ident()
        return resp.plain("a" * req.params["size"])

    with TestClient(app) as client:
        assert len(client.get("/100").text) == 100
        assert threads["handler"] == threads["filter"] == threads["head"]
        assert len(client.get("/1000000").text) == 1_000_000
        assert threads["handler"] != threads["filter"] == threads["head"]
