"""What the installed plugins say about their routes in the document of slimeweb-docs."""

from __future__ import annotations

from typing import Any

import pytest

from slimeweb import Slime
from slimeweb.testing import TestClient


@pytest.fixture
def app() -> Slime:
    return Slime(__file__)


def paths(app: Slime) -> dict[str, Any]:
    """The paths of the document that is served, which has to be a valid one."""
    with TestClient(app, docs=True) as client:
        document = client.get("/openapi.json").json()
    try:
        # It needs extension modules that switch the GIL back on, so not every environment has it.
        from openapi_spec_validator import OpenAPIV31SpecValidator
    except ImportError:
        pass
    else:
        assert [error.message for error in OpenAPIV31SpecValidator(document).iter_errors()] == []
    found: dict[str, Any] = document["paths"]
    return found


def test_a_websocket_is_answered_with_101(app: Slime) -> None:
    @app.websocket("/chat")
    def chat(req: Any, resp: Any) -> None:
        req.validate(dict)

    operation = paths(app)["/chat"]["get"]
    assert list(operation["responses"]) == ["101", "426", "default"]
    assert "requestBody" not in operation


@pytest.mark.parametrize(
    ("content", "media"), [("text/event-stream", {}), ("application/x-ndjson", {"schema": {"type": "string"}})]
)
def test_a_stream_is_of_the_type_that_its_route_says(app: Slime, content: str, media: dict[str, Any]) -> None:
    def numbers(req: Any, resp: Any) -> dict[str, int]:
        return {}

    app.stream("/", content=content)(numbers)
    app.docs(title="Numbers")(app.stream("/said", content=content)(lambda req, resp: None))
    found = paths(app)
    for path in ("/", "/said"):
        assert found[path]["get"]["responses"]["200"]["content"] == {content: media}


def test_what_is_below_a_mount_is_not_listed(app: Slime) -> None:
    app.mount("/old", wsgi=lambda environ, start_response: [])
    app.route("/")(lambda req, resp: None)
    assert set(paths(app)) == {"/"}
