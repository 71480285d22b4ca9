"""`TestClient` and its answers."""

from __future__ import annotations

from typing import Any, assert_type

from slimeweb import Slime
from slimeweb.testing import TestClient, TestResponse

app = Slime(__file__)

with TestClient(app, timeout=5.0, dev=True) as client:
    assert_type(client, TestClient)
    assert_type(client.url, str)
    assert_type(client.port, int)
    answer = client.get("/", headers={"accept": "text/html"})
    assert_type(answer, TestResponse)
    assert_type(answer.status_code, int)
    assert_type(answer.text, str)
    assert_type(answer.content, bytes)
    assert_type(answer.json(), Any)
    assert_type(answer.headers["content-type"], str)
    assert_type(answer.header_all("set-cookie"), list[str])
    assert_type(answer.cookies, dict[str, str])
    assert_type(client.request("PUT", "/", json={"a": 1}, follow_redirects=True), TestResponse)
    client.request("PUT", "/", params=3)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    client.get(b"/")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    answer.status_code = 200  # type: ignore[misc]  # pyright: ignore[reportAttributeAccessIssue]

TestClient("app")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
