"""The page at /docs, used as people use it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from slimeweb import Slime
from slimeweb.testing import TestClient
from support.extras import needs

if TYPE_CHECKING:
    from browser.conftest import Browser

STATUS = ".live-responses-table .response .response-col_status"


class Pet:
    name: str
    age: int


def pet_shop() -> tuple[Slime, list[Any]]:
    """An application with two documented routes, and the list of what it was sent."""
    from slimeweb import BodySchema, QuerySchema, SlimeResponseType, SlimeSchema

    app = Slime(__file__)
    seen: list[Any] = []

    @app.docs(title="one pet", schema=SlimeSchema(query=[QuerySchema(name="fields", type=str, required=False)]))
    @app.route("/pets/{id:int}")
    def pet(req: Any, resp: Any) -> Any:
        """Finds a pet."""
        seen.append(req.params["id"])
        return resp.json({"id": req.params["id"], "name": "Rex"})

    @app.docs(
        title="new pet",
        response_type=SlimeResponseType.JsonResponse,
        schema=SlimeSchema(body=BodySchema(schema_name=Pet)),
    )
    @app.route("/pets", method="POST")
    def add(req: Any, resp: Any) -> Any:
        seen.append(req.json)
        return resp.json(req.json, status=201)

    return app, seen


def execute(browser: Browser, operation: str, **parameters: str) -> str:
    """Opens an operation, tries it out, executes it, and gives the status that the page shows."""
    block = f"#operations-default-{operation}"
    browser.find(f"{block} .opblock-summary-control").click()
    browser.find(f"{block} .try-out__btn").click()
    for name, value in parameters.items():
        browser.find(f"{block} tr[data-param-name={name}] input").send_keys(value)
    browser.find(f"{block} .execute").click()
    return str(browser.find(f"{block} {STATUS}").text).split()[0]


def test_an_operation_is_tried_out_and_no_other_host_is_asked(
    browser: Browser, served: Callable[..., TestClient]
) -> None:
    needs("slimeweb-docs")
    app, seen = pet_shop()
    client = served(app, dev=True)
    browser.driver.get(f"{client.url}/docs")
    assert browser.driver.title == "test_docs"
    assert execute(browser, "pet", id="7") == "200"
    assert seen == [7]
    assert execute(browser, "add") == "201"
    # The page makes an example of the body out of its schema.
    assert seen[1:] == [{"name": "string", "age": 0}]
    assert browser.complaints() == []
    assert browser.hosts() == {urlsplit(client.url).netloc}
