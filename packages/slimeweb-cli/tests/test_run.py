"""`slime run` and its siblings, as processes: exit codes, signals, the GIL, and restarts."""

from __future__ import annotations

import signal
import subprocess
import sys
import sysconfig
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

FREE_THREADED = bool(sysconfig.get_config_var("Py_GIL_DISABLED"))
SLIME = [sys.executable, "-m", "slimeweb_cli"]
Started = Callable[..., AbstractContextManager[subprocess.Popen[str]]]

# Says that it is ready, then waits for a signal and takes its time to end well.
PATIENT = """
import os, signal, sys
reader, writer = os.pipe()
for number in (signal.SIGINT, signal.SIGTERM):
    signal.signal(number, lambda number, frame: os.write(writer, bytes([number])))
print("ready", __name__, flush=True)
# A signal that comes before this line has left its byte.
(number,) = os.read(reader, 1)
print("ended by", signal.Signals(number).name, flush=True)
sys.exit(0)
"""


def slime(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*SLIME, *arguments], cwd=cwd, capture_output=True, text=True, timeout=60, check=False)


def read_until(process: subprocess.Popen[str], text: str) -> list[str]:
    """Read the output up to the line that holds `text`. The test's own timeout bounds the wait."""
    assert process.stdout is not None
    lines = []
    for line in process.stdout:
        lines.append(line.rstrip("\n"))
        if text in line:
            return lines
    raise AssertionError(f"{text!r} never came: {lines}")


@pytest.mark.parametrize("command", ["run", "rung"])
@pytest.mark.parametrize("code", [0, 3])
def test_the_exit_code_is_the_applications(tmp_path: Path, command: str, code: int) -> None:
    (tmp_path / "main.py").write_text(f"import sys\nassert __name__ == '__main__'\nsys.exit({code})\n")
    assert slime(command, "main", cwd=tmp_path).returncode == code


def test_arguments_are_handed_on(tmp_path: Path) -> None:
    (tmp_path / "main.py").write_text("import sys\nprint(sys.argv[1:])\n")
    assert slime("rung", "main", "--port", "1", cwd=tmp_path).stdout == "['--port', '1']\n"


@pytest.mark.parametrize(("command", "gil"), [("run", not FREE_THREADED), ("rung", True)])
def test_the_gil_is_as_asked_where_there_is_a_choice(tmp_path: Path, command: str, gil: bool) -> None:
    (tmp_path / "main.py").write_text("import sys\nprint(getattr(sys, '_is_gil_enabled', lambda: True)())\n")
    done = slime(command, "main", cwd=tmp_path)
    assert done.returncode == 0
    assert done.stdout == f"{gil}\n"
    notice = done.stderr.count("built with the GIL: serving with it")
    assert notice == (1 if command == "run" and not FREE_THREADED else 0)
    assert done.stderr.count("\n") == notice


def test_a_gil_variable_from_outside_cannot_keep_the_interpreter_from_starting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "main.py").write_text("import os\nprint(os.environ.get('PYTHON_GIL'))\n")
    monkeypatch.setenv("PYTHON_GIL", "1")
    expected = {"run": "0\n", "rung": "1\n"} if FREE_THREADED else {"run": "None\n", "rung": "None\n"}
    assert {command: slime(command, "main", cwd=tmp_path).stdout for command in expected} == expected


def test_nothing_to_run_is_one_line_and_exit_code_2(tmp_path: Path) -> None:
    done = slime("run", "missing", cwd=tmp_path)
    assert done.returncode == 2
    assert done.stderr.startswith("slime: nothing to run for 'missing'")
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("command", ["rung", "rungw"])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_application_well(
    tmp_path: Path, started: Started, command: str, number: signal.Signals
) -> None:
    (tmp_path / "main.py").write_text(PATIENT)
    with started(command, "main", cwd=tmp_path) as process:
        read_until(process, "ready __main__")
        process.send_signal(number)
        read_until(process, f"ended by {number.name}")
        assert process.wait(30) == 0


def test_a_change_starts_the_application_anew(tmp_path: Path, started: Started) -> None:
    main = tmp_path / "main.py"
    main.write_text(PATIENT)
    with started("rungw", "main", cwd=tmp_path) as process:
        read_until(process, "ready")
        fresh = tmp_path / "main.tmp"
        fresh.write_text(PATIENT.replace("ready", "afresh"))
        fresh.replace(main)
        lines = read_until(process, "afresh")
        assert "ended by SIGTERM" in lines
        assert any("main.py changed" in line for line in lines)
        process.terminate()
        assert process.wait(30) == 0


def test_a_syntax_error_waits_for_the_next_save(tmp_path: Path, started: Started) -> None:
    main = tmp_path / "main.py"
    main.write_text("def broken(:\n")
    with started("rungw", "main", cwd=tmp_path) as process:
        lines = read_until(process, "waiting for a change")
        assert any("SyntaxError" in line for line in lines)
        main.write_text(PATIENT)
        read_until(process, "ready")
        process.terminate()
        assert process.wait(30) == 0


def test_a_signal_while_waiting_for_a_change_ends_the_watcher(tmp_path: Path, started: Started) -> None:
    (tmp_path / "main.py").write_text("raise SystemExit(5)\n")
    with started("rungw", "main", cwd=tmp_path) as process:
        read_until(process, "exit code 5: waiting for a change")
        process.terminate()
        assert process.wait(30) == 5


@pytest.mark.skipif(sys.platform != "linux", reason="prctl is Linux's")
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGHUP])
def test_the_application_ends_with_its_watcher(tmp_path: Path, started: Started, number: signal.Signals) -> None:
    (tmp_path / "main.py").write_text(PATIENT)
    with started("rungw", "main", cwd=tmp_path) as process:
        read_until(process, "ready __main__")
        process.send_signal(number)
        read_until(process, "ended by SIGTERM")
        assert process.wait(30) == (-number if number == signal.SIGKILL else 0)


def test_end_functions_run_before_a_restart_while_a_request_goes_on(tmp_path: Path, started: Started) -> None:
    main = tmp_path / "main.py"
    main.write_text(
        "import socket, threading, time\n"
        "from slimeweb import Slime\n"
        "app = Slime(__file__)\n"
        "@app.route('/')\ndef busy(req, resp):\n    print('busy', flush=True)\n    time.sleep(600)\n"
        "@app.end()\ndef end(error):\n    print('the end function ran', flush=True)\n"
        "with socket.socket() as probe:\n    probe.bind(('127.0.0.1', 0))\n    port = probe.getsockname()[1]\n"
        "def ask():\n"
        "    while True:\n"
        "        try:\n"
        "            client = socket.create_connection(('127.0.0.1', port))\n"
        "            break\n"
        "        except OSError:\n"
        "            time.sleep(0.05)\n"
        "    client.sendall(b'GET / HTTP/1.1\\r\\nHost: a\\r\\n\\r\\n')\n"
        "    client.recv(1)\n"
        "threading.Thread(target=ask, daemon=True).start()\n"
        "app.serve(host='127.0.0.1', port=port)\n"
    )
    with started("rungw", "main", cwd=tmp_path) as process:
        read_until(process, "busy")
        main.write_text(PATIENT)
        lines = read_until(process, "ready")
        assert "the end function ran" in lines
        assert not any("killing" in line for line in lines)
