"""Names of plugins that are not installed are errors, and nothing becomes `Any` for that."""

from __future__ import annotations

import slimeweb
from slimeweb import Router, Slime, SlimeRequest, SlimeResponse

app = Slime(__file__)
app.websocket  # type: ignore[attr-defined]  # pyright: ignore[reportAttributeAccessIssue]
app.room  # type: ignore[attr-defined]  # pyright: ignore[reportAttributeAccessIssue]
app.stream  # type: ignore[attr-defined]  # pyright: ignore[reportAttributeAccessIssue]
app.docs  # type: ignore[attr-defined]  # pyright: ignore[reportAttributeAccessIssue]
app.templates  # type: ignore[attr-defined]  # pyright: ignore[reportAttributeAccessIssue]
app.mount  # type: ignore[attr-defined]  # pyright: ignore[reportAttributeAccessIssue]
Router().stream  # type: ignore[attr-defined]  # pyright: ignore[reportAttributeAccessIssue]
app.nonsense  # type: ignore[attr-defined]  # pyright: ignore[reportAttributeAccessIssue]
app.route(path="/", ws=True)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
app.route(path="/", stream="text/plain")  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
app.route(path="/", comp_level=1)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
app.serve(docs=True)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
slimeweb.Compress  # type: ignore[attr-defined]  # pyright: ignore[reportAttributeAccessIssue]
slimeweb.Query  # type: ignore[attr-defined]  # pyright: ignore[reportAttributeAccessIssue]


@app.route(path="/wrong")  # type: ignore[type-var]  # pyright: ignore[reportArgumentType]
def one_argument(req: SlimeRequest) -> None: ...


@app.route(path="/wrong")  # type: ignore[type-var]  # pyright: ignore[reportArgumentType]
def exchanged(resp: SlimeResponse, req: SlimeRequest) -> None: ...
