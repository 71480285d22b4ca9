"""A tour of slimeweb: one application that uses every part of it, in the order you will want them.

    pip install 'slimeweb[all]' pydantic
    python examples/tour/main.py
    curl http://127.0.0.1:3000/

Settings come from the environment, so the same file serves on another port, with four workers, or by HTTPS:

    SLIME_PORT=8080 SLIME_WORKER=4 SLIME_TRUSTED_PROXIES=127.0.0.1 python examples/tour/main.py
    SLIME_TLS_CERT=cert.pem SLIME_TLS_KEY=key.pem python examples/tour/main.py
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, Field

from slimeweb import (
    BodySchema,
    Compress,
    QuerySchema,
    Slime,
    SlimeCompression,
    SlimeMiddleware,
    SlimeRequest,
    SlimeResponse,
    SlimeResponseType,
    SlimeSchema,
)
from slimeweb.errors import HttpError
from slimeweb.plugin import Cors, ReqLog
from slimeweb_stream import AsyncStreamResponse, StreamResponse
from slimeweb_ws import WebSocketResponse

HERE = Path(__file__).parent
MIB = 1024 * 1024

app = Slime(__file__)


# Answers --------------------------------------------------------------------------------------------------------------
# A handler takes the request and the response. It fills the response, or returns what the body should be.


@app.route(path="/")
def home(req: SlimeRequest, resp: SlimeResponse) -> SlimeResponse:
    return resp.plain("Hello World from slime")


@app.route(path="/ping")
def ping(req: SlimeRequest, resp: SlimeResponse) -> str:
    return "pong"


@app.route(path="/greeting", method=["GET", "POST"])
def greeting(req: SlimeRequest, resp: SlimeResponse) -> SlimeResponse:
    if req.method == "GET":
        return resp.html("<h1>Hello from Slime</h1>")
    return resp.json({"status": "ok", "message": "Hello from Slime"}, status=201)


@dataclass
class Point:
    x: int
    y: int


@app.route(path="/point")
def point(req: SlimeRequest, resp: SlimeResponse) -> Point:
    """Dicts, lists, dataclasses and pydantic models become JSON."""
    return Point(x=1, y=2)


@app.route(path="/old")
def moved(req: SlimeRequest, resp: SlimeResponse) -> SlimeResponse:
    return resp.redirect("/", status=301)


@app.route(path="/header")
def header(req: SlimeRequest, resp: SlimeResponse) -> SlimeResponse:
    """Sets a header to what the client asks for. A value that could start another header raises here, at the call."""
    resp.set_header("X-Echo", req.query.get("value", ""))
    return resp.plain("see X-Echo")


# Paths ----------------------------------------------------------------------------------------------------------------
# `{name}` takes one segment as text; `{name:int}`, `float`, `uuid` convert it; `{*rest}` takes all that is left.


@app.route(path="/users/{id:int}")
def user_by_id(req: SlimeRequest, resp: SlimeResponse) -> dict[str, Any]:
    return {"by": "id", "id": req.params["id"]}


@app.route(path="/users/{name}")
def user_by_name(req: SlimeRequest, resp: SlimeResponse) -> dict[str, Any]:
    return {"by": "name", "name": req.params["name"]}


@app.route(path="/prices/{amount:float}")
def price(req: SlimeRequest, resp: SlimeResponse) -> dict[str, Any]:
    return {"amount": req.params["amount"], "currency": req.query.get("currency", "EUR")}


@app.route(path="/orders/{key:uuid}")
def order(req: SlimeRequest, resp: SlimeResponse) -> dict[str, Any]:
    return {"key": req.params["key"], "version": req.params["key"].version}


@app.route(path="/tree/{*rest}")
def tree(req: SlimeRequest, resp: SlimeResponse) -> list[str]:
    return list(req.params["rest"].split("/"))


@app.route(path="/search")
def search(req: SlimeRequest, resp: SlimeResponse) -> dict[str, Any]:
    """`query` holds the last value of each name, `query_all` every one."""
    return {"query": req.query, "tags": req.query_all("tag")}


@app.route(path="/whoami", method="*")
def whoami(req: SlimeRequest, resp: SlimeResponse) -> dict[str, Any]:
    return {
        "method": req.method,
        "path": req.path,
        "client": req.client,
        "scheme": req.scheme,
        "http_version": req.http_version,
        "host": req.header.get("host"),
    }


# Documentation --------------------------------------------------------------------------------------------------------
# In dev mode (SLIME_DEV=1) every route is listed at /docs and in /openapi.json, with what its path and its annotations
# tell. `@app.docs` tells the rest. Comes with slimeweb[docs].

app.docs.about(title="A tour of slimeweb", version="1.0", description="One application that uses every part of it.")


RATES = {"CHF": 0.94, "GBP": 0.86}


@app.docs(
    title="Convert a price",
    schema=SlimeSchema(query=[QuerySchema(name="to", type=Literal["CHF", "GBP"], description="the currency wanted")]),
    tags=["prices"],
)
@app.route(path="/prices/{amount:float}/converted")
def converted(req: SlimeRequest, resp: SlimeResponse) -> dict[str, float]:
    rate = RATES.get(req.query.get("to", ""))
    if rate is None:
        raise HttpError(400, f"to has to be one of {', '.join(RATES)}")
    return {"amount": req.params["amount"] * rate}


# Waiting --------------------------------------------------------------------------------------------------------------
# A plain function that blocks runs on a pool of threads, a coroutine on an event loop: neither holds up the others.


def moment(req: SlimeRequest) -> float:
    """How long to wait. `HttpError` ends the request with that status, wherever it is raised."""
    seconds: float = req.params["seconds"]
    if not 0 <= seconds <= 60:
        raise HttpError(400, "seconds has to be between 0 and 60")
    return seconds


@app.route(path="/sleep/{seconds:float}")
def sleep(req: SlimeRequest, resp: SlimeResponse) -> dict[str, float]:
    time.sleep(moment(req))
    return {"slept": req.params["seconds"]}


@app.route(path="/nap/{seconds:float}")
async def nap(req: SlimeRequest, resp: SlimeResponse) -> dict[str, float]:
    await asyncio.sleep(moment(req))
    return {"slept": req.params["seconds"]}


@app.route(path="/stretch", method="POST", blocking=True)
def stretch(req: SlimeRequest, resp: SlimeResponse) -> dict[str, str]:
    """`blocking=True` says outright that a handler takes its time; without it the server finds out."""
    return {"key": hashlib.pbkdf2_hmac("sha256", req.body, b"salt", 100_000).hex()}


@app.route(path="/version", blocking=False)
def version(req: SlimeRequest, resp: SlimeResponse) -> dict[str, str]:
    return {"tour": "1"}


# Bodies ---------------------------------------------------------------------------------------------------------------


@app.route(path="/echo", method="POST", body_size=MIB)
def echo(req: SlimeRequest, resp: SlimeResponse) -> SlimeResponse:
    return resp.bytes(req.body, content_type=req.header.get("content-type", "application/octet-stream"))


@app.route(path="/text", method="POST")
def text(req: SlimeRequest, resp: SlimeResponse) -> dict[str, str]:
    return {"text": req.text}


@app.route(path="/json", method="POST")
async def json_body(req: SlimeRequest, resp: SlimeResponse) -> dict[str, Any]:
    """`req.json` is None unless the content type says JSON; JSON that does not parse is answered with 400."""
    return {"json": req.json}


@app.route(path="/form", method="POST")
def form(req: SlimeRequest, resp: SlimeResponse) -> dict[str, Any]:
    return {"form": req.form, "colours": req.form_all("colour")}


@app.route(path="/upload", method="POST", body_size=64 * MIB)
def upload(req: SlimeRequest, resp: SlimeResponse) -> dict[str, Any]:
    """Large files wait on disk, so hashing 50 MB here takes no more memory than hashing 50 kB."""
    files = []
    for file in req.file:
        with open(file.file_path, "rb") as content:
            digest = hashlib.file_digest(content, "sha256").hexdigest()
        files.append(
            {
                "field": file.field,
                "filename": file.filename,
                "original": file.original_filename,
                "extension": file.extension,
                "type": file.content_type,
                "size": file.file_size,
                "sha256": digest,
            }
        )
    return {"files": files, "count": req.no_of_files_available(), "form": req.form}


class Upload(BaseModel):
    file: bytes


@app.docs(title="Keep a file", schema=SlimeSchema(body=BodySchema(Upload, content_type="multipart/form-data")))
@app.route(path="/keep/{name}", method="POST")
def keep(req: SlimeRequest, resp: SlimeResponse) -> SlimeResponse:
    """An upload is gone with its request unless it is saved."""
    if not req.file:
        raise HttpError(400, "send one file as multipart/form-data")
    directory = Path(os.environ.get("TOUR_KEEP", HERE / "kept"))
    directory.mkdir(exist_ok=True)
    name = hashlib.sha256(req.params["name"].encode()).hexdigest()
    req.file[0].save(name, directory)
    return resp.json({"saved": name, "size": req.file[0].file_size}, status=201)


@app.route(path="/digest", method="POST", stream_body=True, body_size=1024 * MIB)
async def digest(req: SlimeRequest, resp: SlimeResponse) -> dict[str, Any]:
    """With `stream_body=True` the handler starts at once and takes the body piece by piece."""
    sha256, size = hashlib.sha256(), 0
    async for chunk in req.chunks():
        sha256.update(chunk)
        size += len(chunk)
    return {"size": size, "sha256": sha256.hexdigest()}


@app.route(path="/lines", method="POST", stream_body=True, body_size=1024 * MIB)
def lines(req: SlimeRequest, resp: SlimeResponse) -> dict[str, int]:
    return {"lines": sum(chunk.count(b"\n") for chunk in req.chunks())}


# Validation -----------------------------------------------------------------------------------------------------------


class Student(BaseModel):
    name: str
    age: int = Field(ge=0)
    marks: int


@app.docs(
    title="Enrol a student",
    response_type=SlimeResponseType.JsonResponse,
    schema=SlimeSchema(body=BodySchema(schema_name=Student)),
)
@app.route(path="/students", method="POST")
def add_student(req: SlimeRequest, resp: SlimeResponse) -> SlimeResponse:
    errors = req.validate(Student, raise_err=False)
    if errors:
        return resp.json(errors, status=422)
    return resp.json(Student.model_validate(req.json), status=201)


@app.route(path="/students/strict", method="POST")
def add_student_or_fail(req: SlimeRequest, resp: SlimeResponse) -> SlimeResponse:
    """Without `raise_err=False` an invalid body is an error of the application: 500, with the details in the log."""
    req.validate(Student)
    return resp.plain("valid")


# Templates ------------------------------------------------------------------------------------------------------------
# `req.render` fills in the files of `templates/`; what goes into HTML is escaped. Comes with slimeweb[templates].


@app.templates.filter()
def euros(cents: int) -> str:
    return f"€ {cents / 100:.2f}"


@app.route(path="/menu")
def menu(req: SlimeRequest, resp: SlimeResponse) -> SlimeResponse:
    dishes = {"Soup": 450, "Risotto": 1290, "Tart": 620}
    return resp.html(req.render("menu.html", guest=req.query.get("guest"), dishes=dishes))


# Streams --------------------------------------------------------------------------------------------------------------
# Sent piece by piece, and no faster than the client reads. Comes with slimeweb[stream].


@app.stream(path="/countdown/{start:int}", content="text/plain")
def countdown(req: SlimeRequest, resp: StreamResponse) -> None:
    """Text, as a plain function. `send` waits while the client is behind, and raises once it has left."""
    resp.start_stream()
    for number in range(min(req.params["start"], 10_000), -1, -1):
        resp.send(f"{number}\n")
    resp.close()


@app.stream(path="/events", content="text/event-stream")
async def events(req: SlimeRequest, resp: AsyncStreamResponse) -> None:
    """Server-sent events, as a coroutine. A browser that comes back says which event it has seen last."""
    seen = resp.last_event_id or ""
    first = int(seen) + 1 if seen.isdecimal() and len(seen) < 10 else 1
    resp.start_stream()
    for number in range(first, first + 5):
        await resp.send_event({"number": number}, event="tick", id=str(number), retry=1000)
        await asyncio.sleep(0.02)


@app.stream(
    path="/mirror", method="POST", content="application/octet-stream", stream_body=True, body_size=4 * 1024 * MIB
)
async def mirror(req: SlimeRequest, resp: AsyncStreamResponse) -> None:
    """Both ways at once: gigabytes pass through without ever being in memory."""
    resp.start_stream()
    async for chunk in req.chunks():
        await resp.send(chunk)


# Compression ----------------------------------------------------------------------------------------------------------
# Bodies of 1 KiB and more, as the client's Accept-Encoding asks. Comes with slimeweb[compress].


@app.route(path="/numbers", compression=SlimeCompression.All, comp_level=6)
def numbers(req: SlimeRequest, resp: SlimeResponse) -> list[int]:
    return list(range(10_000))


@app.stream(path="/log", content="text/plain", compression=SlimeCompression.Gzip)
def log(req: SlimeRequest, resp: StreamResponse) -> None:
    """A stream is compressed as it goes: each piece can be read when it arrives."""
    resp.start_stream()
    for line in range(100):
        resp.send(f"line {line}: nothing happened\n")


# WebSocket ------------------------------------------------------------------------------------------------------------
# The handler registers callbacks; whatever it answers instead refuses the connection. Comes with slimeweb[ws].


@app.websocket(path="/live/echo")
def live_echo(req: SlimeRequest, resp: WebSocketResponse) -> None:
    resp.on_message(resp.send)


@app.websocket(path="/live/rooms/{name}", body_size=16 * 1024)
def live_room(req: SlimeRequest, resp: WebSocketResponse) -> None:
    """Everybody in a room gets what anybody says there. A broadcast is encoded once."""
    room = app.room(req.params["name"])

    @resp.on_open
    def arrived() -> None:
        room.join(resp)
        room.broadcast({"here": len(room)})

    @resp.on_message
    def said(message: str | bytes) -> None:
        room.broadcast(message, exclude=resp)


# Cookies --------------------------------------------------------------------------------------------------------------
# A signed cookie reads back only as it was set: changed, expired, or under another name, it is None.


class Visitor(BaseModel):
    name: str = Field(min_length=1)


@app.docs(
    title="Log in",
    schema=SlimeSchema(body=BodySchema(Visitor, content_type="application/x-www-form-urlencoded")),
)
@app.route(path="/login", method="POST")
def login(req: SlimeRequest, resp: SlimeResponse) -> SlimeResponse:
    name = req.form.get("name")
    if not name:
        raise HttpError(400, "the form needs a name")
    resp.set_sign_cookie("user", name, max_age=3600)
    resp.set_cookie("greeted", "yes", same_site="Strict")
    return resp.redirect("/me", status=303)


@app.route(path="/theme/{name}", method="POST")
def theme(req: SlimeRequest, resp: SlimeResponse) -> SlimeResponse:
    resp.set_sign_cookie("theme", req.params["name"])
    return resp.empty()


@app.route(path="/me")
def me(req: SlimeRequest, resp: SlimeResponse) -> dict[str, Any]:
    return {
        "user": req.get_signed_cookie("user", max_age=3600),
        "theme": req.get_signed_cookie("theme"),
        "cookies": sorted(req.get_cookies()),
    }


# State ----------------------------------------------------------------------------------------------------------------
# `get_state` and `update_state` read and write; `req.state` counts and updates correctly under threads.


@app.route(path="/visits", method="POST")
def visit(req: SlimeRequest, resp: SlimeResponse) -> dict[str, int]:
    return {"visits": req.state.incr("visits")}


@app.route(path="/notice", method=["GET", "PUT"])
def notice(req: SlimeRequest, resp: SlimeResponse) -> dict[str, str]:
    if req.method == "PUT":
        req.update_state("notice", req.text)
    return {"notice": req.get_state("notice")}


@app.route(path="/stats")
def stats(req: SlimeRequest, resp: SlimeResponse) -> dict[str, int]:
    return {"in_flight": req.state["in_flight"], "visits": req.state["visits"]}


# Files ----------------------------------------------------------------------------------------------------------------
# The folder `static/` beside this file is served under /static; `static_route` adds another one.

app.static_route("/downloads", str(HERE / "downloads"))


@app.route(path="/report")
def report(req: SlimeRequest, resp: SlimeResponse) -> SlimeResponse:
    """Range, ETag and Last-Modified are taken care of."""
    return resp.file(str(HERE / "downloads" / "report.csv"), filename="report 2026.csv")


# Errors ---------------------------------------------------------------------------------------------------------------


class OutOfStock(Exception):
    """Nothing left of what was ordered."""


@app.route(path="/buy/{item}", method="POST")
def buy(req: SlimeRequest, resp: SlimeResponse) -> None:
    raise OutOfStock(req.params["item"])


@app.route(path="/teapot")
async def teapot(req: SlimeRequest, resp: SlimeResponse) -> None:
    raise HttpError(418, "I'm a teapot")


@app.route(path="/boom")
def boom(req: SlimeRequest, resp: SlimeResponse) -> None:
    """What goes wrong unexpectedly is logged with its traceback; the client learns only that it did."""
    raise RuntimeError("the secret ingredient is 42")


@app.error(OutOfStock)
def out_of_stock(req: SlimeRequest, resp: SlimeResponse, exc: BaseException) -> SlimeResponse:
    return resp.json({"error": "out of stock", "item": str(exc)}, status=409)


@app.error(404)
def not_found(req: SlimeRequest, resp: SlimeResponse, exc: BaseException | None) -> SlimeResponse:
    return resp.plain(f"nothing at {req.path}")


# Middleware -----------------------------------------------------------------------------------------------------------
# Declared after its route. A before that answers ends the request there; an after sees every answer, errors too.


@app.route(path="/admin")
def admin(req: SlimeRequest, resp: SlimeResponse) -> SlimeResponse:
    return resp.plain(f"welcome, {req.admin}")


@app.middle_before(path="/admin", method="GET")
def admin_only(req: SlimeRequest, resp: SlimeResponse) -> SlimeResponse | None:
    if req.header.get("authorization") != "Bearer open-sesame":
        resp.set_header("WWW-Authenticate", "Bearer")
        return resp.plain("admins only", status=401)
    req.admin = "Ali Baba"
    return None


@app.middle_after(path="/admin", method="GET")
def never_stored(req: SlimeRequest, resp: SlimeResponse) -> None:
    resp.set_header("Cache-Control", "no-store")


class Api(SlimeMiddleware):
    """A middleware of an asynchronous route may await."""

    async def middle_before(self, req: SlimeRequest, resp: SlimeResponse) -> None:
        await asyncio.sleep(0)
        resp.set_header("X-Api", "1")


@app.route(path="/api/items", method=["GET", "POST"], plugin=[Cors(origins=["https://shop.example"]), Api()])
async def items(req: SlimeRequest, resp: SlimeResponse) -> list[str]:
    return ["apple", "pear"]


class InFlight(SlimeMiddleware):
    """Counts the requests being worked on; a middleware of plain methods serves both kinds of route."""

    def middle_before(self, req: SlimeRequest, resp: SlimeResponse) -> None:
        req.state.incr("in_flight")

    def middle_after(self, req: SlimeRequest, resp: SlimeResponse) -> None:
        req.state.incr("in_flight", -1)
        if not resp.started:
            resp.set_header("X-Request-Id", req.id)


app.use(ReqLog(), path="/students", method="POST")
app.use(Compress(threshold=256), path="/menu")
app.use(InFlight())


# Life -----------------------------------------------------------------------------------------------------------------


@app.start()
async def start_tour() -> None:
    print("tour: started", flush=True)


@app.end()
def end_tour(error: BaseException | None) -> None:
    print(f"tour: ended, error={error}", flush=True)


if __name__ == "__main__":
    app.serve(
        secret_key=os.environ.get("SLIME_SECRET_KEY", "a secret for the tour only"),
        app_state={"in_flight": 0, "visits": 0, "notice": "nothing new"},
    )
