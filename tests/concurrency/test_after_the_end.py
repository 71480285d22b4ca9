"""Requests and responses that outlive their exchange: a mistake in an application, but never a danger."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from slimeweb import Slime, SlimeRequest, SlimeResponse
from slimeweb.testing import TestClient
from support.condition import eventually
from support.crew import at_once


class Escaped:
    """What a handler let out, for a test to misuse."""

    def __init__(self) -> None:
        self.app = Slime(__file__)
        self.kept: list[tuple[SlimeRequest, SlimeResponse]] = []
        self.go_on = threading.Event()
        self.outcome: list[str] = []

        @self.app.route("/leak/{name}", method="POST")
        def leak(req: SlimeRequest, resp: SlimeResponse) -> SlimeResponse:
            self.kept.append((req, resp))
            return resp.plain(req.params["name"])

        @self.app.route("/race", method="POST")
        def race(req: SlimeRequest, resp: SlimeResponse) -> SlimeResponse:
            resp.plain("first")
            for _ in range(4):
                threading.Thread(target=self.meddle, args=(resp,), daemon=True).start()
            return resp

        @self.app.route("/files", method="POST")
        def files(req: SlimeRequest, resp: SlimeResponse) -> str:
            self.kept.append((req, resp))
            return req.file[0].file_path

    def meddle(self, resp: SlimeResponse) -> None:
        try:
            for _ in range(500):
                resp.plain("second")
                resp.set_header("X-Meddled", "yes")
        except RuntimeError as error:
            self.outcome.append(str(error))


@pytest.fixture
def escaped() -> Escaped:
    return Escaped()


@pytest.fixture
def client(escaped: Escaped) -> Iterator[TestClient]:
    with TestClient(escaped.app) as client:
        yield client


MISUSE: dict[str, Callable[[SlimeResponse], Any]] = {
    "plain": lambda resp: resp.plain("late"),
    "json": lambda resp: resp.json({}),
    "file": lambda resp: resp.file(__file__),
    "redirect": lambda resp: resp.redirect("/late"),
    "header": lambda resp: resp.set_header("X-Late", "1"),
    "cookie": lambda resp: resp.set_cookie("late", "1"),
    "status": lambda resp: resp.set_status(404),
    "accept": lambda resp: resp.accept("late"),
    "writer": lambda resp: resp.writer().start(),
}


@pytest.mark.parametrize("misuse", MISUSE.values(), ids=MISUSE.keys())
def test_a_sent_response_says_that_it_is_sent(
    escaped: Escaped, client: TestClient, misuse: Callable[[SlimeResponse], Any]
) -> None:
    assert client.post("/leak/a").text == "a"
    (_, resp) = escaped.kept[0]
    for _ in range(3):
        with pytest.raises(RuntimeError, match="sent"):
            misuse(resp)
    assert client.post("/leak/b").text == "b", "the connection is none the worse"


def test_a_request_still_reads_after_its_end(escaped: Escaped, client: TestClient) -> None:
    client.post("/leak/a?q=1", json={"a": 1})
    (req, _) = escaped.kept[0]

    def read(_: int) -> tuple[Any, ...]:
        return req.method, req.path, req.json, req.query, req.header.get("content-type"), req.params, req.client

    seen = at_once(8, read)
    expected = ("POST", "/leak/a", {"a": 1}, {"q": "1"}, "application/json", {"name": "a"}, "127.0.0.1")
    assert seen == [expected] * 8


def test_a_response_changed_while_it_is_sent(escaped: Escaped, client: TestClient) -> None:
    """Who comes too late is told; who comes in time changes the whole answer, never half of it."""
    for _ in range(100):
        response = client.post("/race")
        assert response.status_code == 200
        assert response.text in ("first", "second")
        assert int(response.headers["content-length"]) == len(response.text)
    assert all("sent" in message for message in escaped.outcome)


@pytest.mark.parametrize("size", [10, 500_000])
def test_an_upload_is_gone_with_its_request(escaped: Escaped, client: TestClient, tmp_path: Path, size: int) -> None:
    stored = Path(client.post("/files", files={"file": ("a.bin", bytes(size))}).text)
    eventually(lambda: not stored.exists(), what="the temporary file is removed")
    (file,) = escaped.kept[0][0].file
    with pytest.raises((OSError, RuntimeError)):
        file.save("late.bin", tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_many_misusers_at_once(escaped: Escaped, client: TestClient) -> None:
    client.post("/leak/a")
    (_, resp) = escaped.kept[0]

    def misuse(number: int) -> str:
        with pytest.raises(RuntimeError) as caught:
            list(MISUSE.values())[number](resp)
        return str(caught.value)

    assert all("sent" in message for message in at_once(len(MISUSE), misuse))
