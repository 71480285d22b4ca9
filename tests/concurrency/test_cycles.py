"""Requests and responses that refer to themselves, in the ways that applications do, are freed; all others at once."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import slimeweb_compress._native
import slimeweb_ws._native
from slimeweb import Slime, SlimeRequest, SlimeResponse, _core
from slimeweb.testing import TestClient
from support.condition import eventually
from support.process import ServerProcess

REQUESTS = 20
MEGABYTE = b'{"data": "' + b"x" * 1_000_000 + b'"}'

Tie = Callable[[SlimeRequest, SlimeResponse], Any]


class Visitor:
    """What a middleware might hang on a request."""

    def __init__(self, request: SlimeRequest) -> None:
        self.request = request


def problem(req: SlimeRequest, resp: SlimeResponse) -> None:
    try:
        raise ValueError("kept with its traceback, whose frame knows the request")
    except ValueError as error:
        req.problem = error


def page(req: SlimeRequest, resp: SlimeResponse) -> None:
    req.page = lambda text: resp.html(text)


def in_json(req: SlimeRequest, resp: SlimeResponse) -> None:
    req.json["me"] = req


def in_query(req: SlimeRequest, resp: SlimeResponse) -> None:
    values: dict[str, Any] = req.query
    values["me"] = resp


def in_params(req: SlimeRequest, resp: SlimeResponse) -> None:
    req.params["me"] = req


def in_form(req: SlimeRequest, resp: SlimeResponse) -> None:
    values: dict[str, Any] = req.form
    values["me"] = req


def in_files(req: SlimeRequest, resp: SlimeResponse) -> None:
    files: list[Any] = req.file
    files.append(req)


def writer(req: SlimeRequest, resp: SlimeResponse) -> None:
    req.writer = resp.writer()


def started_writer(req: SlimeRequest, resp: SlimeResponse) -> None:
    req.writer = resp.writer()
    req.writer.start()


def visitor(req: SlimeRequest, resp: SlimeResponse) -> None:
    req.visitor = Visitor(req)


def header(req: SlimeRequest, resp: SlimeResponse) -> None:
    req.fields = req.header


def response(req: SlimeRequest, resp: SlimeResponse) -> None:
    resp.me = resp
    req.answer = resp


TIES: list[Tie] = [
    problem,
    page,
    in_json,
    in_query,
    in_params,
    in_form,
    in_files,
    writer,
    started_writer,
    visitor,
    header,
    response,
]


def plain_attribute(req: SlimeRequest, resp: SlimeResponse) -> None:
    req.user = "ada"
    resp.note = ["a list"]


def nothing(req: SlimeRequest, resp: SlimeResponse) -> None:
    """Everything is read, nothing is set."""
    assert req.json is not None
    assert (req.query, req.form, req.file) == ({}, {}, [])


class Watched:
    """An application whose handlers tie a knot, and weak references to what it was tied with."""

    def __init__(self) -> None:
        self.app = Slime(__file__)
        self.tie: Tie = nothing
        self.seen: list[weakref.ref[Any]] = []

        @self.app.route("/plain/{name}", method="POST", body_size=2_000_000)
        def plain(req: SlimeRequest, resp: SlimeResponse) -> None:
            self.watch(req, resp)

        @self.app.route("/coroutine/{name}", method="POST", body_size=2_000_000)
        async def coroutine(req: SlimeRequest, resp: SlimeResponse) -> None:
            self.watch(req, resp)

        @self.app.route("/attribute")
        def attribute(req: SlimeRequest, resp: SlimeResponse) -> SlimeResponse:
            plain_attribute(req, resp)
            return resp.plain("set")

        @self.app.route("/count")
        def count(req: SlimeRequest, resp: SlimeResponse) -> str:
            return str(gc.get_count()[0])

    def watch(self, req: SlimeRequest, resp: SlimeResponse) -> None:
        assert len(req.body) == len(MEGABYTE)
        self.seen += [weakref.ref(req), weakref.ref(resp)]
        self.tie(req, resp)
        if not resp.is_set:
            resp.empty()

    def living(self) -> int:
        return sum(ref() is not None for ref in self.seen)


@pytest.fixture
def watched() -> Watched:
    return Watched()


@pytest.fixture
def client(watched: Watched) -> Iterator[TestClient]:
    with TestClient(watched.app) as client:
        yield client


@pytest.fixture
def no_collections() -> Iterator[None]:
    """Only what a test itself asks for."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()


def post(client: TestClient, kind: str) -> None:
    answer = client.post(f"/{kind}/a", content=MEGABYTE, headers={"Content-Type": "application/json"})
    assert answer.status_code in (200, 204), answer.text


@pytest.mark.parametrize("kind", ["plain", "coroutine"])
@pytest.mark.parametrize("tie", TIES, ids=lambda tie: tie.__name__)
def test_a_cycle_through_a_request_is_collected(watched: Watched, client: TestClient, tie: Tie, kind: str) -> None:
    watched.tie = tie
    for _ in range(REQUESTS):
        post(client, kind)
    assert len(watched.seen) == 2 * REQUESTS

    def freed() -> bool:
        gc.collect()
        return watched.living() == 0

    eventually(freed, what="neither requests nor responses are left")


@pytest.mark.parametrize("kind", ["plain", "coroutine"])
@pytest.mark.parametrize("tie", [nothing, plain_attribute], ids=lambda tie: tie.__name__)
def test_a_request_without_a_cycle_needs_no_collection(
    watched: Watched, client: TestClient, no_collections: None, tie: Tie, kind: str
) -> None:
    watched.tie = tie
    for _ in range(REQUESTS):
        post(client, kind)
    assert len(watched.seen) == 2 * REQUESTS
    eventually(lambda: watched.living() == 0, what="neither requests nor responses are left")


def test_an_attribute_leaves_nothing_to_collect(watched: Watched, client: TestClient, no_collections: None) -> None:
    """The count that sets off collections stays where it is: what is made for a request is freed with it."""
    rounds, requests = 3, 1000
    counts: list[int] = []
    for _ in range(rounds):
        for _ in range(requests):
            client.get("/attribute")
        counts.append(int(client.get("/count").text))
    # Each thread may keep up to 512 to itself before it adds them to the count.
    assert max(counts) - min(counts) < requests, counts


@pytest.mark.parametrize("module", [_core, slimeweb_ws._native, slimeweb_compress._native])
def test_nothing_is_allocated_between_an_object_and_what_is_in_it(module: ModuleType) -> None:
    """CPython 3.11 and 3.12 make the instance dictionary of a class that has room for one, which may start a
    collection, while the collector knows the object already and Rust has not written anything to it yet.
    """
    classes = [each for each in vars(module).values() if isinstance(each, type) and each.__module__ != "builtins"]
    native = [each for each in classes if not issubclass(each, BaseException)]
    assert native
    assert [each for each in native if each.__dictoffset__ != 0] == []


COLLECTING = """
import gc, threading, time
from slimeweb import Slime

app = Slime(__file__)
gc.set_threshold(1, 1000, 1000)


def collect():
    while True:
        gc.collect(0)
        time.sleep(0.001)


class Visitor:
    def __init__(self, req):
        self.req = req


def tie(req, resp):
    req.visitor = Visitor(req)
    req.page = lambda: resp
    req.params["me"] = req
    resp.fields = req.header
    return resp.plain(str(len(req.params)))


@app.route("/plain/{name}")
def plain(req, resp):
    return tie(req, resp)


@app.route("/pool/{name}", blocking=True)
def pool(req, resp):
    return tie(req, resp)


@app.route("/coroutine/{name}")
async def coroutine(req, resp):
    return tie(req, resp)


@app.route("/stream/{name}")
def stream(req, resp):
    req.writer = resp.writer()
    req.writer.start()
    req.writer.write(tie.__name__)


threading.Thread(target=collect, daemon=True).start()
app.serve()
"""


def test_collections_at_every_moment_find_only_whole_objects(tmp_path: Path) -> None:
    script = tmp_path / "collecting.py"
    script.write_text(COLLECTING, "utf-8")
    with ServerProcess(script) as server:
        server.wait_until_serving()

        def ask(number: int) -> None:
            kind = ("plain", "pool", "coroutine", "stream")[number % 4]
            answer = server.ask(f"/{kind}/a")
            assert (answer.status, answer.text) == (200, "tie" if kind == "stream" else "2")

        with ThreadPoolExecutor(8) as crew:
            list(crew.map(ask, range(400)))
