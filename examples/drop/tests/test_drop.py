"""Files that are left and fetched, over real sockets."""

from __future__ import annotations

import http.client
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from main import app

from slimeweb.testing import TestClient


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    return tmp_path / "files"


@pytest.fixture
def client(directory: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[TestClient]:
    monkeypatch.setenv("DROP_DIRECTORY", str(directory))
    with TestClient(app, workers=2) as client:
        yield client


def test_a_file_is_put_listed_fetched_and_deleted(client: TestClient, directory: Path) -> None:
    content = bytes(range(256)) * 10_000
    answer = client.put("/files/caf%C3%A9 1.bin", content=content)
    assert (answer.status_code, answer.json()) == (201, {"name": "café 1.bin", "size": len(content)})
    place = answer.headers["location"]
    page = client.get("/").text
    assert place in page
    assert "2,560,000 bytes" in page
    got = client.get(place)
    assert got.content == content
    assert "attachment" in got.headers["content-disposition"]
    assert client.delete(place).status_code == 204
    assert client.get(place).status_code == 404
    assert list(directory.iterdir()) == []


def test_a_part_of_a_file_is_fetched(client: TestClient) -> None:
    client.put("/files/digits", content="0123456789")
    part = client.get("/files/digits", headers={"Range": "bytes=2-4"})
    assert (part.status_code, part.text, part.headers["content-range"]) == (206, "234", "bytes 2-4/10")
    assert client.get("/files/digits", headers={"Range": "bytes=20-"}).status_code == 416


def test_a_form_leaves_several_files(client: TestClient) -> None:
    answer = client.post("/files", files={"files": ("a.txt", b"a"), "more": ("b.txt", b"b")})
    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    assert [client.get(f"/files/{name}.txt").text for name in "ab"] == ["a", "b"]


@pytest.mark.parametrize("name", [".hidden", "..", "a%2Fb", "a%5Cb", "..%2F..%2Fetc", "x" * 201, "a%00b"])
def test_a_name_leads_nowhere_else(client: TestClient, directory: Path, name: str) -> None:
    for method in ("GET", "PUT", "DELETE"):
        assert client.request(method, f"/files/{name}").status_code in (400, 404)
    assert list(directory.iterdir()) == []


def test_names_are_text_in_the_page(client: TestClient) -> None:
    client.put("/files/%3Cscript%3E", content="x")
    assert "<script>x" not in client.get("/").text
    assert "&lt;script&gt;" in client.get("/").text


def test_how_far_an_upload_has_come_is_seen(client: TestClient, directory: Path) -> None:
    arrived, go_on = threading.Event(), threading.Event()

    def pieces() -> Iterator[bytes]:
        yield b"x" * 1000
        arrived.set()
        go_on.wait(30)
        yield b"x" * 24

    def send() -> None:
        connection = http.client.HTTPConnection("127.0.0.1", client.port, timeout=30)
        connection.request("PUT", "/files/slow", body=pieces(), headers={"Content-Length": "1024"})
        assert connection.getresponse().status == 201
        connection.close()

    sender = threading.Thread(target=send)
    sender.start()
    assert arrived.wait(30)
    while (seen := client.get("/uploads").json()) != [{"name": "slow", "received": 1000, "size": 1024}]:
        assert seen in ([], [{"name": "slow", "received": 0, "size": 1024}])
    assert client.get("/files/slow").status_code == 404, "not before it is whole"
    go_on.set()
    sender.join(30)
    assert client.get("/uploads").json() == []
    assert client.get("/files/slow").content == b"x" * 1024


def test_an_upload_that_breaks_off_leaves_nothing(client: TestClient, directory: Path) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", client.port, timeout=30)
    connection.putrequest("PUT", "/files/broken")
    connection.putheader("Content-Length", "1000")
    connection.endheaders(b"only this")
    while not client.get("/uploads").json():
        pass
    connection.close()
    while client.get("/uploads").json():
        pass
    assert list(directory.iterdir()) == []
