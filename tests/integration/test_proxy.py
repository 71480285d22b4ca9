"""Behind nginx, the way many deployments run."""

from __future__ import annotations

import os
import socket
import subprocess
import textwrap
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from support import multipart
from support.condition import eventually
from support.process import TOUR, ServerProcess, StartTour
from support.tools import tool
from support.wire import Wire


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
        return port


def answers(port: int) -> bool:
    try:
        Wire.tcp("127.0.0.1", port).close()
    except ConnectionRefusedError:
        return False
    return True


class Proxy:
    """An nginx on loopback in front of one server."""

    def __init__(self, port: int) -> None:
        self.port = port

    def wire(self) -> Wire:
        return Wire.tcp("127.0.0.1", self.port)


@contextmanager
def nginx(upstream: str, directory: Path) -> Iterator[Proxy]:
    port = free_port()
    config = directory / "nginx.conf"
    user = "user root;" if os.geteuid() == 0 else ""
    config.write_text(
        textwrap.dedent(f"""\
        daemon off;
        {user}
        worker_processes 1;
        pid {directory}/nginx.pid;
        error_log {directory}/error.log warn;
        events {{ worker_connections 1024; }}
        http {{
            access_log off;
            client_body_temp_path {directory}/body;
            proxy_temp_path {directory}/proxy;
            fastcgi_temp_path {directory}/fastcgi;
            uwsgi_temp_path {directory}/uwsgi;
            scgi_temp_path {directory}/scgi;
            client_max_body_size 100m;
            upstream tour {{ server {upstream}; keepalive 16; }}
            server {{
                listen 127.0.0.1:{port};
                location / {{
                    proxy_pass http://tour;
                    proxy_http_version 1.1;
                    proxy_set_header Connection "";
                    proxy_set_header Host $host;
                    proxy_set_header X-Forwarded-For 203.0.113.7;
                    proxy_set_header X-Forwarded-Proto https;
                }}
            }}
        }}
        """)
    )
    process = subprocess.Popen([tool("nginx"), "-e", f"{directory}/error.log", "-c", str(config)])
    try:
        eventually(lambda: answers(port) or process.poll() is not None, what="nginx listens")
        assert process.poll() is None, (directory / "error.log").read_text()
        yield Proxy(port)
    finally:
        process.terminate()
        process.wait(20)


def ask(proxy: Proxy, method: str, target: str, **options: Any) -> Any:
    with proxy.wire() as wire:
        wire.request(method, target, **options)
        return wire.answer(to=method)


def test_nginx_in_front_over_tcp(start_tour: StartTour, tmp_path: Path) -> None:
    server = start_tour(SLIME_TRUSTED_PROXIES="127.0.0.1")
    with nginx(f"127.0.0.1:{server.port}", tmp_path) as proxy:
        seen = ask(proxy, "GET", "/whoami").json()
        assert (seen["client"], seen["scheme"]) == ("203.0.113.7", "https")
        assert seen["host"] == "localhost"

        content = os.urandom(5_000_000)
        body = multipart.body([multipart.field("note", "x"), multipart.file("file", "a.bin", content)])
        uploaded = ask(proxy, "POST", "/upload", headers={"Content-Type": multipart.CONTENT_TYPE}, body=body)
        assert uploaded.json()["files"][0]["size"] == len(content)

        assert ask(proxy, "GET", "/report", headers={"Range": "bytes=0-4"}).body == b"month"
        assert ask(proxy, "GET", "/nowhere").status == 404
        assert ask(proxy, "GET", "/boom").status == 500
        with ThreadPoolExecutor(16) as pool:
            bodies = list(pool.map(lambda number: ask(proxy, "GET", f"/users/{number}").json()["id"], range(400)))
        assert bodies == list(range(400))
    assert not [line for line in (tmp_path / "error.log").read_text().splitlines() if "upstream" in line]


def test_nginx_in_front_over_a_unix_socket(start_tour: StartTour, tmp_path: Path) -> None:
    path = tmp_path / "tour.sock"
    start_tour(SLIME_UNIX_SOCKET=str(path), SLIME_TRUSTED_PROXIES="unix")
    with nginx(f"unix:{path}", tmp_path) as proxy:
        assert ask(proxy, "GET", "/whoami").json()["client"] == "203.0.113.7"
        assert ask(proxy, "GET", "/").text == "Hello World from slime"


@pytest.mark.parametrize("trusted", ["", "192.0.2.1", "10.0.0.0/8"])
def test_a_peer_that_is_not_trusted_cannot_name_another_client(start_tour: StartTour, trusted: str) -> None:
    server = start_tour(SLIME_TRUSTED_PROXIES=trusted) if trusted else start_tour()
    forged = {
        "X-Forwarded-For": "203.0.113.7",
        "X-Forwarded-Proto": "https",
        "Forwarded": "for=203.0.113.7;proto=https",
    }
    seen = server.ask("/whoami", headers=forged).json()
    assert (seen["client"], seen["scheme"]) == ("127.0.0.1", "http")


@pytest.fixture(scope="module")
def trusting() -> Iterator[ServerProcess]:
    """A tour that trusts the tests' address to be a proxy's."""
    with ServerProcess(TOUR, env={"SLIME_TRUSTED_PROXIES": "127.0.0.1"}) as server:
        yield server.wait_until_serving()


@pytest.mark.parametrize(
    ("sent", "scheme"),
    [
        ("https", "https"),
        ("HTTPS", "https"),
        ("wss", "https"),
        (" https , http", "https"),
        ("https,http,http", "https"),
        ('"https"', "https"),
        ("http, https", "http"),
        ("ws", "http"),
        ("gopher", "http"),
        ("", "http"),
        (", https", "https"),
        (", ,http, https", "http"),
    ],
)
def test_the_scheme_is_the_one_that_the_first_proxy_was_asked_by(
    trusting: ServerProcess, sent: str, scheme: str
) -> None:
    assert trusting.ask("/whoami", headers={"X-Forwarded-Proto": sent}).json()["scheme"] == scheme


@pytest.mark.parametrize(
    "sent",
    [
        "203.0.113.7",
        " 203.0.113.7 ",
        "203.0.113.7:4711",
        '"203.0.113.7"',
        "::ffff:203.0.113.7",
        '"[::ffff:203.0.113.7]:80"',
        "203.0.113.7, ",
        ",, 203.0.113.7,, 127.0.0.1, ,",
    ],
)
def test_an_address_is_taken_however_proxies_write_it(trusting: ServerProcess, sent: str) -> None:
    assert trusting.ask("/whoami", headers={"X-Forwarded-For": sent}).json()["client"] == "203.0.113.7"


def test_only_the_part_that_trusted_proxies_added_counts(start_tour: StartTour) -> None:
    """A client may send X-Forwarded-For itself: what stands left of the first untrusted address is its word."""
    server = start_tour(SLIME_TRUSTED_PROXIES="127.0.0.1,10.0.0.0/8")
    seen = server.ask("/whoami", headers={"X-Forwarded-For": "1.2.3.4, 203.0.113.7, 10.1.2.3"}).json()
    assert seen["client"] == "203.0.113.7"


@pytest.mark.parametrize("garbage", [b"\xff", b"\xc3\xa9", b"unknown", b"_hidden"])
def test_what_stands_before_garbage_is_hearsay(trusting: ServerProcess, garbage: bytes) -> None:
    """Also where several fields make up the list."""
    with trusting.wire() as wire:
        lines = [b"GET /whoami HTTP/1.1", b"Host: t", b"X-Forwarded-For: 203.0.113.7", b"X-Forwarded-For: " + garbage]
        wire.send(b"\r\n".join([*lines, b"", b""]))
        assert wire.answer().json()["client"] == "127.0.0.1"


@pytest.mark.parametrize("value", ["", ",", "garbage", "999.1.1.1", "1.2.3.4, garbage", "é", "a" * 5_000])
def test_odd_forwarding_headers_do_no_harm(start_tour: StartTour, value: str) -> None:
    server = start_tour(SLIME_TRUSTED_PROXIES="127.0.0.1")
    answer = server.ask("/whoami", headers={"X-Forwarded-For": value})
    assert answer.status == 200
    assert answer.json()["client"] in ("127.0.0.1", "1.2.3.4")
