"""The servers that are compared, and how each is run.

Each rival runs the way its own documentation recommends for production on a machine of two cores; benchmarks/README.md
says where that is written. Logging of requests is off in all of them.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from benchmarks.environments import Environments
from benchmarks.workloads import APPS, DATABASE, ECHO

__all__ = ["BASE", "OURS", "SERVERS", "Server", "server"]

CORES = len(os.sched_getaffinity(0))
STATIC = APPS / "static"


@dataclass(frozen=True, slots=True)
class Server:
    """One column of the table. `family` groups the modes of one product; the better one counts."""

    name: str
    title: str
    family: str
    distributions: tuple[str, ...]
    command: Callable[[Environments, int], list[str]]
    environment: str | None = "rivals"
    not_for: tuple[str, ...] = ()
    workers: int = CORES
    """For servers that are told by the variable WORKERS."""

    def env(self, port: int) -> dict[str, str]:
        """The variables of its process: the caller's, without those that would change how Python runs."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "SLIME_"))}
        return kept | {"PORT": str(port), "WORKERS": str(self.workers), "PYTHONPATH": str(APPS)}


def _bare_hyper(where: Environments, port: int) -> list[str]:
    binary = where.native("bare-hyper")
    return [str(binary), "--threads", str(CORES), "--port", str(port), "--static", str(STATIC)]


def _slimeweb(where: Environments, port: int) -> list[str]:
    return [str(where.python("slimeweb")), str(APPS / "slimeweb_app.py")]


def _slimeweb_gil(where: Environments, port: int) -> list[str]:
    return [str(where.python("slimeweb-gil")), str(APPS / "slimeweb_app.py")]


def _slimeweb_asgi(environment: str) -> Callable[[Environments, int], list[str]]:
    def command(where: Environments, port: int) -> list[str]:
        return [str(where.python(environment)), str(APPS / "slimeweb_asgi_app.py")]

    return command


def _granian(workers: int, *more: str, target: str = "granian_app:app") -> Callable[[Environments, int], list[str]]:
    def command(where: Environments, port: int) -> list[str]:
        options = ["--host", "127.0.0.1", "--port", str(port), "--workers", str(workers), "--loop", "uvloop", *more]
        # The default would refuse most of the idle connections.
        room = ["--backlog", "16384", "--backpressure", "16384"]
        return [str(_script(where, "granian")), *options, *room, "--no-access-log", target]

    return command


def _robyn(where: Environments, port: int) -> list[str]:
    return [str(where.python("rivals")), str(APPS / "robyn_app.py"), "--fast"]


def _socketify(workers: int) -> Callable[[Environments, int], list[str]]:
    def command(where: Environments, port: int) -> list[str]:
        options = ["--host", "127.0.0.1", "--port", str(port), "--workers", str(workers), "--interface", "socketify"]
        factories = ["--req-res-factory-maxitems", "50000", "--ws-factory-maxitems", "50000"]
        return [str(where.python("rivals")), "-m", "socketify", "socketify_app:run", *options, *factories]

    return command


def _uvicorn(workers: int, target: str) -> Callable[[Environments, int], list[str]]:
    def command(where: Environments, port: int) -> list[str]:
        options = ["--host", "127.0.0.1", "--port", str(port), "--workers", str(workers), "--loop", "uvloop"]
        more = ["--http", "httptools", "--no-access-log", "--timeout-keep-alive", "75"]
        return [str(_script(where, "uvicorn")), target, *options, *more]

    return command


def _script(where: Environments, name: str) -> Path:
    return where.python("rivals").with_name(name)


# Rivals that are not measured with a database.
_STATELESS = (DATABASE.name,)
_NO_ASGI = (*_STATELESS, "template", "static")
_FASTAPI = ("fastapi", "uvicorn", "uvloop", "httptools")
_GIL = ("slimeweb-core", "asyncpg")
_RSGI = ("--interface", "rsgi", "--static-path-mount", str(STATIC))

BASE = Server(
    "bare-hyper", "bare hyper", "bare-hyper", (), _bare_hyper, environment=None, not_for=(DATABASE.name, ECHO.name)
)
OURS = Server("slimeweb", "slimeweb", "slimeweb", ("slimeweb-core",), _slimeweb, "slimeweb")

SERVERS: tuple[Server, ...] = (
    BASE,
    OURS,
    # Beside the load generator on two cores it is a like for the rivals' single workers; what is compared is OURS.
    Server("slimeweb-1", "slimeweb, 1 worker", OURS.family, OURS.distributions, _slimeweb, OURS.environment, workers=1),
    Server("slimeweb-gil", "slimeweb with the GIL", OURS.family, _GIL, _slimeweb_gil, "slimeweb-gil"),
    Server(
        "slimeweb-gil-1", "slimeweb with the GIL, 1 worker", OURS.family, _GIL, _slimeweb_gil, "slimeweb-gil", workers=1
    ),
    Server(
        "granian-1", "granian RSGI, 1 worker", "granian", ("granian", "uvloop"), _granian(1, *_RSGI), not_for=_STATELESS
    ),
    Server(
        "granian-2",
        "granian RSGI, 2 workers",
        "granian",
        ("granian", "uvloop"),
        _granian(2, *_RSGI),
        not_for=_STATELESS,
    ),
    Server("robyn", "robyn", "robyn", ("robyn",), _robyn),
    Server("socketify-1", "socketify, 1 worker", "socketify", ("socketify",), _socketify(1), not_for=_STATELESS),
    Server("socketify-2", "socketify, 2 workers", "socketify", ("socketify",), _socketify(2), not_for=_STATELESS),
    Server(
        "blacksheep",
        "blacksheep on granian",
        "blacksheep",
        ("blacksheep", "granian", "uvloop"),
        _granian(CORES, "--interface", "asgi", target="blacksheep_app:app"),
        not_for=_STATELESS,
    ),
    Server("fastapi-1", "fastapi on uvicorn, 1 worker", "fastapi", _FASTAPI, _uvicorn(1, "fastapi_app:app")),
    Server("fastapi-2", "fastapi on uvicorn, 2 workers", "fastapi", _FASTAPI, _uvicorn(2, "fastapi_app:app")),
    # One ASGI application on several servers, each with one event loop.
    Server(
        "asgi-slimeweb",
        "ASGI on slimeweb",
        "asgi-slimeweb",
        ("slimeweb-core", "slimeweb-asgi"),
        _slimeweb_asgi("slimeweb"),
        "slimeweb",
        not_for=_NO_ASGI,
    ),
    Server(
        "asgi-slimeweb-gil",
        "ASGI on slimeweb with the GIL",
        "asgi-slimeweb-gil",
        ("slimeweb-core", "slimeweb-asgi"),
        _slimeweb_asgi("slimeweb-gil"),
        "slimeweb-gil",
        not_for=_NO_ASGI,
    ),
    Server(
        "asgi-granian",
        "ASGI on granian",
        "asgi-granian",
        ("granian", "uvloop"),
        _granian(1, "--interface", "asgi", target="asgi_app:app"),
        not_for=_NO_ASGI,
    ),
    Server(
        "asgi-uvicorn",
        "ASGI on uvicorn",
        "asgi-uvicorn",
        ("uvicorn", "uvloop", "httptools"),
        _uvicorn(1, "asgi_app:app"),
        not_for=_NO_ASGI,
    ),
)


def server(name: str) -> Server:
    """The server of that name, or ValueError with the names there are."""
    for candidate in SERVERS:
        if candidate.name == name:
            return candidate
    raise ValueError(f"no server {name!r}: there are {', '.join(each.name for each in SERVERS)}")
