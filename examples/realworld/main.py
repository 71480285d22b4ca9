"""Conduit, the blogging API of the RealWorld specification: `slime run main`."""

from __future__ import annotations

from conduit import resources
from conduit.articles import articles, tags
from conduit.users import profiles, users

from slimeweb import HttpError, Router, Slime, SlimeRequest, SlimeResponse
from slimeweb.errors import ValidationFailed
from slimeweb.plugin import Cors

app = Slime(__file__)

app.resource(scope="app")(resources.database)
for each in (resources.session, resources.reader, resources.user):
    app.resource(scope="request")(each)

api = Router("/api")
for router in (users, profiles, articles, tags):
    api.include(router)
app.include(api)
app.use(Cors())


@app.error(HttpError)
def refuse(req: SlimeRequest, resp: SlimeResponse, error: HttpError) -> None:
    """Errors as the specification has them."""
    detail = error.detail if isinstance(error.detail, dict) else {"request": [error.detail]}
    resp.json({"errors": detail}, status=error.status)


@app.error(ValidationFailed)
def invalid(req: SlimeRequest, resp: SlimeResponse, error: ValidationFailed) -> None:
    """What does not fit, by the field's name."""
    found: dict[str, list[str]] = {}
    for each in error.errors:
        name = str(each["loc"][-1]) if each["loc"] else each["in"]
        found.setdefault(name, []).append(each["detail"])
    resp.json({"errors": found}, status=422)


if __name__ == "__main__":
    app.serve()
