"""Rooms: connections that are sent the same messages."""

from __future__ import annotations

import threading
from collections.abc import Coroutine, Generator
from typing import Any, Literal
from weakref import WeakValueDictionary

from slimeweb_ws import _native
from slimeweb_ws.event_loop import is_on_event_loop, wait_for_room
from slimeweb_ws.response import WebSocketResponse, as_message

__all__ = ["Broadcast", "OverflowPolicy", "Room", "Rooms"]

OverflowPolicy = Literal["drop_oldest", "close", "block"]
"""What is done about a client that reads more slowly than its room is sent to."""

_QUEUE_SIZE = 1024 * 1024


class Broadcast(int):
    """How many clients a broadcast was queued for. On an event loop, `await` it to go on when it is queued for those as
    well that `policy="block"` waits for: that gives how many they are together.
    """

    _rest: Coroutine[Any, Any, int] | None = None

    def __await__(self) -> Generator[Any, Any, int]:
        if self._rest is None:
            return int(self)
        return (yield from self._rest.__await__())


class Room:
    """Connections that are sent the same messages. `app.room(name)` is the same one for the same name.

    A connection leaves by itself when it ends. All methods may be called from any thread.
    """

    __slots__ = ("_members", "_name")

    def __init__(self, name: str, members: _native.Room) -> None:
        self._name = name
        self._members = members

    @property
    def name(self) -> str:
        """Its name."""
        return self._name

    def join(self, resp: WebSocketResponse) -> bool:
        """Adds a connection, open or about to be. False when it has ended already."""
        return self._members.join(resp._connection)

    def leave(self, resp: WebSocketResponse) -> bool:
        """Removes a connection. False when it was not here."""
        return self._members.leave(resp._connection)

    def broadcast(
        self,
        data: Any,
        *,
        policy: OverflowPolicy = "drop_oldest",
        queue_size: int = _QUEUE_SIZE,
        exclude: WebSocketResponse | None = None,
    ) -> Broadcast:
        """Sends a message to every connection here but `exclude`; gives how many it was queued for.

        It is encoded once: text for `str`, binary for bytes, anything else as JSON. A client that does not read what
        it is sent has `queue_size` bytes waiting at most. Beyond that, `policy` says what becomes of it:

        - `"drop_oldest"`: the oldest broadcasts that wait for it are forgotten;
        - `"close"`: its connection is closed with 1013;
        - `"block"`: this call waits for it, after having sent to the others. On an event loop, `await` what this
          returns: without that it is not sent to such a client.

        `ValueError` for another policy.
        """
        message = as_message(data)
        excluded = None if exclude is None else exclude._connection
        if policy == "block" and is_on_event_loop():
            count, owed = self._members.offer(message, limit=queue_size, exclude=excluded)
            result = Broadcast(count)
            if owed:
                result._rest = _deliver(count, owed)
            return result
        return Broadcast(self._members.broadcast(message, policy=policy, limit=queue_size, exclude=excluded))

    def close(self, code: int = 1000, reason: str = "") -> int:
        """Closes every connection here; gives how many were open. `ValueError` as for `resp.close`."""
        return self._members.close_all(code, reason)

    def __len__(self) -> int:
        return len(self._members)

    def __bool__(self) -> bool:
        # An empty room is true as well.
        return True

    def __contains__(self, resp: object) -> bool:
        return isinstance(resp, WebSocketResponse) and resp._connection in self._members

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Room) and other._members is self._members

    def __hash__(self) -> int:
        return hash((Room, id(self._members)))

    def __repr__(self) -> str:
        return f"<Room {self._name!r}: {len(self)}>"


async def _deliver(count: int, owed: list[_native.Owed]) -> int:
    """Waits for one client after the other, each until it has room or is gone."""
    for one in owed:
        while (queued := one.offer()) is None:
            await wait_for_room(one.notify, one.forget)
        count += queued
    return count


class Rooms:
    """The rooms of an application, by name. A room without members and references is freed."""

    __slots__ = ("_lock", "_rooms")

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._rooms: WeakValueDictionary[str, _native.Room] = WeakValueDictionary()

    def named(self, name: str) -> Room:
        """The room of that name. `TypeError` for a name that is no `str`."""
        if not isinstance(name, str):
            raise TypeError(f"a room's name is a str, not {name!r}")
        with self._lock:
            members = self._rooms.get(name)
            if members is None:
                members = self._rooms[name] = _native.Room()
            return Room(name, members)
