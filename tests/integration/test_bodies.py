"""Request bodies: JSON, forms, text, files, chunks, and their limits."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from support import multipart
from support.condition import eventually
from support.footprint import peak_memory, resident_memory
from support.process import ServerProcess
from support.wire import Answer

MIB = 1024 * 1024
JSON = {"Content-Type": "application/json"}
FORM = {"Content-Type": "application/x-www-form-urlencoded"}
MULTIPART = {"Content-Type": multipart.CONTENT_TYPE}


@pytest.fixture(scope="module")
def tour(tour_by_version: ServerProcess) -> ServerProcess:
    """Each test over both versions of HTTP."""
    return tour_by_version


def upload(server: ServerProcess, *parts: bytes) -> Answer:
    return server.ask("/upload", "POST", headers=MULTIPART, body=multipart.body(parts))


def chunks(body: bytes, size: int) -> Iterator[bytes]:
    for start in range(0, len(body), size):
        piece = body[start : start + size]
        yield f"{len(piece):x}\r\n".encode() + piece + b"\r\n"
    yield b"0\r\n\r\n"


def is_empty(directory: Path) -> bool:
    return not [name for _, _, names in os.walk(directory) for name in names]


# JSON


@pytest.mark.parametrize("content_type", ["application/json", "application/json; charset=utf-8", "application/ld+json"])
def test_json_goes_by_the_content_type(tour: ServerProcess, content_type: str) -> None:
    answer = tour.ask("/json", "POST", headers={"Content-Type": content_type}, body=b"[1, 2.5, 18446744073709551616]")
    assert answer.json() == {"json": [1, 2.5, 18446744073709551616]}


@pytest.mark.parametrize("content_type", ["text/plain", "application/jsonp", "application/x-www-form-urlencoded"])
def test_what_is_not_json_by_type_reads_as_none(tour: ServerProcess, content_type: str) -> None:
    assert tour.ask("/json", "POST", headers={"Content-Type": content_type}, body=b"{}").json() == {"json": None}


@pytest.mark.parametrize(
    ("body", "line", "column"),
    [
        (b'{"a": 1,}', 1, 9),
        (b'{\n  "a": 1,\n  "b": tru\n}', 3, None),
        (b'{"a": 1} x', 1, 10),
        (b"[NaN]", 1, 2),
    ],
)
def test_malformed_json_is_400_with_its_position(
    tour: ServerProcess, body: bytes, line: int, column: int | None
) -> None:
    answer = tour.ask("/json", "POST", headers=JSON, body=body)
    assert answer.status == 400
    assert f"line {line}" in answer.text
    if column is not None:
        assert f"column {column}" in answer.text
    assert "Traceback" not in answer.text


@pytest.mark.parametrize("body", [b'"\xff"', b'{"a":"\xc3"}', b'"\\ud800"', b"", b"[" * 100_000])
def test_hostile_json_is_400(tour: ServerProcess, body: bytes) -> None:
    with tour.wire() as wire:
        head = (
            f"POST /json HTTP/1.1\r\nHost: t\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        wire.send(head.encode() + body)
        answer = wire.answer()
    assert answer.status == 400
    assert len(answer.body) < 500


# Forms and text


def test_a_form_keeps_the_last_value_and_all_of_them(tour: ServerProcess) -> None:
    answer = tour.ask("/form", "POST", headers=FORM, body=b"colour=red&name=J%C3%BCrgen+M&colour=blue&empty=")
    assert answer.json() == {
        "form": {"colour": "blue", "name": "Jürgen M", "empty": ""},
        "colours": ["red", "blue"],
    }


def test_a_multipart_form_without_files_is_a_form(tour: ServerProcess) -> None:
    body = multipart.body([multipart.field("colour", "red"), multipart.field("colour", "grün")])
    answer = tour.ask("/form", "POST", headers=MULTIPART, body=body)
    assert answer.json() == {"form": {"colour": "grün"}, "colours": ["red", "grün"]}


def test_text_honours_its_charset(tour: ServerProcess) -> None:
    assert tour.ask("/text", "POST", body="café".encode()).json() == {"text": "café"}
    latin = tour.ask("/text", "POST", headers={"Content-Type": "text/plain; charset=iso-8859-1"}, body=b"caf\xe9")
    assert latin.json() == {"text": "café"}


@pytest.mark.parametrize(
    ("charset", "body"),
    [
        ("utf-16", "\ufeffcafé".encode("utf-16-le")),
        ("utf-16", "\ufeffcafé".encode("utf-16-be")),
        ("utf-16le", "café".encode("utf-16-le")),
        ("UTF-16BE", "café".encode("utf-16-be")),
    ],
)
def test_the_mark_of_utf_16_says_which_and_is_no_text(tour: ServerProcess, charset: str, body: bytes) -> None:
    headers = {"Content-Type": f"text/plain; charset={charset}"}
    assert tour.ask("/text", "POST", headers=headers, body=body).json() == {"text": "café"}


@pytest.mark.parametrize(
    ("target", "headers", "body"),
    [
        ("/text", {"Content-Type": "text/plain; charset=utf-8"}, b"caf\xe9"),
        ("/text", {}, b"caf\xe9"),
    ],
)
def test_text_that_is_not_utf_8_is_400(tour: ServerProcess, target: str, headers: dict[str, str], body: bytes) -> None:
    assert tour.ask(target, "POST", headers=headers, body=body).status == 400


@pytest.mark.parametrize("body", [b"name=a%FFb&n%FF", b"name=a\xffb&n\xff"])
def test_a_form_that_is_not_utf_8_reads_as_queries_do(tour: ServerProcess, body: bytes) -> None:
    seen = tour.ask("/form", "POST", headers=FORM, body=body).json()["form"]
    assert seen == {"name": "a\N{REPLACEMENT CHARACTER}b", "n\N{REPLACEMENT CHARACTER}": ""}


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        ("application/x-www-form-urlencoded; charset=iso-8859-1", b"name=a%E9+%2B\xe9&n%E9"),
        ('application/x-www-form-urlencoded; Charset="Latin1"', b"_charset_=utf-8&name=a%E9+%2B\xe9&n%E9"),
        ("application/x-www-form-urlencoded", b"name=a%E9+%2B\xe9&n%E9&_charset_=windows-1252"),
        ("application/x-www-form-urlencoded; charset=nonsense", b"name=a%C3%A9+%2B\xc3\xa9&n%C3%A9"),
        ("application/x-www-form-urlencoded; charset=utf-16", b"&&name=a%C3%A9+%2B\xc3\xa9&n%C3%A9"),
    ],
)
def test_a_form_is_in_its_charset(tour: ServerProcess, content_type: str, body: bytes) -> None:
    """That of its Content-Type, or of its field `_charset_`, as a multipart form's is."""
    seen = tour.ask("/form", "POST", headers={"Content-Type": content_type}, body=body).json()["form"]
    seen.pop("_charset_", None)
    assert seen == {"name": "aé +é", "né": ""}


def test_a_form_of_another_charset_has_a_limit_on_its_fields_too(tour: ServerProcess) -> None:
    headers = {"Content-Type": "application/x-www-form-urlencoded; charset=iso-8859-1"}
    answer = tour.ask("/form", "POST", headers=headers, body=b"a&" * 10_001)
    assert (answer.status, "form_fields" in answer.text) == (400, True)


def test_a_multipart_field_is_in_its_charset(tour: ServerProcess) -> None:
    """RFC 7578, sections 4.4 and 4.6; what is not in its charset is U+FFFD, as browsers have it."""
    own = "Content-Disposition: form-data; name=own\r\nContent-Type: text/plain; charset=windows-1252"
    plain = 'Content-Disposition: form-data; name="colour"'
    upload = [multipart.part(own, b"\x93"), multipart.part(plain, b"r\xe9d")]
    seen = tour.ask("/form", "POST", headers=MULTIPART, body=multipart.body(upload)).json()["form"]
    assert seen == {"own": "\N{LEFT DOUBLE QUOTATION MARK}", "colour": "r\N{REPLACEMENT CHARACTER}d"}
    upload.append(multipart.field("_charset_", "iso-8859-2"))
    seen = tour.ask("/form", "POST", headers=MULTIPART, body=multipart.body(upload)).json()["form"]
    assert (seen["own"], seen["colour"]) == ("\N{LEFT DOUBLE QUOTATION MARK}", "réd")


# Files


@pytest.mark.parametrize(
    ("sent", "original"),
    [
        ('filename="a%22b%0D%0Ac%20.txt"', 'a"b\r\nc%20.txt'),
        ("filename=\"x\"; filename*=UTF-8''%e2%82%ac.txt", "€.txt"),
        ('filename="../../etc/passwd"', "passwd"),
        ('filename="C:\\dir\\x.txt"', "x.txt"),
        ('filename=".."', ""),
        ("filename*=UTF-8''a%00b.txt", "a"),
        ("filename*=%e2%82%ac.txt", "%e2%82%ac.txt"),
    ],
)
def test_the_clients_filename_is_decoded_and_leads_nowhere(tour: ServerProcess, sent: str, original: str) -> None:
    answer = upload(tour, multipart.part(f"Content-Disposition: form-data; name=f; {sent}", b"1"))
    assert [file["original"] for file in answer.json()["files"]] == [original]


def test_two_files_and_a_field(tour: ServerProcess) -> None:
    small, large = b"a,b\n1,2\n", os.urandom(3 * MIB)
    answer = upload(
        tour,
        multipart.field("note", "für dich"),
        multipart.file("table", "week.csv", small, "text/csv"),
        multipart.file("photo", "../../etc/cat.JPG", large, "image/jpeg"),
    )
    assert answer.status == 200
    seen = answer.json()
    assert (seen["count"], seen["form"]) == (2, {"note": "für dich"})
    table, photo = seen["files"]
    assert (table["field"], table["type"], table["size"], table["original"]) == ("table", "text/csv", 8, "week.csv")
    assert (table["extension"], table["sha256"]) == ("csv", hashlib.sha256(small).hexdigest())
    assert (photo["size"], photo["sha256"]) == (len(large), hashlib.sha256(large).hexdigest())
    for file in (table, photo):
        assert "/" not in file["filename"]
        assert ".." not in file["filename"]
        assert file["original"] not in file["filename"], "the client's name is not used on disk"
    assert table["filename"] != photo["filename"]


def test_files_of_one_name_stay_apart(tour: ServerProcess) -> None:
    answer = upload(tour, *(multipart.file("file", "same.txt", f"content {n}".encode()) for n in range(5)))
    files = answer.json()["files"]
    assert [file["sha256"] for file in files] == [hashlib.sha256(f"content {n}".encode()).hexdigest() for n in range(5)]
    assert len({file["filename"] for file in files}) == 5


def test_uploads_leave_nothing_behind(tour: ServerProcess, uploads: Path) -> None:
    assert upload(tour, multipart.file("file", "big", os.urandom(2 * MIB))).status == 200
    eventually(lambda: is_empty(uploads), what="the upload directory is empty again")


def test_a_client_that_leaves_halfway_leaves_nothing_behind(tour: ServerProcess, uploads: Path) -> None:
    part = multipart.file("file", "big", os.urandom(2 * MIB))
    before = tour.footprint()
    with tour.wire() as wire:
        wire.send(f"POST /upload HTTP/1.1\r\nHost: t\r\nContent-Type: {multipart.CONTENT_TYPE}\r\n".encode())
        wire.send(b"Content-Length: 60000000\r\n\r\n" + part)
        eventually(lambda: not is_empty(uploads), what="the half that came is on disk")
    eventually(lambda: is_empty(uploads), what="the upload directory is empty again")
    eventually(lambda: tour.footprint().descriptors <= before.descriptors, what="no descriptor is left")


def test_a_saved_upload_stays(tour: ServerProcess) -> None:
    content = os.urandom(MIB)
    body = multipart.body([multipart.file("file", "a.bin", content)])
    answer = tour.ask("/keep/one", "POST", headers=MULTIPART, body=body)
    assert (answer.status, answer.json()["size"]) == (201, MIB)


def test_fifty_megabytes_do_not_stay_in_memory(tour: ServerProcess) -> None:
    """Done when, line 3: the memory of the server grows by less than 16 MB."""
    block = os.urandom(MIB)
    assert upload(tour, multipart.file("file", "warm-up", block)).status == 200
    head = multipart.file("file", "fifty.bin", b"")[:-2]
    tail = b"\r\n" + multipart.body([])
    before = resident_memory(tour.pid)
    digest = hashlib.sha256()
    with tour.wire(timeout=60) as wire:
        length = len(head) + 50 * len(block) + len(tail)
        wire.send(
            f"POST /upload HTTP/1.1\r\nHost: t\r\nContent-Type: {multipart.CONTENT_TYPE}\r\n"
            f"Content-Length: {length}\r\n\r\n".encode()
        )
        wire.send(head)
        for _ in range(50):
            wire.send(block)
            digest.update(block)
        wire.send(tail)
        (file,) = wire.answer().json()["files"]
    assert (file["size"], file["sha256"]) == (50 * MIB, digest.hexdigest())
    growth = peak_memory(tour.pid) - before
    print(f"50 MB upload: resident {before / MIB:.1f} MiB before, peak growth {growth / MIB:.2f} MiB")
    assert growth < 16 * 1000 * 1000


MALFORMED = {
    "no closing boundary": multipart.field("a", "b"),
    "cut inside a part": multipart.file("f", "x", b"half")[:-9],
    "not multipart at all": b"hello",
    "another boundary": multipart.body([multipart.field("a", "b")]).replace(b"a-boundary", b"b-boundary"),
    "bad first boundary": multipart.field("lost", "1").replace(b"a-boundary", b"b-boundary")
    + multipart.body([multipart.field("a", "b")]),
    "first boundary without its dashes": multipart.body([multipart.field("lost", "1"), multipart.field("a", "b")])[2:],
    "only a preamble": b"hello\r\n" + multipart.body([]),
    "part without a name": multipart.body([multipart.part("Content-Type: text/plain", b"x")]),
    "part without a head": multipart.body([multipart.part("no colon here", b"x")]),
}


@pytest.mark.parametrize("body", MALFORMED.values(), ids=MALFORMED.keys())
def test_malformed_multipart_is_400(tour: ServerProcess, uploads: Path, body: bytes) -> None:
    with tour.wire() as wire:
        wire.send(f"POST /upload HTTP/1.1\r\nHost: t\r\nContent-Type: {multipart.CONTENT_TYPE}\r\n".encode())
        wire.send(f"Content-Length: {len(body)}\r\n\r\n".encode() + body)
        answer = wire.answer()
    assert answer.status == 400
    assert len(answer.body) < 300
    eventually(lambda: is_empty(uploads), what="no part of it is left on disk")


def test_no_body_is_no_form(tour: ServerProcess) -> None:
    answer = tour.ask("/upload", "POST", headers={**MULTIPART, "Content-Length": "0"})
    assert answer.json() == {"files": [], "count": 0, "form": {}}


def test_multipart_without_a_boundary_is_400(tour: ServerProcess) -> None:
    assert tour.ask("/upload", "POST", headers={"Content-Type": "multipart/form-data"}, body=b"x").status == 400


def test_ten_thousand_parts_are_too_many(tour: ServerProcess) -> None:
    answer = tour.ask(
        "/form", "POST", headers=MULTIPART, body=multipart.body(multipart.field(f"n{n}", "") for n in range(10_000))
    )
    assert answer.status == 400


# Chunks and limits


@pytest.mark.parametrize("size", [1, 7, 65_536])
def test_a_chunked_body_arrives_whole(tour: ServerProcess, size: int) -> None:
    body = os.urandom(3_000 if size == 1 else 300_000)
    with tour.wire() as wire:
        wire.send(
            b"POST /echo HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\n" + b"".join(chunks(body, size))
        )
        assert wire.answer().body == body
        wire.request("GET", "/ping")
        assert wire.answer().text == "pong", "the connection is still in step"


def test_a_chunked_body_over_the_limit_is_400(tour: ServerProcess) -> None:
    with tour.wire() as wire:
        wire.send(b"POST /echo HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\n")
        wire.send_until_refused(b"".join(chunks(bytes(MIB + 1), 65_536)))
        answer = wire.answer()
    assert answer.status == 400
    assert str(MIB) in answer.text, "the limit is named"


@pytest.mark.slow
def test_an_endless_chunked_body_is_cut(tour: ServerProcess) -> None:
    """A client that never stops sending is answered once the limit is passed, and not read for ever."""
    block = f"{65_536:x}\r\n".encode() + bytes(65_536) + b"\r\n"
    with tour.wire(timeout=20) as wire:
        wire.send(b"POST /echo HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\n")
        begun = time.monotonic()
        while time.monotonic() - begun < 90:
            try:
                wire.send(block)
            except (BrokenPipeError, ConnectionResetError):
                return
        pytest.fail("a body that never ends was read for 90 s")


def test_a_length_over_the_limit_is_400_before_the_body_is_sent(tour: ServerProcess) -> None:
    with tour.wire() as wire:
        wire.send(f"POST /echo HTTP/1.1\r\nHost: t\r\nContent-Length: {MIB + 1}\r\n\r\n".encode())
        assert wire.answer().status == 400


def test_exactly_the_limit_is_taken(tour: ServerProcess) -> None:
    body = os.urandom(MIB)
    assert tour.ask("/echo", "POST", body=body).body == body


def test_a_handler_that_does_not_read_its_body_leaves_the_connection_in_step(tour: ServerProcess) -> None:
    with tour.wire() as wire:
        for _ in range(3):
            wire.request("POST", "/visits", body=b"GET /boom HTTP/1.1\r\n\r\n" * 100)
            assert "visits" in wire.answer().json()


# Streamed bodies


@pytest.mark.parametrize("chunked", [False, True])
def test_a_handler_takes_the_body_piece_by_piece(tour: ServerProcess, chunked: bool) -> None:
    body = os.urandom(20 * MIB)
    framing = b"Transfer-Encoding: chunked" if chunked else f"Content-Length: {len(body)}".encode()
    for target, expected in (
        ("/digest", {"size": len(body), "sha256": hashlib.sha256(body).hexdigest()}),
        ("/lines", {"lines": body.count(b"\n")}),
    ):
        with tour.wire(timeout=60) as wire:
            wire.send(f"POST {target} HTTP/1.1\r\nHost: t\r\n".encode() + framing + b"\r\n\r\n")
            for piece in chunks(body, 100_000) if chunked else (body,):
                wire.send(piece)
            assert wire.answer().json() == expected


def test_a_streamed_body_does_not_stay_in_memory(tour: ServerProcess) -> None:
    block = bytes(MIB)
    assert tour.ask("/digest", "POST", body=block).status == 200
    before = resident_memory(tour.pid)
    with tour.wire(timeout=60) as wire:
        wire.send(f"POST /digest HTTP/1.1\r\nHost: t\r\nContent-Length: {200 * MIB}\r\n\r\n".encode())
        for _ in range(200):
            wire.send(block)
        assert wire.answer().json()["size"] == 200 * MIB
    assert resident_memory(tour.pid) - before < 16 * 1000 * 1000
