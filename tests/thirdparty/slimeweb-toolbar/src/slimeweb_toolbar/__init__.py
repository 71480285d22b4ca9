"""A panel in HTML pages while an application is developed (`serve(dev=True)`): route, time, status and headers."""

from __future__ import annotations

import html
from collections.abc import Iterable, Sequence
from time import perf_counter

from slimeweb import RouteSpec, Slime, SlimeMiddleware, SlimeRequest, SlimeResponse, hookimpl
from slimeweb.body_filter import BodyEncoder, BodyFilter
from slimeweb.header import split_parameters

__all__ = ["Toolbar"]


class Toolbar:
    """The plugin. Outside of development it adds nothing to any route."""

    @hookimpl
    def slime_app_middleware(self, app: Slime) -> Sequence[SlimeMiddleware]:
        """Notes when a request arrives."""
        return [_Clock()] if app.dev else []

    @hookimpl
    def slime_body_filter(self, app: Slime, route: RouteSpec) -> BodyFilter | None:
        """Puts the panel into the route's pages."""
        return _Pages(route) if app.dev else None


class _Clock(SlimeMiddleware):
    def middle_before(self, req: SlimeRequest, resp: SlimeResponse) -> None:
        req.toolbar_start = perf_counter()


class _Pages:
    stage = "content"

    def __init__(self, route: RouteSpec) -> None:
        self._route = route

    def begin(self, request: SlimeRequest, response: SlimeResponse, length: int | None) -> BodyEncoder | None:
        kind, parameters = split_parameters(response.content_type)
        # The panel is written in ASCII, which pages in UTF-16 do not contain.
        if kind.lower() != "text/html" or (dict(parameters).get("charset") or "utf-8").lower().startswith(
            ("utf-16", "utf-32")
        ):
            return None
        milliseconds = (perf_counter() - request.toolbar_start) * 1000
        return _Panel(
            f"<summary>{html.escape(request.method)} {html.escape(self._route.path)} → {response.status}, "
            f"{milliseconds:.1f} ms</summary><p>{html.escape(self._route.name)}</p>"
            f"{_table('Request', request.header.items())}{_table('Response', response.headers.items())}"
        )


class _Panel:
    """Goes in front of `</body>`, or to the end of a page that has none, or has it in two pieces."""

    def __init__(self, content: str) -> None:
        panel = f'<details id="slime-toolbar">{content}</details>'
        self._panel = panel.encode("ascii", "xmlcharrefreplace")

    def push(self, data: bytes) -> bytes:
        place = data.lower().rfind(b"</body>") if self._panel else -1
        if place < 0:
            return data
        return data[:place] + self.finish() + data[place:]

    def flush(self) -> bytes:
        return b""

    def finish(self) -> bytes:
        panel, self._panel = self._panel, b""
        return panel


def _table(title: str, fields: Iterable[tuple[str, str]]) -> str:
    rows = "".join(f"<tr><th>{html.escape(name)}</th><td>{html.escape(value)}</td></tr>" for name, value in fields)
    return f"<table><caption>{title}</caption>{rows}</table>"
