"""HTTPS with HTTP/1.1 and HTTP/2, by curl."""

from __future__ import annotations

import json
import os
import socket
import ssl
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from slimeweb import Slime, SlimeRequest, SlimeResponse, SlimeTls
from slimeweb.testing import TestClient
from support.certificate import self_signed
from support.condition import eventually
from support.process import TOUR, ServerProcess
from support.tools import tool
from support.wire import Wire


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    return self_signed(tmp_path_factory.mktemp("tls"))


@pytest.fixture(scope="module")
def secure(certificate: tuple[Path, Path]) -> Iterator[ServerProcess]:
    cert, key = certificate
    env = {
        "SLIME_TLS_CERT": str(cert),
        "SLIME_TLS_KEY": str(key),
        "SLIME_HEAD_TIMEOUT": "2",
        "SLIME_HEAD_SIZE": "32768",
    }
    with ServerProcess(TOUR, env=env) as server:
        try:
            yield server.wait_until_serving()
        finally:
            server.kill()


def curl(server: ServerProcess, certificate: tuple[Path, Path], *arguments: str) -> str:
    command = [tool("curl"), "--silent", "--show-error", "--max-time", "30", "--cacert", str(certificate[0])]
    completed = subprocess.run([*command, *arguments], capture_output=True, text=True, timeout=60, check=False)
    assert completed.returncode == 0, completed.stderr
    return completed.stdout


@pytest.mark.parametrize(("option", "version"), [("--http1.1", "1.1"), ("--http2", "2")])
def test_both_versions_of_http(
    secure: ServerProcess, certificate: tuple[Path, Path], option: str, version: str
) -> None:
    assert secure.scheme == "https"
    output = curl(secure, certificate, option, "-w", "\n%{http_version} %{response_code}", f"{secure.url}/whoami")
    body, _, facts = output.rpartition("\n")
    assert facts == f"{version} 200"
    seen = json.loads(body)
    assert seen["scheme"] == "https"
    assert seen["http_version"].removesuffix(".0") == version
    assert seen["host"] == f"{secure.host}:{secure.port}"


@pytest.mark.parametrize("option", ["--http1.1", "--http2"])
def test_files_travel_both_ways(
    secure: ServerProcess, certificate: tuple[Path, Path], option: str, tmp_path: Path
) -> None:
    photo = tmp_path / "photo.bin"
    photo.write_bytes(os.urandom(5_000_000))
    output = curl(secure, certificate, option, "-F", "note=hello", "-F", f"photo=@{photo}", f"{secure.url}/upload")
    seen = json.loads(output)
    assert (seen["count"], seen["form"], seen["files"][0]["size"]) == (1, {"note": "hello"}, 5_000_000)
    assert curl(secure, certificate, option, "-r", "0-5", f"{secure.url}/report") == "month,"


def test_many_streams_share_one_connection(
    secure: ServerProcess, certificate: tuple[Path, Path], tmp_path: Path
) -> None:
    arguments = ["--http2", "--parallel", "--parallel-max", "50", "-o", f"{tmp_path}/#1", "-w", "%{num_connects}\n"]
    output = curl(secure, certificate, *arguments, f"{secure.url}/users/[1-200]")
    for number in range(1, 201):
        assert json.loads((tmp_path / str(number)).read_bytes()) == {"by": "id", "id": number}
    connects = [int(line) for line in output.split()]
    assert len(connects) == 200
    assert sum(connects) <= 50


def test_errors_and_limits_over_http_2(secure: ServerProcess, certificate: tuple[Path, Path]) -> None:
    def status(*arguments: str) -> str:
        return curl(secure, certificate, "--http2", "-o", "/dev/null", "-w", "%{response_code}", *arguments)

    assert status(f"{secure.url}/nowhere") == "404"
    assert status("-X", "DELETE", f"{secure.url}/ping") == "405"
    assert status(f"{secure.url}/users/%ff") == "400"
    assert status(f"{secure.url}/boom") == "500"
    assert status("-H", f"X-Large: {'x' * 40_000}", f"{secure.url}/") == "431"


def test_what_is_not_tls_is_closed_and_harms_nobody(secure: ServerProcess, certificate: tuple[Path, Path]) -> None:
    before = secure.footprint()
    for garbage in (
        b"GET / HTTP/1.1\r\nHost: t\r\n\r\n",
        os.urandom(4096),
        b"\x16\x03\x01\xff\xff" + bytes(100),
        b"\x16",
    ):
        with Wire.tcp(secure.host, secure.port, timeout=10) as wire:
            wire.send_until_refused(garbage)
            try:
                while wire.socket.recv(4096):
                    pass
            except ConnectionResetError:
                pass
    eventually(lambda: secure.footprint().descriptors <= before.descriptors)
    assert curl(secure, certificate, f"{secure.url}/ping") == "pong"


@pytest.mark.parametrize(
    "garbage",
    [
        b"GET / HTTP/1.1\r\nHost: t\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\xff" * 64,
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\x00\x00\x00\x04\x00\x00\x00\x00\x00" + b"\x7f\xff\xff\x01" * 40,
        bytes(1000),
    ],
    ids=["HTTP/1.1", "bad frame", "huge frame", "zeros"],
)
def test_garbage_in_place_of_http_2_ends_the_connection(
    secure: ServerProcess, certificate: tuple[Path, Path], garbage: bytes
) -> None:
    context = ssl.create_default_context(cafile=str(certificate[0]))
    context.set_alpn_protocols(["h2"])
    with (
        socket.create_connection((secure.host, secure.port), timeout=10) as plain,
        context.wrap_socket(plain, server_hostname="localhost", suppress_ragged_eofs=True) as wrapped,
    ):
        assert wrapped.selected_alpn_protocol() == "h2"
        try:
            wrapped.sendall(garbage)
            while wrapped.recv(4096):
                pass
        except ConnectionError:
            pass
    assert curl(secure, certificate, "--http2", f"{secure.url}/ping") == "pong"


def test_a_missing_key_is_one_clear_line(certificate: tuple[Path, Path], tmp_path: Path) -> None:
    env = {"SLIME_TLS_CERT": str(certificate[0]), "SLIME_TLS_KEY": str(tmp_path / "missing.pem")}
    with ServerProcess(TOUR, env=env) as server:
        assert server.wait() != 0
        assert "missing.pem" in server.output
        assert "tour: started" not in server.output


def test_a_key_that_is_none_is_found_before_the_application_starts(
    certificate: tuple[Path, Path], tmp_path: Path
) -> None:
    key = tmp_path / "key.pem"
    key.write_text("-----BEGIN PRIVATE KEY-----\nnot a key\n-----END PRIVATE KEY-----\n")
    env = {"SLIME_TLS_CERT": str(certificate[0]), "SLIME_TLS_KEY": str(key)}
    with ServerProcess(TOUR, env=env) as server:
        assert server.wait() != 0
        assert str(key) in server.output
        assert "tour: started" not in server.output


def test_the_test_client_speaks_tls_and_unix_sockets(certificate: tuple[Path, Path], tmp_path: Path) -> None:
    app = Slime(__file__)

    @app.route("/")
    def home(req: SlimeRequest, resp: SlimeResponse) -> SlimeResponse:
        return resp.redirect("/scheme")

    @app.route("/scheme")
    def scheme(req: SlimeRequest, resp: SlimeResponse) -> str:
        return f"{req.scheme} {req.client}"

    with TestClient(app, https=SlimeTls(*certificate)) as client:
        assert client.get("/", follow_redirects=True).text == "https 127.0.0.1"
    with TestClient(app, unix_socket=tmp_path / "socket") as client:
        assert client.get("/", follow_redirects=True).text == "http unix"
