"""What the tour answers when nothing goes wrong, over real connections."""

from __future__ import annotations

import json
import sysconfig

import pytest

from support.process import ServerProcess


@pytest.fixture(scope="module")
def tour(tour_by_version: ServerProcess) -> ServerProcess:
    """Each test over both versions of HTTP."""
    return tour_by_version


def test_a_plain_answer_names_its_charset(tour: ServerProcess) -> None:
    answer = tour.ask("/")
    assert (answer.status, answer.text) == (200, "Hello World from slime")
    assert answer.header("content-type") == "text/plain; charset=utf-8"
    assert answer.header("date") is not None


def test_one_handler_serves_two_methods(tour: ServerProcess) -> None:
    assert tour.ask("/greeting").header("content-type") == "text/html; charset=utf-8"
    answer = tour.ask("/greeting", "POST")
    assert answer.status == 201
    assert answer.body == b'{"status":"ok","message":"Hello from Slime"}'
    assert answer.header("content-type") == "application/json"


def test_a_returned_object_becomes_json(tour: ServerProcess) -> None:
    assert tour.ask("/point").json() == {"x": 1, "y": 2}
    assert tour.ask("/tree/a/b/c").json() == ["a", "b", "c"]


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        ("/users/7", {"by": "id", "id": 7}),
        ("/users/-7", {"by": "id", "id": -7}),
        ("/users/anna", {"by": "name", "name": "anna"}),
        ("/users/J%C3%BCrgen%20M", {"by": "name", "name": "Jürgen M"}),
        ("/users/a%2Fb", {"by": "name", "name": "a/b"}),
        ("/users/100%25", {"by": "name", "name": "100%"}),
        ("/prices/2.5?currency=CHF", {"amount": 2.5, "currency": "CHF"}),
        (
            "/orders/0190d7b2-5f6c-7a3e-8b1f-2f3b5c6d7e8f",
            {"key": "0190d7b2-5f6c-7a3e-8b1f-2f3b5c6d7e8f", "version": 7},
        ),
        ("/search?tag=a&tag=b&q=caf%C3%A9+au+lait", {"query": {"tag": "b", "q": "café au lait"}, "tags": ["a", "b"]}),
    ],
)
def test_path_and_query_arrive_typed_and_decoded(tour: ServerProcess, target: str, expected: object) -> None:
    assert tour.ask(target).json() == expected


@pytest.mark.parametrize("target", ["/prices/cheap", "/orders/7", "/nowhere", "/users", "/users/7/8", "//"])
def test_what_no_route_matches_is_404_from_the_error_handler(tour: ServerProcess, target: str) -> None:
    answer = tour.ask(target)
    assert (answer.status, answer.text) == (404, f"nothing at {target}")


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "DELETE", "PATCH", "BREW"])
def test_the_star_stands_for_every_method(tour: ServerProcess, method: str) -> None:
    answer = tour.ask("/whoami?x=1", method)
    seen = answer.json()
    assert (seen["method"], seen["path"], seen["http_version"]) == (method, "/whoami", tour.version)
    assert (seen["client"], seen["scheme"], seen["host"]) == ("127.0.0.1", tour.scheme, "localhost")


def test_head_is_get_without_the_body(tour: ServerProcess) -> None:
    get, head = tour.ask("/"), tour.ask("/", "HEAD")
    assert (head.status, head.body) == (200, b"")
    assert head.header("content-length") == get.header("content-length") == str(len(get.body))


def test_options_lists_what_a_path_takes(tour: ServerProcess) -> None:
    answer = tour.ask("/greeting", "OPTIONS")
    assert answer.status == 204
    assert set(str(answer.header("allow")).split(", ")) == {"GET", "HEAD", "OPTIONS", "POST"}


def test_a_redirect_keeps_its_status(tour: ServerProcess) -> None:
    answer = tour.ask("/old")
    assert (answer.status, answer.header("location")) == (301, "/")


def test_sync_and_async_handlers_both_wait(tour: ServerProcess) -> None:
    assert tour.ask("/sleep/0.01").json() == {"slept": 0.01}
    assert tour.ask("/nap/0.01").json() == {"slept": 0.01}


def test_blocking_said_outright(tour: ServerProcess) -> None:
    assert len(tour.ask("/stretch", "POST", body=b"password").json()["key"]) == 64
    assert tour.ask("/version").json() == {"tour": "1"}


def test_state_is_shared_by_all_workers(tour: ServerProcess) -> None:
    before = tour.ask("/stats").json()["visits"]
    assert [tour.ask("/visits", "POST").json()["visits"] for _ in range(20)] == list(range(before + 1, before + 21))
    assert tour.ask("/notice", "PUT", body=b"closed on Sunday", headers={"Content-Type": "text/plain"}).status == 200
    assert tour.ask("/notice").json() == {"notice": "closed on Sunday"}


def test_the_start_hook_ran_before_the_first_request(tour: ServerProcess) -> None:
    assert tour.output.count("tour: started") == 1
    assert "tour: ended" not in tour.output


def test_the_server_says_where_it_serves_and_whether_threads_are_free(tour: ServerProcess) -> None:
    gil = "disabled" if sysconfig.get_config_var("Py_GIL_DISABLED") else "enabled"
    tour.wait_for_output(rf"serving on {tour.url} \(2 workers, GIL {gil}\)", timeout=10)


def test_pipelined_requests_are_answered_in_order(tour: ServerProcess) -> None:
    with tour.wire() as wire:
        targets = [f"/users/{number}" for number in range(20)]
        wire.send(b"".join(f"GET {target} HTTP/1.1\r\nHost: t\r\n\r\n".encode() for target in targets))
        assert [wire.answer().json()["id"] for _ in targets] == list(range(20))


def test_http_1_0_closes_after_its_answer(tour: ServerProcess) -> None:
    with tour.wire() as wire:
        wire.send(b"GET /ping HTTP/1.0\r\n\r\n")
        assert wire.answer().text == "pong"
        assert wire.is_closed_by_server()


def test_expect_100_continue_is_answered_before_the_body_is_sent(tour: ServerProcess) -> None:
    with tour.wire() as wire:
        wire.send(b"POST /echo HTTP/1.1\r\nHost: t\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n")
        assert wire.socket.recv(64).startswith(b"HTTP/1.1 100 ")
        wire.send(b"hello")
        assert wire.answer().body == b"hello"


def test_json_keeps_the_order_of_its_keys(tour: ServerProcess) -> None:
    document = b'{"json":{"z":1,"a":[true,null,1.5],"m":{"y":"\xc3\xa9","b":""}}}'
    inner = document[len(b'{"json":') : -1]
    answer = tour.ask("/json", "POST", body=inner, headers={"Content-Type": "application/json"})
    assert answer.body == document
    assert json.loads(answer.body) == json.loads(document)
