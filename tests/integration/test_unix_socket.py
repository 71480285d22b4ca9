"""Serving on a Unix socket."""

from __future__ import annotations

import subprocess
from pathlib import Path

from support.process import TOUR, ServerProcess, StartTour
from support.tools import tool


def test_curl_over_a_unix_socket(start_tour: StartTour, tmp_path: Path) -> None:
    path = tmp_path / "tour.sock"
    server = start_tour(SLIME_UNIX_SOCKET=str(path))
    assert server.unix_path == str(path)
    command = [tool("curl"), "--silent", "--max-time", "10", "--unix-socket", str(path), "http://localhost/greeting"]
    assert subprocess.run(command, capture_output=True, timeout=20, check=True).stdout == b"<h1>Hello from Slime</h1>"
    assert server.ask("/whoami").status == 200
    assert server.stop() == 0
    assert not path.exists(), "the socket file goes with its server"


def test_a_stale_socket_file_is_replaced_and_a_living_one_is_not(start_tour: StartTour, tmp_path: Path) -> None:
    path = tmp_path / "tour.sock"
    first = start_tour(SLIME_UNIX_SOCKET=str(path))
    with ServerProcess(TOUR, env={"SLIME_UNIX_SOCKET": str(path)}) as second:
        assert second.wait() == 1
        assert str(path) in second.output
        assert "Traceback" not in second.output
    assert first.ask("/ping").text == "pong", "the first one still has its socket"
    first.kill()
    assert path.exists(), "a killed server cannot clean up"
    third = start_tour(SLIME_UNIX_SOCKET=str(path))
    assert third.ask("/ping").text == "pong"


def test_a_file_that_is_no_socket_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "precious.txt"
    path.write_text("precious")
    with ServerProcess(TOUR, env={"SLIME_UNIX_SOCKET": str(path)}) as server:
        assert server.wait() == 1
        assert "Traceback" not in server.output
    assert path.read_text() == "precious"


def test_the_socket_has_the_mode_of_the_setting(start_tour: StartTour, tmp_path: Path) -> None:
    path = tmp_path / "socket"
    start_tour(SLIME_UNIX_SOCKET=str(path), SLIME_UNIX_SOCKET_MODE="606")
    assert path.stat().st_mode & 0o777 == 0o606
