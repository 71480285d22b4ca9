"""Data that all requests of an application share."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from typing import Any

__all__ = ["State"]


class State:
    """A dictionary whose every operation is atomic, whatever thread it is called on.

        app.serve(app_state={"visits": 0})
        …
        req.state.incr("visits")
        req.state.update("names", lambda names: [*names, "Ada"])

    What is stored is not copied: a list that two requests append to is still the caller's to guard, `update` is the
    way.
    """

    __slots__ = ("_lock", "_values")

    def __init__(self, values: Mapping[str, Any] | None = None) -> None:
        self._values: dict[str, Any] = dict(values or {})
        # Reentrant, so that the function given to `update` may use the state itself.
        self._lock = threading.RLock()

    def get(self, key: str, default: Any = None) -> Any:
        """The value of `key`, or `default`."""
        with self._lock:
            return self._values.get(key, default)

    def __getitem__(self, key: str) -> Any:
        with self._lock:
            return self._values[key]

    def __setitem__(self, key: str, value: Any) -> None:
        with self._lock:
            self._values[key] = value

    def __delitem__(self, key: str) -> None:
        with self._lock:
            del self._values[key]

    def __contains__(self, key: object) -> bool:
        with self._lock:
            return key in self._values

    def __len__(self) -> int:
        with self._lock:
            return len(self._values)

    def __iter__(self) -> Iterator[str]:
        """The keys as they are now: a later change does not disturb the loop."""
        return iter(self.snapshot())

    def update(self, key: str, change: Callable[[Any], Any]) -> Any:
        """Replaces the value of `key` by what `change` makes of it (of `None` when there is none) and returns that.

        No other thread sees or changes the state meanwhile, so keep `change` short. When it raises, nothing has
        changed.
        """
        with self._lock:
            value = change(self._values.get(key))
            self._values[key] = value
            return value

    def incr(self, key: str, by: int | float = 1) -> Any:
        """Adds `by` to the number at `key`, 0 when there is none, and returns the sum."""
        with self._lock:
            value = self._values.get(key, 0) + by
            self._values[key] = value
            return value

    def setdefault(self, key: str, default: Any = None) -> Any:
        """The value of `key`, which becomes `default` when there is none."""
        with self._lock:
            return self._values.setdefault(key, default)

    def pop(self, key: str, default: Any = None) -> Any:
        """Removes `key` and returns its value, or `default`."""
        with self._lock:
            return self._values.pop(key, default)

    def merge(self, values: Mapping[str, Any]) -> None:
        """Sets several values at once."""
        with self._lock:
            self._values.update(values)

    def snapshot(self) -> dict[str, Any]:
        """A copy of everything, as it is at one moment."""
        with self._lock:
            return dict(self._values)

    def __repr__(self) -> str:
        return f"State({self.snapshot()!r})"
