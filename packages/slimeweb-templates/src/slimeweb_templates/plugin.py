"""The hook implementations of slimeweb-templates."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from slimeweb import Slime, SlimeRequest, hookimpl
from slimeweb_templates.templates import Templates

__all__ = ["TemplatesPlugin"]


class TemplatesPlugin:
    """The plugin, one for each application."""

    def __init__(self) -> None:
        self._templates: Templates

    @hookimpl
    def slime_app_members(self, app: Slime) -> Mapping[str, Any]:
        """`app.templates`."""
        self._templates = Templates(app.root / "templates")
        self._templates.globals["url_for"] = app.url_for
        return {"templates": self._templates}

    @hookimpl
    def slime_request_members(self, app: Slime) -> Mapping[str, Callable[..., Any]]:
        """`req.render(name, …)`."""
        templates = self._templates

        def render(req: SlimeRequest, name: str, context: Mapping[str, Any] | None = None, /, **names: Any) -> str:
            """A template's text with these names filled in. `req` and its `url_for` are among them, unless something
            else is called so.
            """
            own = {"req": req, "url_for": req.url_for}
            # `render` checks the context.
            values = {**own, **context} if isinstance(context, Mapping) else context
            return templates.render(name, own if values is None else values, **names)

        # What Python calls it where arguments are missing.
        render.__qualname__ = "req.render"
        return {"render": render}

    @hookimpl
    def slime_startup(self, app: Slime) -> None:
        """Templates follow their files in dev mode."""
        self._templates.reload(app.dev)
