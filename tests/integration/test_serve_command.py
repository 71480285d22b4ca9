"""`slime serve`: ASGI and WSGI applications as they are, by the installed command."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from support.extras import needs

SOURCE = """
async def asgi(scope, receive, send):
    if scope["type"] == "lifespan":
        await receive()
        print("the application starts", flush=True)
        await send({"type": "lifespan.startup.complete"})
        await receive()
        print("the application ends", flush=True)
        await send({"type": "lifespan.shutdown.complete"})
        return
    await send({"type": "http.response.start", "status": 200})
    await send({"type": "http.response.body", "body": scope["path"].encode()})


async def dies(scope, receive, send):
    if scope["type"] == "lifespan":
        await receive()
        await send({"type": "lifespan.startup.complete"})
        raise OSError("the pool is gone")


def wsgi(environ, start_response):
    start_response("200 OK", [])
    return [environ["PATH_INFO"].encode()]
"""


@pytest.mark.parametrize("kind", ["asgi", "wsgi"])
def test_an_application_is_served_until_it_is_told_to_stop(tmp_path: Path, kind: str) -> None:
    needs("slimeweb-asgi")
    (tmp_path / "shop.py").write_text(SOURCE)
    process = subprocess.Popen(
        [sys.executable, "-m", "slimeweb_cli", "serve", f"shop:{kind}", "--port", "0", "--workers", "2"],
        cwd=tmp_path,
        env={name: value for name, value in os.environ.items() if not name.startswith("SLIME_")},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    lines: list[str] = []
    try:
        assert process.stdout is not None
        for line in process.stdout:
            lines.append(line)
            if found := re.search(r"serving on (http://[\d.:]+)", line):
                break
        else:
            pytest.fail("".join(lines))
        with urllib.request.urlopen(f"{found[1]}/any/where", timeout=30) as answer:
            assert answer.read() == b"/any/where"
        process.send_signal(signal.SIGTERM)
        rest, _ = process.communicate(timeout=30)
    finally:
        process.kill()
        process.communicate()
    assert process.returncode == 0, rest
    if kind == "asgi":
        assert "the application starts" in "".join(lines)
        assert "the application ends" in rest


def test_a_lifespan_that_fails_while_it_is_served_is_exit_code_1_and_a_clear_line(tmp_path: Path) -> None:
    needs("slimeweb-asgi")
    (tmp_path / "shop.py").write_text(SOURCE)
    done = subprocess.run(
        [sys.executable, "-m", "slimeweb_cli", "serve", "shop:dies", "--port", "0"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    failed = (
        "the lifespan of the ASGI application at / has failed while it was being served: OSError('the pool is gone')"
    )
    assert done.returncode == 1
    assert f"{failed}: the server stops" in done.stderr
    assert done.stderr.splitlines()[-1] == f"RuntimeError: {failed}"


def test_a_target_that_is_not_there_is_one_line(tmp_path: Path) -> None:
    needs("slimeweb-asgi")
    done = subprocess.run(
        [sys.executable, "-m", "slimeweb_cli", "serve", "shop:app"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 2
    assert done.stderr.startswith("slime serve: there is no shop.py and no module 'shop' in ")
    assert len(done.stderr.splitlines()) == 1
