"""The page at /docs, used as people use it."""

from __future__ import annotations

import threading
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
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


@contextmanager
def proxy(upstream: str, prefix: str) -> Iterator[str]:
    """The address of a proxy that hands on GET requests below a prefix without it, and answers others with a 404."""

    class Forward(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if not self.path.startswith(f"{prefix}/"):
                self.send_error(404)
                return
            with urllib.request.urlopen(f"{upstream}{self.path.removeprefix(prefix)}", timeout=30) as answer:
                body = answer.read()
                self.send_response(answer.status)
                for name in ("Content-Type", "Content-Security-Policy"):
                    if name in answer.headers:
                        self.send_header(name, answer.headers[name])
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *arguments: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Forward) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}{prefix}"
        finally:
            server.shutdown()
            thread.join()


def test_an_operation_is_tried_out_behind_a_proxy_with_a_prefix(
    browser: Browser, served: Callable[..., TestClient]
) -> None:
    needs("slimeweb-docs")
    app, seen = pet_shop()
    client = served(app, dev=True)
    with proxy(client.url, "/shop") as address:
        browser.driver.get(f"{address}/docs")
        assert execute(browser, "pet", id="7") == "200"
    assert seen == [7]
    assert browser.complaints() == []
