"""Errors of objects that belong to another event loop: which object it is, and what to do."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from traceback import walk_tb
from types import FrameType

__all__ = ["note_foreign_loop"]

_MESSAGES = ("attached to a different loop", "is bound to a different event loop")
"""What `asyncio` says."""

_BUSY = "another operation is in progress"
"""What drivers of databases say that are used by two loops at once, or by two tasks of one."""


def note_foreign_loop(error: BaseException) -> None:
    """Adds a note to an error that is about another event loop, or comes from one: which object of the application it
    is, as far as the frames show, and that `@app.resource` makes one for each loop.
    """
    seen: set[int] = set()
    # A cause's own begin where it was caught; those before are the outer error's.
    frames: list[FrameType] = []
    each: BaseException | None = error
    while each is not None and id(each) not in seen:
        seen.add(id(each))
        frames += [frame for frame, _ in walk_tb(each.__traceback__)]
        text = str(each)
        is_certain = isinstance(each, RuntimeError) and any(message in text for message in _MESSAGES)
        if is_certain or _BUSY in text:
            found = _object_of(frames)
            if is_certain or found:
                what = found or "something that has been awaited"
                note = f"{what} belongs to another event loop: each worker has one. Make it with @app.resource()."
                if note not in getattr(error, "__notes__", ()):
                    error.add_note(note)
                return
        each = each.__cause__ or each.__context__


def _object_of(frames: Sequence[FrameType]) -> str | None:
    """The outermost object that is, or holds, something of another loop: one that a module has before one that a
    function has.
    """
    here = asyncio._get_running_loop()
    in_use = {id(frame.f_locals.get("self")) for frame in frames if "self" in frame.f_locals}
    foreign = [frame for frame in frames if any(_is_foreign(value, here) for value in frame.f_locals.values())]
    for frame in frames:
        for name, value in _globals_of(frame):
            if _is_foreign(value, here) or (foreign and id(value) in in_use and type(value).__name__ != "Slime"):
                return _described(name, value, frame)
    for frame in foreign:
        for name, value in frame.f_locals.items():
            if _is_foreign(value, here):
                return _described(name, value, frame)
    return None


def _globals_of(frame: FrameType) -> Iterator[tuple[str, object]]:
    for name in frame.f_code.co_names:
        if name in frame.f_globals:
            yield name, frame.f_globals[name]


def _is_foreign(value: object, here: asyncio.AbstractEventLoop | None) -> bool:
    # An instance's own: asking objects for attributes that they do not have may run any code.
    try:
        loop = object.__getattribute__(value, "_loop")
    except Exception:
        return False
    return isinstance(loop, asyncio.AbstractEventLoop) and loop is not here


def _described(name: str, value: object, frame: FrameType) -> str:
    kind = f"{type(value).__module__}.{type(value).__qualname__}"
    return f"`{name}` ({kind}, in {frame.f_code.co_filename}:{frame.f_lineno})"
