"""An application in a process of its own, as its users run it."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import IO, Protocol

from support.footprint import Footprint, footprint
from support.http2 import Http2, tls_to
from support.wire import Answer, Wire

__all__ = ["REPOSITORY", "TOUR", "ServerProcess", "StartTour"]

REPOSITORY = Path(__file__).resolve().parents[2]
TOUR = REPOSITORY / "examples" / "tour" / "main.py"
_SERVING = re.compile(
    r"serving on (?:(?P<scheme>https?)://(?P<host>[^\s:/]+|\[[^\]\s]+\]):(?P<port>\d+)|\S*unix:(?P<path>[^\s,]+))"
)


class ServerProcess:
    """Runs a Python file that calls `app.serve()`, and knows its address once it serves.

    `python` is the interpreter, this one by default. `version` is that of HTTP by which `ask` asks. `output` is
    everything the process has printed so far, standard error included.
    """

    def __init__(
        self,
        script: Path,
        *,
        env: Mapping[str, str] | None = None,
        arguments: Sequence[str] = (),
        cwd: Path | None = None,
        workers: int | None = 2,
        python: str | Path = sys.executable,
        version: str = "1.1",
    ) -> None:
        settings = {"SLIME_HOST": "127.0.0.1", "SLIME_PORT": "0", "PYTHONUNBUFFERED": "1"}
        if workers is not None:
            settings["SLIME_WORKER"] = str(workers)
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(("SLIME_", "TOUR_"))}
        self._process = subprocess.Popen(
            [str(python), str(script), *arguments],
            env={**inherited, **settings, **(env or {})},
            cwd=cwd,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
        )
        self._lines: list[str] = []
        self._news = threading.Condition()
        # Two pipes, so that a line of one is never cut by a line of the other.
        streams = (self._process.stdout, self._process.stderr)
        self._open = len(streams)
        self._readers = [
            threading.Thread(target=self._read, args=(stream,), name=f"output of {script.name}", daemon=True)
            for stream in streams
        ]
        for reader in self._readers:
            reader.start()
        self.version = version
        self.scheme = "http"
        self.host = "127.0.0.1"
        self.port = 0
        self.unix_path: str | None = None

    def _read(self, stream: IO[str]) -> None:
        with stream:
            for line in stream:
                with self._news:
                    self._lines.append(line)
                    self._news.notify_all()
        with self._news:
            self._open -= 1
            self._news.notify_all()

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def output(self) -> str:
        with self._news:
            return "".join(self._lines)

    def wait_for_output(self, pattern: str | re.Pattern[str], *, timeout: float = 30.0) -> re.Match[str]:
        """The first match in what has been or will be printed; AssertionError when the process ends without it."""
        compiled = re.compile(pattern)
        deadline = time.monotonic() + timeout
        with self._news:
            while True:
                match = compiled.search("".join(self._lines))
                if match:
                    return match
                left = deadline - time.monotonic()
                if not self._open or left <= 0:
                    reason = f"nothing within {timeout} s" if self._open else "the process ended"
                    raise AssertionError(f"no {compiled.pattern!r} in the output ({reason}):\n{''.join(self._lines)}")
                self._news.wait(left)

    def wait_until_serving(self, timeout: float = 30.0) -> ServerProcess:
        match = self.wait_for_output(_SERVING, timeout=timeout)
        if match["path"] is not None:
            self.unix_path = match["path"]
        else:
            self.scheme, self.host, self.port = match["scheme"], match["host"], int(match["port"])
        return self

    @property
    def url(self) -> str:
        return f"{self.scheme}://{self.host}:{self.port}"

    def footprint(self) -> Footprint:
        return footprint(self.pid)

    def wire(self, timeout: float = 15.0) -> Wire:
        """A new raw connection to the server."""
        if self.unix_path is not None:
            return Wire.unix(self.unix_path, timeout=timeout)
        if self.scheme == "https":
            return Wire(tls_to(self.host, self.port, ["http/1.1"], timeout=timeout))
        return Wire.tcp(self.host, self.port, timeout=timeout)

    def http2(self, *, timeout: float = 15.0, reads: bool = True, validate: bool = True) -> Http2:
        """A new HTTP/2 connection to a server with TLS."""
        return Http2.tls(self.host, self.port, timeout=timeout, reads=reads, validate=validate)

    def ask(
        self,
        target: str,
        method: str = "GET",
        *,
        headers: Mapping[str, str] | None = None,
        body: bytes = b"",
        timeout: float = 15.0,
        version: str | None = None,
    ) -> Answer:
        """One request over a connection of its own, by HTTP/`version`: "1.1", or "2" where the server has TLS."""
        if (version or self.version) == "2":
            with self.http2(timeout=timeout) as connection:
                return connection.ask(method, target, headers=headers, body=body)
        with self.wire(timeout) as wire:
            wire.request(method, target, headers=headers, body=body)
            return wire.answer(to=method)

    def send_signal(self, number: signal.Signals) -> None:
        self._process.send_signal(number)

    def wait(self, timeout: float = 30.0) -> int:
        """The exit code, once the process has ended and all its output is read."""
        code = self._process.wait(timeout)
        self._join(timeout)
        return code

    def stop(self, timeout: float = 30.0) -> int:
        """Asks the server to end as a service manager would. Killed when it does not, and then an AssertionError."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
        try:
            return self.wait(timeout)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"the server did not end within {timeout} s of SIGTERM:\n{self.output}") from None

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()
        self._join(30.0)

    def _join(self, timeout: float) -> None:
        for reader in self._readers:
            reader.join(timeout)

    def __enter__(self) -> ServerProcess:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process.poll() is None:
            self.stop()
        else:
            self._join(30.0)


class StartTour(Protocol):
    """Starts a tour of its own with settings such as `SLIME_POOL_THREADS="2"`."""

    def __call__(self, **env: str) -> ServerProcess: ...
