"""Handlers: what they are given and what they may return, sync and async."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Coroutine
from pathlib import Path
from typing import Any, assert_type

from slimeweb import HttpError, Slime, SlimeFile, SlimeRequest, SlimeResponse, State

app = Slime(__file__)


@app.route(path="/")
def home(req: SlimeRequest, resp: SlimeResponse) -> SlimeResponse:
    return resp.plain("Hello")


@app.route(path="/async")
async def later(req: SlimeRequest, resp: SlimeResponse) -> dict[str, int]:
    return {"answer": 42}


@app.route(path="/text")
def text(req: SlimeRequest, resp: SlimeResponse) -> str:
    return "text"


# A decorated handler keeps its type.
as_function: Callable[[SlimeRequest, SlimeResponse], SlimeResponse] = home
as_coroutine_function: Callable[[SlimeRequest, SlimeResponse], Coroutine[Any, Any, dict[str, int]]] = later
wrong: Callable[[int], str] = text  # type: ignore[assignment]  # pyright: ignore[reportAssignmentType]


@app.route(path="/request/{id:int}", method=["GET", "POST"])
def request(req: SlimeRequest, resp: SlimeResponse) -> None:
    assert_type(req.app, Slime)
    assert_type(req.id, str)
    assert_type(req.method, str)
    assert_type(req.path, str)
    assert_type(req.raw_path, str)
    assert_type(req.route, str | None)
    assert_type(req.header["host"], str)
    assert_type(req.header.get("host"), str | None)
    assert_type(req.header_all("accept"), list[str])
    assert_type(req.query, dict[str, str])
    assert_type(req.query_all("tag"), list[str])
    assert_type(req.params, dict[str, Any])
    assert_type(req.bytes, bytes)
    assert_type(req.text, str)
    assert_type(req.json, Any)
    assert_type(req.form, dict[str, str])
    assert_type(req.file, list[SlimeFile])
    assert_type(req.state, State)
    assert_type(req.get_cookies(), dict[str, str])
    assert_type(req.get_signed_cookie("name"), str | None)
    req.method = "PUT"  # type: ignore[misc]  # pyright: ignore[reportAttributeAccessIssue]
    req.user = "Ada"


@app.middle_after(path="/request/{id:int}", method=["GET", "POST"])
def after_request(req: SlimeRequest, resp: SlimeResponse) -> None:
    # What middleware hands on to handlers is `Any`.
    assert_type(req.user, Any)
    resp.user = "Ada"  # type: ignore[attr-defined]  # pyright: ignore[reportAttributeAccessIssue]


@app.route(path="/response")
def response(req: SlimeRequest, resp: SlimeResponse) -> SlimeResponse:
    resp.set_status(201)
    resp.set_header("x-kind", "typed")
    resp.set_cookie("name", "value", max_age=60, http_only=True, same_site="Lax")
    assert_type(resp.status, int)
    assert_type(resp.body, bytes | None)
    assert_type(resp.file_path, Path | None)
    assert_type(resp.headers, dict[str, str])
    assert_type(resp.json({"a": 1}), SlimeResponse)
    assert_type(resp.html("<p>"), SlimeResponse)
    assert_type(resp.bytes(b"", content_type="image/png"), SlimeResponse)
    assert_type(resp.redirect("/"), SlimeResponse)
    assert_type(resp.empty(), SlimeResponse)
    resp.plian("text")  # type: ignore[attr-defined]  # pyright: ignore[reportAttributeAccessIssue]
    resp.set_status("201")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    resp.plain(b"bytes")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    return resp.file("report.pdf")


@app.route(path="/upload", method="POST", body_size=1 << 20)
def upload(req: SlimeRequest, resp: SlimeResponse) -> None:
    for file in req.file:
        assert_type(file.filename, str)
        assert_type(file.file_size, int)
        assert_type(file.read(), bytes)
        file.save("copy", directory=Path("uploads"))


@app.route(path="/chunks", method="POST", stream_body=True)
def chunks(req: SlimeRequest, resp: SlimeResponse) -> None:
    for chunk in req.chunks():
        assert_type(chunk, bytes)


@app.route(path="/async-chunks", method="POST", stream_body=True)
async def async_chunks(req: SlimeRequest, resp: SlimeResponse) -> None:
    arriving: AsyncIterator[bytes] = req.chunks()
    async for chunk in arriving:
        assert_type(chunk, bytes)


@app.error(404)
def not_found(req: SlimeRequest, resp: SlimeResponse, exc: Exception) -> SlimeResponse:
    return resp.plain(str(exc))


@app.error(KeyError)
async def key_error(req: SlimeRequest, resp: SlimeResponse) -> SlimeResponse:
    raise HttpError(409, "taken")


@app.middle_before(path="/")  # type: ignore[type-var]  # pyright: ignore[reportArgumentType]
def before_one(req: SlimeRequest) -> None: ...


@app.middle_after(path="/")  # type: ignore[type-var]  # pyright: ignore[reportArgumentType]
def after_three(req: SlimeRequest, resp: SlimeResponse, exc: Exception) -> None: ...


@app.error(404)  # type: ignore[type-var]  # pyright: ignore[reportArgumentType]
def error_of_one(req: SlimeRequest) -> None: ...


@app.start()
def start_of_one(app: Slime) -> None: ...


@app.end()  # type: ignore[type-var]  # pyright: ignore[reportArgumentType]
def end_of_none() -> None: ...
