"""Applications with one plugin, and what its hooks are called with."""

from __future__ import annotations

import inspect
import os
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import wraps
from typing import Any

from slimeweb.app import Slime
from slimeweb.handlers import is_coroutine_function
from slimeweb.hookspecs import PROJECT

__all__ = ["HookCall", "HookRecorder", "plugin_app"]


def plugin_app(*plugins: object, file: str | os.PathLike[str] = "app.py") -> Slime:
    """An application with these plugins and no other: installed ones are left out. `file` is that of `Slime(file)`."""
    return Slime(file, plugins=plugins, installed=False)


@dataclass(frozen=True, slots=True)
class HookCall:
    """One call of a hook that has returned or raised: the hook's `name`, the `arguments` that the plugin asked for, its
    `result` or the `error` that it raised, and the `thread` that it ran on, by name.
    """

    name: str
    arguments: Mapping[str, Any]
    result: Any
    error: BaseException | None
    thread: str


class HookRecorder:
    """Takes a plugin's place in an application, and notes each call of its hooks in `calls`, once it has ended.

        recorder = HookRecorder(Greeting())
        app = plugin_app(recorder)
        assert recorder.names() == ["slime_app_members"]

    `plugin` is what `Slime(plugins=[…])` takes. Any number of threads may call its hooks.
    """

    def __init__(self, plugin: object) -> None:
        self.__name__ = getattr(plugin, "__name__", type(plugin).__name__)
        self.calls: list[HookCall] = []
        for name, hook in inspect.getmembers(plugin, callable):
            if hasattr(hook, f"{PROJECT}_impl") or hasattr(hook, f"{PROJECT}_spec"):
                setattr(self, name, self._recording(name, hook) if hasattr(hook, f"{PROJECT}_impl") else hook)

    def names(self) -> list[str]:
        """The hooks that have been called, one for each call."""
        return [call.name for call in self.calls]

    def of(self, name: str) -> list[HookCall]:
        """The calls of one hook."""
        return [call for call in self.calls if call.name == name]

    def _recording(self, name: str, hook: Callable[..., Any]) -> Callable[..., Any]:
        signature = inspect.signature(hook)

        def note(arguments: inspect.BoundArguments, result: Any, error: BaseException | None = None) -> None:
            self.calls.append(HookCall(name, arguments.arguments, result, error, threading.current_thread().name))

        @wraps(hook)
        def record(*positional: Any, **named: Any) -> Any:
            arguments = signature.bind(*positional, **named)
            try:
                result = hook(*positional, **named)
            except BaseException as error:
                note(arguments, None, error)
                raise
            note(arguments, result)
            return result

        @wraps(hook)
        async def record_async(*positional: Any, **named: Any) -> Any:
            arguments = signature.bind(*positional, **named)
            try:
                result = await hook(*positional, **named)
            except BaseException as error:
                note(arguments, None, error)
                raise
            note(arguments, result)
            return result

        return record_async if is_coroutine_function(hook) else record
