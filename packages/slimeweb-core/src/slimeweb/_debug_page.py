"""What a developer sees of an unexpected error, in dev mode only."""

from __future__ import annotations

import traceback
from html import escape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from slimeweb._core import SlimeRequest

__all__ = ["debug_page"]

_PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>{title}</title>
<style>
body {{ font: 16px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 70rem; padding: 0 1rem; }}
h1 {{ font-size: 1.4rem; }}
pre {{ background: #f4f4f2; border-left: 4px solid #b3261e; overflow: auto; padding: 1rem; }}
p {{ color: #555; }}
</style>
<h1>{title}</h1>
<p>{request}</p>
<pre>{trace}</pre>
<p>This page is shown because the server runs with dev=True. Without it, the client sees a short text only.</p>
</html>
"""


def debug_page(req: SlimeRequest, exc: BaseException) -> tuple[str, str]:
    """The error with its traceback, as plain text and as an HTML page."""
    title = "".join(traceback.format_exception_only(exc)).strip()
    request = f"{req.method} {req.path} (request {req.id})"
    trace = "".join(traceback.format_exception(exc))
    return f"{request}\n\n{trace}", _PAGE.format(title=escape(title), request=escape(request), trace=escape(trace))
