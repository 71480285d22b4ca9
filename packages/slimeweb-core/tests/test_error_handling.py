"""Errors become answers; what the client may not see stays in the log."""

from __future__ import annotations

import asyncio
import http.client
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from slimeweb import ClientDisconnected, HttpError, Slime, SlimeMiddleware, SlimeRequest, SlimeResponse
from slimeweb.errors import ConfigError, InvalidHandler
from slimeweb.testing import TestClient


class OutOfStock(LookupError): ...


class SoldToday(OutOfStock): ...


def failing(error: BaseException, *, later: bool = False) -> Slime:
    app = Slime(__file__)
    if later:

        @app.route("/")
        async def fail_later(req: SlimeRequest, resp: SlimeResponse) -> None:
            raise error

    else:

        @app.route("/")
        def fail(req: SlimeRequest, resp: SlimeResponse) -> None:
            resp.set_header("X-Kept", "yes")
            resp.json({"half": "an answer"}, status=200)
            raise error

    return app


def ask(app: Slime, path: str = "/", **arguments: Any) -> tuple[int, str]:
    with TestClient(app, **arguments) as client:
        response = client.get(path)
        return response.status_code, response.text


@pytest.mark.parametrize("later", [False, True])
def test_an_unexpected_error_is_a_short_500_and_a_log_entry(later: bool, caplog: pytest.LogCaptureFixture) -> None:
    assert ask(failing(RuntimeError("the secret is 42"), later=later)) == (500, "Internal Server Error")
    (record,) = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert "unhandled error in GET / (request " in record.getMessage()
    assert "the secret is 42" in caplog.text
    assert "Traceback" in caplog.text


@pytest.mark.parametrize("error", [SystemExit(3), KeyboardInterrupt(), GeneratorExit()])
@pytest.mark.parametrize("later", [False, True])
def test_an_error_that_would_end_the_process_does_not(error: BaseException, later: bool) -> None:
    with TestClient(failing(error, later=later)) as client:
        assert [client.get("/").status_code for _ in range(2)] == [500, 500]


@pytest.mark.parametrize("later", [False, True])
def test_an_http_error_is_its_answer(later: bool, caplog: pytest.LogCaptureFixture) -> None:
    assert ask(failing(HttpError(418, "short and stout"), later=later)) == (418, "short and stout")
    assert ask(failing(HttpError(404), later=later)) == (404, "Not Found")
    assert not [record for record in caplog.records if record.levelno >= logging.ERROR]


def test_an_http_error_has_headers_and_keeps_those_set_before() -> None:
    with TestClient(failing(HttpError(503, headers={"Retry-After": "7"}))) as client:
        headers = client.get("/").headers
    assert (headers["retry-after"], headers["x-kept"]) == ("7", "yes")
    assert headers["content-type"] == "text/plain; charset=utf-8"


@pytest.mark.parametrize("status", [200, 302, 600, 0])
def test_an_http_error_is_an_error(status: int) -> None:
    with pytest.raises(ValueError, match=str(status)):
        HttpError(status)


def test_the_nearest_class_decides(caplog: pytest.LogCaptureFixture) -> None:
    app = failing(SoldToday("apples"))
    app.error(LookupError)(lambda req, resp, exc: resp.plain("lookup"))
    app.error(OutOfStock)(lambda req, resp, exc: resp.plain(f"no {exc}", status=409))
    assert ask(app) == (409, "no apples")
    assert not [record for record in caplog.records if record.levelno >= logging.ERROR]


def test_a_handler_for_everything_answers_and_the_error_is_still_logged(caplog: pytest.LogCaptureFixture) -> None:
    app = failing(RuntimeError("why"))
    app.error(Exception)(lambda req, resp, exc: {"error": "sorry"})
    assert ask(app) == (500, '{"error":"sorry"}')
    assert "why" in caplog.text


def test_a_status_is_preset_for_its_handler() -> None:
    app = failing(HttpError(404))
    app.error(404)(lambda req, resp: resp.plain(f"nothing at {req.path}"))
    assert ask(app) == (404, "nothing at /")
    assert ask(app, "/elsewhere") == (404, "nothing at /elsewhere")


def test_a_handler_may_leave_the_answer_to_slimeweb() -> None:
    app = failing(HttpError(404, "gone"))
    seen = []
    app.error(404)(lambda req, resp, exc: seen.append(exc))
    assert ask(app) == (404, "gone")
    assert ask(app, "/elsewhere") == (404, "Not Found")
    assert [type(error) for error in seen] == [HttpError, HttpError]


def test_405_goes_through_its_handler_and_keeps_allow() -> None:
    app = failing(HttpError(404))
    app.error(405)(lambda req, resp: resp.json({"allowed": resp.headers["allow"]}))
    with TestClient(app) as client:
        response = client.post("/")
    assert response.status_code == 405
    assert {"GET", "HEAD", "OPTIONS"} == set(response.headers["allow"].split(", "))
    assert response.json() == {"allowed": response.headers["allow"]}


def test_an_error_handler_that_fails_is_a_plain_500(caplog: pytest.LogCaptureFixture) -> None:
    app = failing(HttpError(404))
    app.error(404)(lambda req, resp: 1 / 0)
    assert ask(app) == (500, "Internal Server Error")
    assert ask(app, "/elsewhere") == (500, "Internal Server Error")
    assert "the handler of an error failed" in caplog.text
    assert "ZeroDivisionError" in caplog.text


def test_dev_shows_a_page_that_is_escaped() -> None:
    with TestClient(failing(RuntimeError("<script>alert(1)</script>")), dev=True) as client:
        page = client.get("/", headers={"Accept": "text/html,*/*"})
        text = client.get("/")
    assert page.status_code == text.status_code == 500
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert "<script>" not in page.text
    assert "&lt;script&gt;alert(1)" in page.text
    assert "test_error_handling.py" in page.text
    assert text.headers["content-type"] == "text/plain; charset=utf-8"
    assert "RuntimeError: <script>" in text.text


async def asynchronous(req: object, resp: object, exc: object) -> None: ...


@pytest.mark.parametrize(
    ("key", "handler"),
    [
        (404, asynchronous),
        (404, lambda: None),
        (404, lambda req: None),
        (404, None),
        (200, lambda req, resp: None),
        (True, lambda req, resp: None),
        ("404", lambda req, resp: None),
        (int, lambda req, resp: None),
    ],
)
def test_what_cannot_handle_errors_is_refused(key: Any, handler: Any) -> None:
    with pytest.raises(InvalidHandler):
        Slime(__file__).error(key)(handler)


def test_a_second_handler_for_the_same_is_refused() -> None:
    app = Slime(__file__)
    app.error(404)(lambda req, resp: None)
    with pytest.raises(ConfigError, match=r"app.error\(404\) has two handlers"):
        app.error(404)(lambda req, resp: None)


def test_a_log_entry_is_one_line_whatever_the_path(caplog: pytest.LogCaptureFixture) -> None:
    app = Slime(__file__)

    @app.route("/{*path}")
    def fail(req: SlimeRequest, resp: SlimeResponse) -> None:
        raise RuntimeError

    assert ask(app, "/a%0D%0AERROR%20forged")[0] == 500
    (record,) = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert "\n" not in record.getMessage()


def test_a_status_counts_before_the_base_classes_of_an_http_error(caplog: pytest.LogCaptureFixture) -> None:
    app = Slime(__file__)

    @app.error(404)
    def missing(req: SlimeRequest, resp: SlimeResponse) -> SlimeResponse:
        return resp.plain("my 404")

    @app.error(Exception)
    def anything(req: SlimeRequest, resp: SlimeResponse, exc: BaseException) -> SlimeResponse:
        return resp.plain(f"anything: {exc}")

    @app.route("/raised")
    def raised(req: SlimeRequest, resp: SlimeResponse) -> None:
        raise HttpError(404)

    @app.route("/value")
    def value(req: SlimeRequest, resp: SlimeResponse) -> None:
        raise ValueError("5")

    assert ask(app, "/raised") == (404, "my 404")
    assert ask(app, "/nowhere") == (404, "my 404")
    assert ask(app, "/value") == (500, "anything: 5")


def test_the_class_of_an_http_error_counts_before_its_status() -> None:
    class Gone(HttpError):
        def __init__(self) -> None:
            super().__init__(410)

    app = failing(Gone())

    @app.error(Gone)
    def gone(req: SlimeRequest, resp: SlimeResponse) -> SlimeResponse:
        return resp.plain("by class")

    @app.error(410)
    def by_status(req: SlimeRequest, resp: SlimeResponse) -> SlimeResponse:
        return resp.plain("by status")

    @app.error(HttpError)
    def base(req: SlimeRequest, resp: SlimeResponse) -> SlimeResponse:
        return resp.plain("by base")

    assert ask(app) == (410, "by class")


@pytest.mark.parametrize("detail", [{"code": 1}, [{"field": "email"}], {}])
@pytest.mark.parametrize("later", [False, True])
def test_the_detail_of_an_http_error_may_be_json(detail: Any, later: bool) -> None:
    with TestClient(failing(HttpError(409, detail), later=later)) as client:
        response = client.get("/")
        assert (response.status_code, response.json()) == (409, detail)
        assert response.headers["content-type"] == "application/json"


def test_a_detail_that_can_be_no_body_is_refused_where_it_is_made() -> None:
    with pytest.raises(TypeError, match="give text, or a dict or list for a JSON body"):
        HttpError(409, 17)  # type: ignore[arg-type]


@pytest.mark.parametrize("later", [False, True])
def test_an_error_handler_that_fails_reaches_the_handler_of_500(later: bool, caplog: pytest.LogCaptureFixture) -> None:
    app = failing(OutOfStock("no umbrellas"), later=later)

    @app.error(LookupError)
    def lookup(req: SlimeRequest, resp: SlimeResponse, exc: BaseException) -> None:
        resp.json({"half": True})
        raise RuntimeError("no template") from exc

    @app.error(500)
    def internal(req: SlimeRequest, resp: SlimeResponse, exc: BaseException) -> SlimeResponse:
        return resp.plain(f"sorry for the {type(exc).__name__}")

    assert ask(app) == (500, "sorry for the RuntimeError")
    assert "no umbrellas" in caplog.text
    assert "no template" in caplog.text
    assert "direct cause" in caplog.text


def test_the_handler_of_500_is_not_asked_about_itself(caplog: pytest.LogCaptureFixture) -> None:
    app = failing(ValueError("first"))
    calls: list[BaseException] = []

    @app.error(500)
    def internal(req: SlimeRequest, resp: SlimeResponse, exc: BaseException) -> None:
        calls.append(exc)
        raise RuntimeError("second")

    assert ask(app) == (500, "Internal Server Error")
    assert len(calls) == 1
    assert "first" in caplog.text
    assert "second" in caplog.text


def test_a_handler_of_500_that_fails_after_another_ends_as_a_plain_500(caplog: pytest.LogCaptureFixture) -> None:
    app = Slime(__file__)

    @app.error(404)
    def missing(req: SlimeRequest, resp: SlimeResponse) -> None:
        raise RuntimeError("first")

    @app.error(500)
    def internal(req: SlimeRequest, resp: SlimeResponse) -> None:
        raise RuntimeError("second")

    assert ask(app, "/nowhere") == (500, "Internal Server Error")
    assert "first" in caplog.text
    assert "second" in caplog.text


def test_awaiting_a_task_that_was_cancelled_is_a_500_and_logged(caplog: pytest.LogCaptureFixture) -> None:
    app = Slime(__file__)

    @app.route("/")
    async def give_up(req: SlimeRequest, resp: SlimeResponse) -> None:
        task = asyncio.create_task(asyncio.sleep(60))
        task.cancel()
        await task

    assert ask(app) == (500, "Internal Server Error")
    assert "unhandled error in GET / (request " in caplog.text
    assert "CancelledError" in caplog.text


@pytest.mark.parametrize("later", [False, True])
def test_a_cancellation_that_escapes_while_the_client_waits_is_a_500(
    later: bool, caplog: pytest.LogCaptureFixture
) -> None:
    assert ask(failing(asyncio.CancelledError(), later=later)) == (500, "Internal Server Error")
    assert "unhandled error in GET / (request " in caplog.text


LOST = {
    "Accept-Ranges": "bytes",
    "Age": "1",
    "Cache-Control": "public, max-age=60",
    "CDN-Cache-Control": "max-age=60",
    "Content-Digest": "sha-256=:x:",
    "Content-Disposition": "attachment",
    "Content-Encoding": "br",
    "Content-Language": "de",
    "Content-Location": "/other",
    "Content-MD5": "x",
    "Content-Range": "bytes 0-1/2",
    "ETag": '"x"',
    "Expires": "Wed, 02 Jan 2030 01:04:05 GMT",
    "Last-Modified": "Wed, 02 Jan 2030 01:04:05 GMT",
    "Location": "/made",
    "Pragma": "public",
    "Refresh": "0",
    "Repr-Digest": "sha-256=:x:",
    "Set-Cookie": "session=1",
    "Surrogate-Control": "max-age=60",
    "X-Accel-Redirect": "/file",
}


@pytest.mark.parametrize("later", [False, True])
def test_an_error_keeps_nothing_of_the_body_that_was_lost(later: bool) -> None:
    app = Slime(__file__)

    def fill(resp: SlimeResponse) -> None:
        for name, value in (LOST | {"Vary": "Accept", "WWW-Authenticate": "Basic"}).items():
            resp.set_header(name, value)

    if later:

        @app.route("/")
        async def fail_later(req: SlimeRequest, resp: SlimeResponse) -> None:
            fill(resp)
            raise ValueError

    else:

        @app.route("/")
        def fail(req: SlimeRequest, resp: SlimeResponse) -> None:
            fill(resp)
            raise ValueError

    with TestClient(app) as client:
        headers = client.get("/").headers
    assert not {name.lower() for name in LOST} & set(headers)
    assert (headers["vary"], headers["www-authenticate"]) == ("Accept", "Basic")


@pytest.mark.parametrize("kind", [SystemExit, KeyboardInterrupt, GeneratorExit, asyncio.CancelledError])
@pytest.mark.parametrize("later", [False, True])
def test_afters_see_the_500_of_an_error_that_would_end_the_process(
    kind: type[BaseException], later: bool, caplog: pytest.LogCaptureFixture
) -> None:
    app = failing(kind("x"), later=later)

    class Seen(SlimeMiddleware):
        def middle_after(self, req: SlimeRequest, resp: SlimeResponse) -> None:
            resp.set_header("X-Seen", str(resp.status))

    app.use(Seen())
    with TestClient(app) as client:
        response = client.get("/")
    assert (response.status_code, response.headers["x-seen"]) == (500, "500")
    assert len([record for record in caplog.records if record.levelno == logging.ERROR]) == 1


@pytest.mark.parametrize("later", [False, True])
def test_an_after_that_would_end_the_process_keeps_no_other_from_running(later: bool) -> None:
    app = failing(HttpError(404), later=later)
    seen = []

    class Outer(SlimeMiddleware):
        def middle_after(self, req: SlimeRequest, resp: SlimeResponse) -> None:
            seen.append(resp.status)

    class Inner(SlimeMiddleware):
        def middle_after(self, req: SlimeRequest, resp: SlimeResponse) -> None:
            raise SystemExit(3)

    app.use(Outer())
    app.use(Inner())
    assert ask(app) == (500, "Internal Server Error")
    assert seen == [500]


@pytest.mark.parametrize("later", [False, True])
def test_an_error_handler_that_would_end_the_process_reaches_the_handler_of_500(
    later: bool, caplog: pytest.LogCaptureFixture
) -> None:
    app = failing(OutOfStock("no umbrellas"), later=later)

    @app.error(LookupError)
    def lookup(req: SlimeRequest, resp: SlimeResponse, exc: BaseException) -> None:
        raise SystemExit(3)

    @app.error(500)
    def internal(req: SlimeRequest, resp: SlimeResponse, exc: BaseException) -> SlimeResponse:
        return resp.plain(f"sorry for the {type(exc).__name__}")

    assert ask(app) == (500, "sorry for the SystemExit")
    assert "the handler of an error failed" in caplog.text


def test_an_error_handler_that_fails_reaches_the_handler_of_what_it_raises() -> None:
    app = failing(OutOfStock("no umbrellas"))

    @app.error(LookupError)
    def lookup(req: SlimeRequest, resp: SlimeResponse, exc: BaseException) -> None:
        resp.set_cookie("half", "1")
        raise RuntimeError("no template")

    @app.error(Exception)
    def anything(req: SlimeRequest, resp: SlimeResponse, exc: BaseException) -> SlimeResponse:
        return resp.plain(f"sorry for the {type(exc).__name__}")

    with TestClient(app) as client:
        response = client.get("/")
    assert (response.status_code, response.text) == (500, "sorry for the RuntimeError")
    assert not response.cookies


@pytest.mark.parametrize("customised", [False, True])
@pytest.mark.parametrize("later", [False, True])
def test_an_error_handler_may_raise_a_status(customised: bool, later: bool, caplog: pytest.LogCaptureFixture) -> None:
    app = failing(OutOfStock("no umbrellas"), later=later)

    @app.error(LookupError)
    def lookup(req: SlimeRequest, resp: SlimeResponse, exc: BaseException) -> None:
        raise HttpError(409, "sold out") from exc

    if customised:

        @app.error(409)
        def conflict(req: SlimeRequest, resp: SlimeResponse, exc: BaseException) -> SlimeResponse:
            return resp.json({"error": str(exc)})

    assert ask(app) == (409, '{"error":"409 sold out"}' if customised else "sold out")
    assert not [record for record in caplog.records if record.levelno >= logging.ERROR]


def test_an_error_handler_that_raises_its_own_error_again_leaves_the_answer_to_slimeweb() -> None:
    app = failing(HttpError(404, "gone"))

    @app.error(404)
    def missing(req: SlimeRequest, resp: SlimeResponse, exc: BaseException) -> None:
        raise exc

    assert ask(app) == (404, "gone")


def test_a_stream_of_an_error_handler_that_fails_is_cut(caplog: pytest.LogCaptureFixture) -> None:
    app = failing(OutOfStock("no umbrellas"))

    @app.error(LookupError)
    def lookup(req: SlimeRequest, resp: SlimeResponse, exc: BaseException) -> None:
        writer = resp.writer()
        writer.start()
        writer.write("part")
        raise RuntimeError("no template")

    with TestClient(app) as client, pytest.raises(http.client.IncompleteRead):
        client.get("/")
    assert "no template" in caplog.text


@pytest.mark.parametrize("later", [False, True])
def test_another_connection_that_is_gone_is_a_failure_of_this_request(
    later: bool, caplog: pytest.LogCaptureFixture
) -> None:
    assert ask(failing(ClientDisconnected("another one"), later=later)) == (500, "Internal Server Error")
    assert "another one" in caplog.text


def test_an_http_error_whose_class_has_the_status_is_its_answer() -> None:
    class Gone(HttpError):
        status = 410

        def __init__(self) -> None:
            pass

    assert ask(failing(Gone())) == (410, "Gone")


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: HttpError("404"), r"HttpError\(404, detail\)"),  # type: ignore[arg-type]
        (lambda: HttpError(404.0), r"HttpError\(404, detail\)"),  # type: ignore[arg-type]
        (lambda: HttpError(404, headers={"X": 5}), "'X': '5'"),  # type: ignore[dict-item]
        (lambda: HttpError(404, headers={"X": "a\r\nSet-Cookie: b=c"}), "line breaks"),
        (lambda: HttpError(404, headers={"X Y": "a"}), "a header's name"),
    ],
)
def test_an_http_error_that_cannot_be_sent_is_refused_where_it_is_made(make: Callable[[], Any], message: str) -> None:
    with pytest.raises((TypeError, ValueError), match=message):
        make()


@pytest.mark.parametrize("name", ["missing.txt", "", "x" * 300, "a\0b", "there.txt/beyond"])
@pytest.mark.parametrize("later", [False, True])
def test_a_file_that_is_missing_is_a_404_of_the_applications_own(name: str, later: bool, tmp_path: Path) -> None:
    app = Slime(__file__)
    (tmp_path / "there.txt").write_text("here")
    seen: list[int] = []

    if later:

        @app.route("/")
        async def fetch_later(req: SlimeRequest, resp: SlimeResponse) -> SlimeResponse:
            return resp.file(tmp_path / name, filename="report.txt")

    else:

        @app.route("/")
        def fetch(req: SlimeRequest, resp: SlimeResponse) -> SlimeResponse:
            return resp.file(tmp_path / name, filename="report.txt")

    @app.error(404)
    def missing(req: SlimeRequest, resp: SlimeResponse) -> SlimeResponse:
        return resp.plain("my 404")

    class Seen(SlimeMiddleware):
        def middle_before(self, req: SlimeRequest, resp: SlimeResponse) -> None:
            resp.set_header("X-Before", "yes")

        def middle_after(self, req: SlimeRequest, resp: SlimeResponse) -> None:
            seen.append(resp.status)

    app.use(Seen())
    with TestClient(app) as client:
        response = client.get("/")
    assert (response.status_code, response.text, seen) == (404, "my 404", [404])
    assert response.headers["x-before"] == "yes"
    assert "content-disposition" not in response.headers


def test_an_error_page_that_is_missing_is_the_error_handlers_failure(caplog: pytest.LogCaptureFixture) -> None:
    app = failing(OutOfStock("no umbrellas"))
    app.error(LookupError)(lambda req, resp: resp.file("/no/such/page.html"))
    assert ask(app) == (500, "Internal Server Error")
    assert "the handler of an error failed" in caplog.text
