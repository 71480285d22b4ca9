"""Documentation, templates and compression: names that plugins add to applications, requests and `slimeweb`."""

from __future__ import annotations

from typing import assert_type

import slimeweb
from slimeweb import (
    BodySchema,
    Compress,
    QuerySchema,
    Slime,
    SlimeCompression,
    SlimeRequest,
    SlimeResponse,
    SlimeResponseType,
    SlimeSchema,
)
from slimeweb_docs.declaration import Docs
from slimeweb_templates.templates import Templates

app = Slime(__file__)
app.use(Compress(SlimeCompression.Brotli, level=4))

app.mount("/old", asgi=object())
assert_type(app.docs, Docs)
assert_type(app.templates, Templates)


@app.templates.filter()
def shout(text: str) -> str:
    return text.upper()


@app.docs(title="Home", response_type=SlimeResponseType.JsonResponse, schema=SlimeSchema())
@app.route(path="/", compression=SlimeCompression.Gzip, comp_level=6, comp_threshold=512)
def home(req: SlimeRequest, resp: SlimeResponse) -> str:
    assert_type(req.render("home.html"), str)
    req.render(1)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    return req.render("home.html", {"title": "Home"}, user="Ada")


app.mount("/old", agsi=object())  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
app.docs(titel="Home")  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
app.route(path="/", compression="gzip")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
app.serve(docs=False)
app.serve(docs="no")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
slimeweb.Compres  # type: ignore[attr-defined]  # pyright: ignore[reportAttributeAccessIssue]
del BodySchema, QuerySchema
