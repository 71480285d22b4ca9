"""A client for tests: the same server as in production, on a port of its own, in this process; tests of plugins."""

from __future__ import annotations

from slimeweb.testing._asynchronous import AsyncTestClient
from slimeweb.testing._client import TestClient, TooManyRedirects
from slimeweb.testing._plugins import HookCall, HookRecorder, plugin_app
from slimeweb.testing._response import TestResponse
from slimeweb.testing._stream import TestStream, TestUpgrade

__all__ = [
    "AsyncTestClient",
    "HookCall",
    "HookRecorder",
    "TestClient",
    "TestResponse",
    "TestStream",
    "TestUpgrade",
    "TooManyRedirects",
    "plugin_app",
]
