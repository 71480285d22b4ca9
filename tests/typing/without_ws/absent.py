"""One plugin is not installed: its names are errors, those of the others are not."""

from __future__ import annotations

from typing import assert_type

from slimeweb import Slime, SlimeCompression
from slimeweb_templates.templates import Templates

app = Slime(__file__)
app.websocket  # type: ignore[attr-defined]  # pyright: ignore[reportAttributeAccessIssue]
app.route(path="/", ws=True)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
app.route(path="/", compression=SlimeCompression.Gzip)
assert_type(app.templates, Templates)
