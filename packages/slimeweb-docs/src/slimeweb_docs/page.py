"""The page at `/docs`: Swagger UI, from the files of a Python package and from nowhere else."""

from __future__ import annotations

import html
import re
from collections.abc import Callable
from importlib.resources import files
from pathlib import Path
from typing import Any

from slimeweb import RouteSpec, SlimeRequest, SlimeResponse
from slimeweb.errors import ConfigError

__all__ = ["ASSETS", "DOCUMENT", "PAGE", "Page", "assets_folder"]

PAGE = "/docs"
DOCUMENT = "/openapi.json"

ASSETS = {
    "swagger-ui.css": "text/css; charset=utf-8",
    "swagger-ui-bundle.js": "text/javascript; charset=utf-8",
    "favicon-32x32.png": "image/png",
}

# All addresses are relative, so that the page also works below a prefix that a proxy takes off.
_INDEX = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<link rel="icon" type="image/png" href="docs/favicon-32x32.png">
<link rel="stylesheet" href="docs/swagger-ui.css">
</head>
<body>
<div id="swagger-ui"></div>
<script src="docs/swagger-ui-bundle.js"></script>
<script src="docs/start.js"></script>
</body>
</html>
"""

# Without `validatorUrl: null` the page would ask a public validator about documents of public addresses.
# A proxy may have taken a prefix off the path, which operations then have as well as the page.
_START = """const prefix = new URL(".", location.href).pathname.slice(0, -1);
SwaggerUIBundle({
  url: "openapi.json",
  dom_id: "#swagger-ui",
  deepLinking: true,
  validatorUrl: null,
  requestInterceptor: (request) => {
    const url = new URL(request.url, location.href);
    if (prefix && !request.loadSpec && url.origin === location.origin) {
      url.pathname = prefix + url.pathname;
      request.url = url.href;
    }
    return request;
  },
  presets: [SwaggerUIBundle.presets.apis],
});
"""

# The browser itself refuses to ask anyone else. Swagger UI sets styles of elements, and its icons are data: addresses.
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "font-src 'self' data:; connect-src 'self'; form-action 'none'; base-uri 'none'; frame-ancestors 'self'"
)


class Page:
    """The page of one start: `routes` are its own, of what it loads, and of the document."""

    def __init__(self, title: str) -> None:
        """`ConfigError` when the files are not there."""
        folder = assets_folder()
        index = _INDEX.format(title=html.escape(title)).encode()
        self._document = b""
        self.routes = (
            RouteSpec.declare(PAGE, _text(lambda: index, "text/html; charset=utf-8"), blocking=False),
            RouteSpec.declare(DOCUMENT, _text(lambda: self._document, "application/json"), blocking=False),
            RouteSpec.declare(
                f"{PAGE}/start.js", _text(_START.encode, "text/javascript; charset=utf-8"), blocking=False
            ),
            *(RouteSpec.declare(f"{PAGE}/{name}", _file(folder / name, kind)) for name, kind in ASSETS.items()),
        )

    def show(self, document: str) -> None:
        """Sets the document. Called before there are requests."""
        self._document = document.encode()


def assets_folder() -> Path:
    """Where Swagger UI's files are. `ConfigError` when they are missing, or of a version that knows no OpenAPI 3.1."""
    try:
        vendor = Path(str(files("swagger_ui_bundle"))) / "vendor"
    except ModuleNotFoundError as error:
        raise ConfigError("the files of Swagger UI are missing: pip install swagger-ui-bundle-v2") from error
    versions = {_version(each): each for each in vendor.glob("swagger-ui-*")}
    newest = max(versions, default=())
    if newest < (5,):
        raise ConfigError(
            f"{vendor} has no Swagger UI 5, which OpenAPI 3.1 needs: pip uninstall swagger-ui-bundle, "
            "then pip install --force-reinstall swagger-ui-bundle-v2"
        )
    return versions[newest]


def _version(folder: Path) -> tuple[int, ...]:
    return tuple(int(number) for number in re.findall(r"\d+", folder.name))


def _text(body: Callable[[], bytes], kind: str) -> Callable[[SlimeRequest, SlimeResponse], Any]:
    def docs(req: SlimeRequest, resp: SlimeResponse) -> SlimeResponse:
        resp.set_header("Cache-Control", "no-cache")
        resp.set_header("Content-Security-Policy", _POLICY)
        resp.set_header("X-Content-Type-Options", "nosniff")
        return resp.bytes(body(), content_type=kind)

    return docs


def _file(path: Path, kind: str) -> Callable[[SlimeRequest, SlimeResponse], Any]:
    def docs(req: SlimeRequest, resp: SlimeResponse) -> SlimeResponse:
        resp.set_header("Cache-Control", "no-cache")
        resp.set_header("X-Content-Type-Options", "nosniff")
        return resp.file(path, content_type=kind)

    return docs
