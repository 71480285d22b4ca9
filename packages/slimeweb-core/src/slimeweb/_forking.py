"""Forked children: they give up the server's sockets. Its threads stay in the parent."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import stat
import sys
import threading
import traceback
import weakref
from collections.abc import Callable, Sequence, Set
from types import MethodType
from typing import NoReturn

__all__ = ["close_sockets", "end_child", "in_children"]


def in_children(forget: Callable[[], None], signals: Set[signal.Signals] = frozenset()) -> None:
    """Calls a bound method in every child that this process forks from Python (`os.fork`, `multiprocessing`,
    `subprocess` with a `preexec_fn`), for as long as its object lives.

    None of `signals` reaches the child before that: its parent may send one as soon as there is a child.
    """
    if not hasattr(os, "register_at_fork") or not isinstance(forget, MethodType):
        return
    reference = weakref.WeakMethod(forget)
    masks: dict[int, set[signal.Signals | int]] = {}

    def hold_back() -> None:
        if signals and reference() is not None:
            masks[threading.get_ident()] = signal.pthread_sigmask(signal.SIG_BLOCK, signals)

    def let_through() -> None:
        mask = masks.pop(threading.get_ident(), None)
        if mask is not None:
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)

    def after_in_child() -> None:
        try:
            if (method := reference()) is not None:
                method()
        finally:
            let_through()

    os.register_at_fork(before=hold_back, after_in_parent=let_through, after_in_child=after_in_child)


def close_sockets(addresses: Sequence[str]) -> None:
    """Closes the listening sockets at `addresses` (`127.0.0.1:80`, `unix:/path`) and of all connections to them.

    The descriptors stay taken, by the null device: objects of the parent's that still hold their numbers must not
    close what somebody else gets in their place.
    """
    paths = {address.removeprefix("unix:") for address in addresses if address.startswith("unix:")}
    ports = {int(address.rpartition(":")[2]) for address in addresses if not address.startswith("unix:")}
    null = os.open(os.devnull, os.O_RDWR)
    try:
        for fd in _descriptors():
            if _is_served(fd, ports, paths):
                os.dup2(null, fd, inheritable=False)
    finally:
        os.close(null)


def end_child(error: BaseException | None = None) -> NoReturn:
    """Ends a forked child that has come back from what forked it, with the exit code that a program would have."""
    code = 0
    if isinstance(error, SystemExit):
        code = error.code if isinstance(error.code, int) else int(error.code is not None)
    elif error is not None:
        traceback.print_exception(error)
        code = 1
    for file in (sys.stdout, sys.stderr):
        with contextlib.suppress(AttributeError, OSError, ValueError):
            file.flush()
    # Nothing of the server's is to be run here: it lives on in the parent.
    os._exit(code)


def _descriptors() -> list[int]:
    for folder in ("/proc/self/fd", "/dev/fd"):
        try:
            return [int(name) for name in os.listdir(folder)]
        except OSError:
            continue
    return []


def _is_served(fd: int, ports: set[int], paths: set[str]) -> bool:
    try:
        if not stat.S_ISSOCK(os.fstat(fd).st_mode):
            return False
        file = socket.socket(fileno=fd)
    except OSError:
        # Gone, as the descriptor is that the list was read through.
        return False
    try:
        if file.type != socket.SOCK_STREAM:
            return False
        name = file.getsockname()
        if file.family in (socket.AF_INET, socket.AF_INET6):
            return name[1] in ports
        return bool(name) and name in paths
    except OSError:
        return False
    finally:
        file.detach()
