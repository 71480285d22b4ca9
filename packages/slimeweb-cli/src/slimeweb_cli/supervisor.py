"""A child process that is started anew when files change."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from types import FrameType
from typing import Final

from slimeweb_cli.watch import Tree

__all__ = ["Supervisor"]

# Seconds between two looks at the files, and what a child gets to end after the time for its requests.
INTERVAL: Final = 0.25
GRACE: Final = 5.0

# The time for its requests, in seconds, where nothing else is set: a restart is waited for.
SHUTDOWN_GRACE: Final = "2"

SIGNALS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

# prctl(2): the signal that a process gets when its parent ends.
PR_SET_PDEATHSIG: Final = 1


class Supervisor:
    """Keeps one child running: starts it anew on a change, and waits for the next change when it has ended.

    SIGINT, SIGTERM and SIGHUP end both, and the child's exit code becomes the command's.
    """

    def __init__(self, command: tuple[str, ...], environment: dict[str, str], tree: Tree) -> None:
        self._command = command
        self._environment = {"SLIME_SHUTDOWN_GRACE": SHUTDOWN_GRACE, **environment}
        self._tree = tree
        self._child: subprocess.Popen[bytes] | None = None
        self._stopping = False

    def run(self) -> int:
        """Run until a signal ends it; give the exit code of the last child."""
        before = {number: signal.signal(number, self._on_signal) for number in SIGNALS}
        try:
            while (code := self._serve()) is None:
                pass
            return code
        finally:
            self._end()
            for number, handler in before.items():
                signal.signal(number, handler)

    def _serve(self) -> int | None:
        """Run one child; give its exit code, or None when the files changed and the next one is due."""
        # The child ends with the watcher, also when that is killed, so that the port is free.
        self._child = child = subprocess.Popen(
            self._command, env=self._environment, preexec_fn=death_signal(os.getpid())
        )
        if self._stopping:
            child.terminate()
        told = False
        while True:
            code = ended(child, INTERVAL)
            if code is not None:
                if self._stopping:
                    return exit_code(code)
                if not told:
                    told = True
                    how = f" with exit code {exit_code(code)}" if code else ""
                    say(f"the application ended{how}: waiting for a change")
                time.sleep(INTERVAL)
            changed = [] if self._stopping else self._tree.changed()
            if changed:
                names = ", ".join(str(path.relative_to(self._tree.root)) for path in changed[:3])
                say(f"{names}{' and more' if len(changed) > 3 else ''} changed: starting anew")
                self._end()
                return None

    def _end(self) -> None:
        """End the child: SIGTERM, then SIGKILL where it has not ended within its shutdown grace and `GRACE` seconds
        more.
        """
        child = self._child
        if child is None or child.poll() is not None:
            return
        child.terminate()
        patience = GRACE + seconds(self._environment["SLIME_SHUTDOWN_GRACE"])
        if ended(child, patience) is None:
            say(f"the application did not end within {patience:g} s: killing it")
            child.kill()
            child.wait()

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        first, self._stopping = not self._stopping, True
        child = self._child
        # A terminal's Ctrl-C reaches the child as well; sent twice, it would cut the child's shutdown short.
        from_terminal = number == signal.SIGINT and first and in_foreground()
        if child is not None and child.returncode is None and not from_terminal:
            # The application gets SIGTERM for SIGHUP, as from a service manager.
            child.send_signal(signal.SIGTERM if number == signal.SIGHUP else number)


def death_signal(parent: int) -> Callable[[], None] | None:
    """Give what makes a child get SIGTERM when `parent` ends; None where the system has nothing like it."""
    if sys.platform != "linux":
        return None
    prctl = ctypes.CDLL(None).prctl

    def ask() -> None:
        prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != parent:
            os._exit(128 + signal.SIGTERM)

    return ask


def in_foreground() -> bool:
    """Say whether this process group is the one that its terminal sends Ctrl-C to."""
    try:
        return os.tcgetpgrp(0) == os.getpgrp()
    except OSError:
        return False


def seconds(text: str) -> float:
    """Give the number in `text`; what is none is for the application to refuse."""
    try:
        return max(0.0, min(float(text), 3600.0))
    except ValueError:
        return 0.0


def ended(child: subprocess.Popen[bytes], seconds: float) -> int | None:
    """Wait at most `seconds` for the child to end; give its return code, None while it runs."""
    try:
        return child.wait(seconds)
    except subprocess.TimeoutExpired:
        return None


def exit_code(code: int) -> int:
    """Give the exit code that a shell would report: 128 + N for a process that signal N ended."""
    return 128 - code if code < 0 else code


def say(text: str) -> None:
    print(f"slime: {text}", file=sys.stderr, flush=True)
