"""What clients learn of what went wrong, and what only the log learns."""

from __future__ import annotations

import pytest

from support.process import ServerProcess


@pytest.fixture(scope="module")
def tour(tour_by_version: ServerProcess) -> ServerProcess:
    """Each test over both versions of HTTP."""
    return tour_by_version


def test_an_unforeseen_error_tells_the_log_and_not_the_client(tour: ServerProcess) -> None:
    answer = tour.ask("/boom")
    assert answer.status == 500
    assert b"42" not in answer.body
    assert b"RuntimeError" not in answer.body
    assert b"Traceback" not in answer.body
    request_id = answer.header("x-request-id")
    tour.wait_for_output(r"RuntimeError: the secret ingredient is 42", timeout=10)
    tour.wait_for_output(rf"GET.*/boom.*{request_id}|{request_id}.*GET.*/boom", timeout=10)


def test_an_error_of_the_application_has_its_handler(tour: ServerProcess) -> None:
    answer = tour.ask("/buy/umbrella", "POST")
    assert (answer.status, answer.json()) == (409, {"error": "out of stock", "item": "umbrella"})


def test_a_raised_status_is_the_answer(tour: ServerProcess) -> None:
    answer = tour.ask("/teapot")
    assert (answer.status, answer.text) == (418, "I'm a teapot")


def test_a_header_that_would_start_another_raises_at_the_call(tour: ServerProcess) -> None:
    assert tour.ask("/header?value=fine").header("x-echo") == "fine"
    for evil in ("a%0D%0ASet-Cookie:%20x=y", "a%0AX-Injected:%201", "a%0DX-Injected:%201", "a%00b"):
        answer = tour.ask(f"/header?value={evil}")
        assert answer.status == 500, evil
        assert answer.header("set-cookie") is None
        assert answer.header("x-injected") is None
        assert answer.header("x-echo") is None


def test_validation_says_which_fields_are_wrong(tour: ServerProcess) -> None:
    json_type = {"Content-Type": "application/json"}
    good = tour.ask("/students", "POST", body=b'{"name":"Ada","age":36,"marks":1}', headers=json_type)
    assert (good.status, good.body) == (201, b'{"name":"Ada","age":36,"marks":1}')

    bad = tour.ask("/students", "POST", body=b'{"name":"Ada","age":-1}', headers=json_type)
    assert bad.status == 422
    (problems,) = bad.json().values()
    assert {problem["loc"] for problem in problems} == {"age", "marks"}
    assert all(isinstance(text, str) for problem in problems for text in problem.values())


def test_validation_that_raises_is_a_422_that_never_repeats_the_input(tour: ServerProcess) -> None:
    body = b'{"name":"sesame","age":"x"}'
    answer = tour.ask("/students/strict", "POST", body=body, headers={"Content-Type": "application/json"})
    assert (answer.status, answer.header("content-type")) == (422, "application/problem+json")
    assert {each["pointer"] for each in answer.json()["errors"]} == {"#/age", "#/marks"}
    assert b"sesame" not in answer.body


def test_an_unknown_method_on_a_known_path_lists_the_known_ones(tour: ServerProcess) -> None:
    for method in ("DELETE", "BREW"):
        answer = tour.ask("/ping", method)
        assert answer.status == 405
        assert set(str(answer.header("allow")).split(", ")) == {"GET", "HEAD", "OPTIONS"}
