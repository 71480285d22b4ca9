"""Where uploads lie until they are saved: disks that are full, servers that are killed, and where `save` leads."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from support import multipart
from support.certificate import tls_variables
from support.condition import eventually
from support.process import ServerProcess
from support.tools import tool
from support.wire import Wire

MIB = 1024 * 1024
MULTIPART = {"Content-Type": multipart.CONTENT_TYPE}
APP = """
from slimeweb import Slime

app = Slime(__file__)

def save(req):
    file = req.file[0]
    where = req.form.get("directory")
    try:
        file.save(req.form["name"], where) if where else file.save(req.form["name"])
    except (OSError, ValueError) as error:
        return {"error": type(error).__name__, "still": len(file.read())}
    return {"read": len(file.read())}

@app.route("/plain", method="POST")
def plain(req, resp):
    return save(req)

@app.route("/coroutine", method="POST")
async def coroutine(req, resp):
    return save(req)

app.serve()
"""

version = pytest.mark.parametrize("version", ["1.1", "2"])
path = pytest.mark.parametrize("path", ["/plain", "/coroutine"])
sizes = pytest.mark.parametrize("size", [1000, 300_000])


@pytest.fixture(scope="module")
def script(tmp_path_factory: pytest.TempPathFactory) -> Path:
    script = tmp_path_factory.mktemp("store") / "main.py"
    script.write_text(APP)
    return script


@pytest.fixture(scope="module")
def tls(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    return tls_variables(tmp_path_factory.mktemp("tls"))


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("work")


@pytest.fixture(scope="module")
def server(script: Path, work: Path) -> Iterator[ServerProcess]:
    with ServerProcess(script, env={"SLIME_UPLOAD_DIR": str(work / "uploads")}, cwd=work) as server:
        yield server.wait_until_serving()


def form(size: int, **fields: str) -> bytes:
    parts = [multipart.field(name, value) for name, value in fields.items()]
    return multipart.body([*parts, multipart.file("f", "/etc/passwd", os.urandom(size))])


def files_below(directory: Path) -> list[Path]:
    return [each for each in directory.rglob("*") if each.is_file()]


# save


@path
@sizes
def test_save_takes_a_path_of_the_applications_choice(
    server: ServerProcess, work: Path, tmp_path: Path, path: str, size: int
) -> None:
    absolute = tmp_path / "kept.bin"
    assert server.ask(path, "POST", headers=MULTIPART, body=form(size, name=str(absolute))).json() == {"read": size}
    assert absolute.stat().st_size == size
    (work / "sub").mkdir(exist_ok=True)
    for name in ("sub/kept.bin", f"../{work.name}/up.bin"):
        assert server.ask(path, "POST", headers=MULTIPART, body=form(size, name=name)).json() == {"read": size}
        assert (work / name).stat().st_size == size


@path
@sizes
@pytest.mark.parametrize("name", ["../out.bin", "{elsewhere}/out.bin", "..", "a/../../out.bin", "link/out.bin"])
def test_a_name_does_not_lead_out_of_the_directory_that_is_given_beside_it(
    server: ServerProcess, tmp_path: Path, path: str, size: int, name: str
) -> None:
    directory = tmp_path / "kept"
    directory.mkdir()
    (directory / "link").symlink_to(tmp_path)
    body = form(size, name=name.format(elsewhere=tmp_path), directory=str(directory))
    answer = server.ask(path, "POST", headers=MULTIPART, body=body)
    assert answer.json() == {"error": "ValueError", "still": size}
    assert not files_below(tmp_path)


@sizes
@pytest.mark.parametrize(
    ("name", "error"), [("no/such/place", "FileNotFoundError"), ("", "ValueError"), ("taken", "IsADirectoryError")]
)
def test_a_save_that_fails_leaves_the_upload_and_nothing_else(
    server: ServerProcess, tmp_path: Path, size: int, name: str, error: str
) -> None:
    (tmp_path / "taken").mkdir()
    body = form(size, name=str(tmp_path / name) if name else "", directory="")
    answer = server.ask("/plain", "POST", headers=MULTIPART, body=body).json()
    assert answer == {"error": error, "still": size}
    assert not files_below(tmp_path)


# Failures of the disk


@pytest.fixture(scope="module")
def cramped(script: Path, tls: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """A server whose uploads go to a disk of 256 kB that nobody else sees."""
    disk = tmp_path_factory.mktemp("disk")
    is_root = os.geteuid() == 0
    namespace = [tool("unshare"), "--mount", *([] if is_root else ["--user", "--map-root-user"])]
    mount = f"mount -t tmpfs -o size=256k tmpfs {shlex.quote(str(disk))}"
    if subprocess.run([*namespace, "sh", "-c", mount], capture_output=True, check=False).returncode:
        pytest.skip("no file system can be mounted here")
    python = tmp_path_factory.mktemp("bin") / "python"
    inner = f'{mount} && exec {shlex.quote(sys.executable)} "$@"'
    python.write_text(f'#!/bin/sh\nexec {shlex.join([*namespace, "sh", "-c", inner, "sh"])} "$@"\n')
    python.chmod(0o755)
    env = {**tls, "SLIME_UPLOAD_DIR": str(disk)}
    with ServerProcess(script, env=env, python=python) as server:
        yield server.wait_until_serving()


@version
@path
def test_an_upload_that_finds_no_room_is_a_507_and_one_line_in_the_log(
    cramped: ServerProcess, version: str, path: str
) -> None:
    before = len(cramped.output)
    answer = cramped.ask(path, "POST", headers=MULTIPART, body=form(MIB, name="x"), version=version)
    assert answer.status == 507
    eventually(lambda: "OSError" in cramped.output[before:], what="the log says why")
    lines = [line for line in cramped.output[before:].splitlines() if "OSError" in line]
    assert len(lines) == 1
    assert f"ERROR slimeweb: POST {path}: 507" in lines[0]
    assert "OSError: No space left on device (os error 28)" in lines[0]
    # What was written of it has made room again.
    small = cramped.ask(path, "POST", headers=MULTIPART, body=form(200_000, name="/dev/null/x"), version=version)
    assert (small.status, small.json()["still"]) == (200, 200_000)


def test_uploads_that_cannot_be_stored_at_all_are_a_500_and_a_line_in_the_log(script: Path, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with ServerProcess(script, env={"SLIME_UPLOAD_DIR": str(tmp_path / "file" / "uploads")}) as server:
        server.wait_until_serving()
        answer = server.ask("/plain", "POST", headers=MULTIPART, body=form(MIB, name="x"))
        assert (answer.status, "uploads" in answer.text) == (500, False)
        server.wait_for_output(
            r"ERROR slimeweb: POST /plain: 500, an uploaded file could not be stored: OSError: .*os error"
        )


# Servers that are killed


def test_the_next_start_clears_what_a_killed_server_has_left_and_nothing_of_one_that_lives(
    script: Path, tmp_path: Path
) -> None:
    env = {"SLIME_UPLOAD_DIR": str(tmp_path)}
    part = multipart.file("f", "x", bytes(MIB))
    head = f"POST /plain HTTP/1.1\r\nHost: t\r\nContent-Type: {multipart.CONTENT_TYPE}\r\n"
    head += f"Content-Length: {2 * MIB}\r\n\r\n"

    def begin(server: ServerProcess, known: set[Path]) -> set[Path]:
        wire = server.wire()
        wire.send(head.encode() + part[:-2])
        eventually(lambda: bool(set(files_below(tmp_path)) - known), what="the half that came is on disk")
        wires.append(wire)
        return set(files_below(tmp_path)) - known

    wires: list[Wire] = []
    with ServerProcess(script, env=env) as living:
        living.wait_until_serving()
        kept = begin(living, set())
        with ServerProcess(script, env=env) as doomed:
            doomed.wait_until_serving()
            left = begin(doomed, kept)
            doomed.kill()
        assert left <= set(files_below(tmp_path))
        with ServerProcess(script, env=env) as next_one:
            next_one.wait_until_serving()
            assert set(files_below(tmp_path)) == kept
            assert len(list(tmp_path.iterdir())) == 1
        for wire in wires:
            wire.close()
