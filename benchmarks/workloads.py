"""What is measured, and the exact answer that each server must give before it is."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from benchmarks.database import expected

__all__ = ["DATABASE", "ECHO", "PLAINTEXT", "WORKLOADS", "Expected", "Probe", "Request", "Workload", "workload"]

APPS = Path(__file__).parent / "apps"


@dataclass(frozen=True, slots=True)
class Request:
    """A request that a load generator repeats. A body is `body_size` times the letter x."""

    path: str
    method: str = "GET"
    headers: tuple[tuple[str, str], ...] = ()
    body_size: int = 0

    @property
    def body(self) -> bytes:
        return b"x" * self.body_size


@dataclass(frozen=True, slots=True)
class Expected:
    """The one right answer. JSON is compared as a document, since spaces between its tokens are a matter of taste."""

    media_type: str
    body: bytes
    chunks: int | None = None
    any_framing: bool = False

    def differs(self, media_type: str, body: bytes, chunks: int | None) -> str | None:
        """What is wrong with an answer, or None. `chunks` is None for an answer that has a Content-Length."""
        if media_type != self.media_type:
            return f"content type {media_type!r} instead of {self.media_type!r}"
        if not self._same(body):
            return f"body {_short(body)} instead of {_short(self.body)}"
        if chunks != self.chunks and not self.any_framing:
            return f"{_framing(chunks)} instead of {_framing(self.chunks)}"
        return None

    def _same(self, body: bytes) -> bool:
        if self.media_type != "application/json":
            return body == self.body
        try:
            return bool(json.loads(body) == json.loads(self.body))
        except ValueError:
            return False


@dataclass(frozen=True, slots=True)
class Probe:
    """A request and its answer."""

    request: Request
    expected: Expected


@dataclass(frozen=True, slots=True)
class Workload:
    """One row of the table. The first probe is what is measured; the others show that the answer is worked out."""

    name: str
    title: str
    probes: tuple[Probe, ...]
    unit: str = "requests/s"

    @property
    def request(self) -> Request:
        return self.probes[0].request


def _framing(chunks: int | None) -> str:
    return "a body with Content-Length" if chunks is None else f"{chunks} chunks"


def _short(body: bytes, limit: int = 60) -> str:
    return repr(body) if len(body) <= limit else f"{body[:limit]!r}… ({len(body)} bytes)"


def _hello(name: str, title: str) -> Workload:
    return Workload(name, title, (Probe(Request(f"/{name}"), Expected("text/plain", b"Hello, World!")),))


def _user(id: str, show: str, token: str) -> Probe:
    request = Request(f"/users/{id}?show={show}", headers=(("X-Token", token),))
    return Probe(request, Expected("text/plain", f"{id} {show} {token}".encode()))


def _post(name: str, title: str, size: int) -> Workload:
    def probe(length: int) -> Probe:
        return Probe(Request("/length", "POST", body_size=length), Expected("text/plain", str(length).encode()))

    return Workload(name, title, (probe(size), probe(10)))


_JSON = b'{"message":"Hello, World!","id":42,"tags":["a","b","c"],"active":true}'
_PAGE = b"""<!doctype html>
<title>Fruit</title>
<h1>Fruit &amp; more</h1>
<ul>
<li>Apple: 1</li>
<li>Banana: 2</li>
<li>Cherry: 3</li>
<li>Date: 4</li>
<li>Elderberry: 5</li>
</ul>"""
_STREAM = b"".join(b"piece %d of 5\n" % number for number in range(5))
_FILE = (APPS / "static" / "ten-kilobytes.txt").read_bytes()

PLAINTEXT = _hello("plaintext", "plaintext, sync")
DATABASE = Workload(
    "database",
    "20 queries to PostgreSQL, async",
    tuple(
        Probe(Request(f"/database/{start}"), Expected("text/plain", str(expected(start)).encode()))
        for start in (42, 9_999)
    ),
)
ECHO = Workload("websocket", "WebSocket echo", (), "messages/s")

WORKLOADS: tuple[Workload, ...] = (
    PLAINTEXT,
    _hello("plaintext-async", "plaintext, async without suspension"),
    _hello("sleep", "async, asyncio.sleep(0)"),
    _hello("future", "async, a future set by another task"),
    Workload("json", "small JSON", (Probe(Request("/json"), Expected("application/json", _JSON)),)),
    Workload(
        "parameters", "path parameter, query, one header", (_user("42", "all", "token-a"), _user("7", "few", "token-b"))
    ),
    Workload("template", "template", (Probe(Request("/template"), Expected("text/html", _PAGE)),)),
    Workload("stream", "stream of 5 chunks", (Probe(Request("/stream"), Expected("text/plain", _STREAM, chunks=5)),)),
    _post("post-1k", "POST of 1 KB", 1024),
    _post("post-1m", "POST of 1 MB", 1024 * 1024),
    Workload(
        "static",
        "static file of 10 KB",
        (Probe(Request("/static/ten-kilobytes.txt"), Expected("text/plain", _FILE, any_framing=True)),),
    ),
    DATABASE,
    ECHO,
)


def workload(name: str) -> Workload:
    """The workload of that name, or ValueError with the names there are."""
    for candidate in WORKLOADS:
        if candidate.name == name:
            return candidate
    raise ValueError(f"no workload {name!r}: there are {', '.join(each.name for each in WORKLOADS)}")
