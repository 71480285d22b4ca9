"""An application that parses what it is sent."""

from __future__ import annotations

from typing import Any

from slimeweb import Slime, SlimeRequest, SlimeResponse

JSON = {"Content-Type": "application/json"}


def serving(model: Any, *, later: bool = False, seen: list[Any] | None = None) -> Slime:
    """An application that answers with what it has parsed."""
    app = Slime(__file__)

    def answer(req: SlimeRequest, resp: SlimeResponse) -> SlimeResponse:
        value = req.parse(model)
        if seen is not None:
            seen.append(value)
        return resp.json(value)

    async def answer_later(req: SlimeRequest, resp: SlimeResponse) -> SlimeResponse:
        return answer(req, resp)

    app.route(path="/", method="POST")(answer_later if later else answer)
    return app


def errors(response: Any) -> list[dict[str, Any]]:
    assert response.status_code == 422, response.text
    assert response.headers["content-type"] == "application/problem+json"
    problem = response.json()
    assert (problem["type"], problem["status"]) == ("about:blank", 422)
    assert "Unprocessable" in problem["title"]
    found: list[dict[str, Any]] = problem["errors"]
    return found
