"""The hook implementations of slimeweb-asgi."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from slimeweb import RouteSpec, Slime, hookimpl
from slimeweb.commands import Commands
from slimeweb_asgi.command import add_serve
from slimeweb_asgi.mounts import Mounts

__all__ = ["MountPlugin"]


class MountPlugin:
    """The plugin, one for each application."""

    def __init__(self) -> None:
        self._mounts: Mounts | None = None

    @hookimpl
    def slime_app_members(self, app: Slime) -> Mapping[str, Any]:
        """`app.mount(path, asgi=…)`, `app.mount(path, wsgi=…)`."""
        self._mounts = Mounts(app)
        return {"mount": self._mounts.add}

    @hookimpl
    def slime_routes(self) -> Sequence[RouteSpec]:
        """What answers at the paths of the mounts, where no other route does."""
        return [] if self._mounts is None else self._mounts.routes()

    @hookimpl(optionalhook=True)
    def slime_docs_hides(self, route: RouteSpec) -> bool:
        """What answers below a mount, only the mounted application knows."""
        return self._mounts is not None and any(route.handler is own.handler for own in self._mounts.routes())

    @hookimpl
    def slime_startup(self) -> None:
        """Lets WebSockets last, also where the application has been stopped before."""
        if self._mounts is not None:
            self._mounts.stop_callbacks.start()

    @hookimpl
    def slime_stopping(self, app: Slime) -> None:
        """Closes the WebSockets, which would not end by themselves."""
        if self._mounts is not None:
            self._mounts.stop_callbacks.stop(app)

    @hookimpl
    async def slime_shutdown(self) -> None:
        """Ends the lifespans, as long as plugins may take to end."""
        if self._mounts is not None:
            await self._mounts.end()

    @hookimpl
    def slime_cli(self, commands: Commands) -> None:
        """`slime serve MODULE:APPLICATION`."""
        add_serve(commands)
