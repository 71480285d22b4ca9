import json

import pytest

from benchmarks.workloads import WORKLOADS, Expected, workload


def test_names_are_unique() -> None:
    assert len({each.name for each in WORKLOADS}) == len(WORKLOADS)


def test_an_unknown_name_lists_the_known_ones() -> None:
    with pytest.raises(ValueError, match=r"'plain'.*plaintext"):
        workload("plain")


def test_json_is_compared_as_a_document() -> None:
    expected = workload("json").probes[0].expected
    spaced = json.dumps(json.loads(expected.body), indent=2).encode()
    assert expected.differs("application/json", spaced, None) is None
    assert "body" in (expected.differs("application/json", b'{"message": "Hello, World!"}', None) or "")
    assert "body" in (expected.differs("application/json", b"{", None) or "")


@pytest.mark.parametrize(
    ("media_type", "body", "chunks", "complaint"),
    [
        ("text/plain", b"yes", None, None),
        ("text/html", b"yes", None, "content type 'text/html'"),
        ("text/plain", b"no", None, "body b'no' instead of b'yes'"),
        ("text/plain", b"yes", 1, "1 chunks instead of a body with Content-Length"),
    ],
)
def test_what_differs_is_named(media_type: str, body: bytes, chunks: int | None, complaint: str | None) -> None:
    wrong = Expected("text/plain", b"yes").differs(media_type, body, chunks)
    assert (wrong is None) if complaint is None else (wrong is not None and complaint in wrong)


def test_a_stream_must_come_in_its_five_chunks() -> None:
    expected = workload("stream").probes[0].expected
    assert expected.differs("text/plain", expected.body, 5) is None
    assert expected.differs("text/plain", expected.body, 1) == "1 chunks instead of 5 chunks"


def test_a_file_may_be_framed_either_way() -> None:
    expected = workload("static").probes[0].expected
    assert len(expected.body) == 10_240
    assert expected.differs("text/plain", expected.body, 3) is None


@pytest.mark.parametrize("name", ["parameters", "post-1k", "post-1m"])
def test_answers_that_depend_on_the_request_are_asked_for_twice(name: str) -> None:
    first, second = workload(name).probes
    assert first.request != second.request
    assert first.expected != second.expected
