"""The hook implementations of slimeweb-stream."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeVar

from slimeweb import RouteKind, RouteOption, RouteSpec, Slime, hookimpl
from slimeweb.handlers import check_parentheses
from slimeweb.router import Declarations
from slimeweb.spelling import closest
from slimeweb.stopping import StopCallbacks
from slimeweb_stream.keep_alive_timer import KeepAliveTimer
from slimeweb_stream.route_kind import wrap

__all__ = ["StreamPlugin"]

H = TypeVar("H", bound=Callable[..., Any])


class StreamPlugin:
    """The plugin, one for each application."""

    def __init__(self) -> None:
        self._keep_alive_timer = KeepAliveTimer()
        self._stop_callbacks = StopCallbacks()

    @hookimpl
    def slime_route_options(self) -> Sequence[RouteOption]:
        """`route(stream="text/plain")`."""
        return [RouteOption("stream", default=None, validate=_content_type)]

    @hookimpl
    def slime_client_members(self) -> Mapping[str, Callable[..., Any]]:
        """`client.events(path)`."""
        # Only where there is a test.
        from slimeweb_stream.testing import events

        return {"events": events}

    @hookimpl
    def slime_declarations(self, on: Declarations) -> Mapping[str, Callable[..., Any]]:
        """`@app.stream(path, method, content)`, on routers too."""

        def stream(
            path: str = "/", method: str | Iterable[str] = "GET", content: str = "text/plain", **options: Any
        ) -> Callable[[H], H]:
            """Declares a route that streams its answer: `app.route` with `stream=content`."""
            check_parentheses("app.stream", path, 'app.stream(path="/")')
            for name in options:
                if name in ("content_type", "stream", "media_type", "mimetype") or closest(name, ["content"]):
                    raise TypeError(f"app.stream() has no option {name!r}: did you mean 'content'?")
            return on.route(path=path, method=method, **{**options, "stream": content})

        return {"stream": stream}

    @hookimpl
    def slime_route_kind(self, app: Slime, route: RouteSpec) -> RouteKind | None:
        """Routes with a `stream` option get a streaming response."""
        if route.options["stream"] is None:
            return None
        return RouteKind(
            "stream",
            lambda route, handler: wrap(route, handler, self._keep_alive_timer, self._stop_callbacks, dev=app.dev),
            takes_generators=True,
        )

    @hookimpl(optionalhook=True)
    def slime_docs_operation(self, route: RouteSpec) -> Mapping[str, Any] | None:
        """A document says of such a route which type its stream has."""
        content = route.options["stream"]
        if content is None:
            return None
        # A schema of an event stream would be one of its events, of which the option says nothing.
        media = {} if content.startswith("text/event-stream") else {"schema": {"type": "string"}}
        return {"responses": {"200": {"content": {content: media}}}}

    @hookimpl
    def slime_startup(self) -> None:
        """Lets event streams last, also where the application has been stopped before."""
        self._stop_callbacks.start()

    @hookimpl
    def slime_stopping(self, app: Slime) -> None:
        """Ends the event streams, which would not end by themselves."""
        self._stop_callbacks.stop(app, "stream")

    @hookimpl
    def slime_shutdown(self) -> None:
        """Ends the keep-alive of event streams."""
        self._keep_alive_timer.stop()


def _content_type(value: object) -> str:
    if not isinstance(value, str) or "/" not in value or not value.isprintable():
        raise ValueError(f"stream={value!r} has to be the stream's content type, such as stream='text/plain'")
    return value
