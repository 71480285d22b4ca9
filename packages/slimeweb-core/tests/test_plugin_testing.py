"""What plugins are tested with: a right plugin of each sort passes its suite, which finds what is wrong with others."""

from __future__ import annotations

import codecs
from collections.abc import Callable, Sequence
from typing import Any, ClassVar

import pytest

from slimeweb import RouteKind, RouteOption, RouteSpec, Slime, SlimeMiddleware, SlimeRequest, SlimeResponse, hookimpl
from slimeweb.testing import HookRecorder, TestClient, TestResponse, contracts, plugin_app

pytest_plugins = ["slimeweb.testing.pytest_plugin"]


class Rot13Encoder:
    def push(self, data: bytes) -> bytes:
        return codecs.encode(data.decode("latin-1"), "rot13").encode("latin-1")

    def flush(self) -> bytes:
        return b""

    def finish(self) -> bytes:
        return b""


class Rot13:
    def begin(self, request: SlimeRequest, response: SlimeResponse, length: int | None) -> Rot13Encoder | None:
        return Rot13Encoder() if request.header.get("x-rot13") == "yes" else None


class Rot13Plugin:
    """A filter for every route."""

    def __init__(self, make: Callable[[], Any] = Rot13) -> None:
        self._make = make

    @hookimpl
    def slime_body_filter(self, app: Slime, route: RouteSpec) -> Any:
        return self._make()


class TestRot13(contracts.BodyFilterContract):
    headers: ClassVar = {"X-Rot13": "yes"}
    make: Callable[[], Any] = Rot13

    def plugin(self) -> object:
        return Rot13Plugin(type(self).make)

    def decode(self, body: bytes) -> bytes:
        return codecs.encode(body.decode("latin-1"), "rot13").encode("latin-1")


class Never(Rot13):
    """Begins for no answer."""

    def begin(self, request: SlimeRequest, response: SlimeResponse, length: int | None) -> None:
        return None


class OneEncoder(Rot13Encoder):
    """Keeps what it is given until the end."""

    def __init__(self) -> None:
        self._data = b""

    def push(self, data: bytes) -> bytes:
        self._data += super().push(data)
        return b""

    def finish(self) -> bytes:
        return self._data


class Mixing(Rot13):
    """Gives all answers one encoder."""

    def __init__(self) -> None:
        self._encoder = OneEncoder()

    def begin(self, request: SlimeRequest, response: SlimeResponse, length: int | None) -> Rot13Encoder:
        return self._encoder


class LosesPieces(Rot13):
    """Drops what comes in pieces."""

    def begin(self, request: SlimeRequest, response: SlimeResponse, length: int | None) -> Rot13Encoder:
        return OneEncoder() if length is not None else Losing()


class Losing(Rot13Encoder):
    def push(self, data: bytes) -> bytes:
        return b""


class Excusing(Rot13):
    """Makes everything a 200."""

    def begin(self, request: SlimeRequest, response: SlimeResponse, length: int | None) -> Rot13Encoder:
        response.set_status(200)
        return Rot13Encoder()


@pytest.mark.parametrize(
    ("make", "test"),
    [
        (Never, "test_it_changes_bodies_at_all"),
        (Mixing, "test_answers_of_many_threads_do_not_mix"),
        (LosesPieces, "test_a_body_comes_back_whatever_its_length"),
        (Excusing, "test_the_error_of_a_handler_stays_one"),
    ],
)
def test_the_suite_of_body_filters_finds(make: Callable[[], Any], test: str) -> None:
    suite = TestRot13()
    TestRot13.make, right = make, TestRot13.make
    try:
        with pytest.raises(AssertionError):
            getattr(suite, test)()
    finally:
        TestRot13.make = right


class Timing(SlimeMiddleware):
    def middle_before(self, req: SlimeRequest, resp: SlimeResponse) -> None:
        req.timing_started = 0.0

    def middle_after(self, req: SlimeRequest, resp: SlimeResponse) -> None:
        resp.set_header("X-Started", str(req.timing_started))


class TestTiming(contracts.MiddlewareContract):
    make: Callable[[], SlimeMiddleware] = Timing

    def middleware(self) -> SlimeMiddleware:
        return type(self).make()


class Selfish(SlimeMiddleware):
    """Keeps the request on itself, and answers with that."""

    def middle_before(self, req: SlimeRequest, resp: SlimeResponse) -> None:
        self.name = req.path

    def middle_after(self, req: SlimeRequest, resp: SlimeResponse) -> None:
        resp.plain(self.name)


class Calming(SlimeMiddleware):
    """Makes everything a 200."""

    def middle_after(self, req: SlimeRequest, resp: SlimeResponse) -> None:
        resp.set_status(200)


@pytest.mark.parametrize(
    ("make", "test"),
    [
        (Selfish, "test_it_keeps_nothing_of_a_request_on_itself"),
        (Selfish, "test_what_it_lets_pass_is_answered_by_the_handler"),
        (Selfish, "test_answers_of_many_threads_do_not_mix"),
        (Calming, "test_the_error_of_a_handler_stays_one"),
    ],
)
def test_the_suite_of_middleware_finds(make: Callable[[], SlimeMiddleware], test: str) -> None:
    suite = TestTiming()
    TestTiming.make, right = make, TestTiming.make
    try:
        with pytest.raises(AssertionError):
            getattr(suite, test)()
    finally:
        TestTiming.make = right


def shout(route: RouteSpec, handler: Callable[..., Any]) -> Callable[..., Any]:
    def run(req: SlimeRequest, resp: SlimeResponse) -> str:
        return str(handler(req, resp).upper())

    async def run_async(req: SlimeRequest, resp: SlimeResponse) -> str:
        return str((await handler(req, resp)).upper())

    return run_async if route.is_async else run


class Shout:
    def __init__(self, wrap: Callable[..., Any] = shout, *, greedy: bool = False) -> None:
        self._wrap = wrap
        self._greedy = greedy

    @hookimpl
    def slime_route_options(self) -> Sequence[RouteOption]:
        return [RouteOption("shout", default=False, validate=bool)]

    @hookimpl
    def slime_route_kind(self, route: RouteSpec) -> RouteKind | None:
        return RouteKind("shout", self._wrap) if self._greedy or route.options["shout"] else None


class TestShout(contracts.RouteKindContract):
    options: ClassVar = {"shout": True}
    make: Callable[[], object] = Shout

    def plugin(self) -> object:
        return type(self).make()

    def handler(self) -> Callable[..., Any]:
        return lambda req, resp: "is anybody there"

    def async_handler(self) -> Callable[..., Any]:
        async def handler(req: SlimeRequest, resp: SlimeResponse) -> str:
            return "is anybody there"

        return handler

    def check(self, answer: TestResponse) -> None:
        assert answer.text == "IS ANYBODY THERE"


def whisper(route: RouteSpec, handler: Callable[..., Any]) -> Callable[..., Any]:
    return handler


@pytest.mark.parametrize(
    ("make", "test"),
    [
        (lambda: Shout(whisper), "test_plain_handlers_and_coroutines_answer_alike"),
        (lambda: Shout(whisper), "test_many_threads_and_a_second_start"),
        (lambda: Shout(greedy=True), "test_the_kind_claims_its_routes_alone"),
    ],
)
def test_the_suite_of_route_kinds_finds(make: Callable[[], object], test: str) -> None:
    suite = TestShout()
    TestShout.make, right = make, TestShout.make
    try:
        with pytest.raises(AssertionError):
            getattr(suite, test)()
    finally:
        TestShout.make = right


class Recorded:
    """One hook that returns, one that raises, one that nobody calls, and a method that is no hook."""

    @hookimpl
    def slime_app_members(self, app: Slime) -> dict[str, Any]:
        return {"page": self.page}

    @hookimpl
    def slime_route_added(self, route: RouteSpec) -> None:
        if route.path == "/wrong":
            raise ValueError("wrong")

    @hookimpl
    def slime_stopping(self, app: Slime) -> None:
        return None

    def page(self) -> str:
        return "page"


def test_a_recorder_notes_arguments_results_errors_and_threads() -> None:
    recorder = HookRecorder(Recorded())
    app = plugin_app(recorder)
    assert app.page() == "page"
    app.route(path="/")(lambda req, resp: None)
    with pytest.raises(Exception, match="plugin 'Recorded' failed in slime_route_added: ValueError: wrong"):
        app.route(path="/wrong")(lambda req, resp: None)
    assert recorder.names() == ["slime_app_members", "slime_route_added", "slime_route_added"]
    (members,) = recorder.of("slime_app_members")
    assert (members.arguments, set(members.result), members.error) == ({"app": app}, {"page"}, None)
    assert members.thread == "MainThread"
    right, wrong = recorder.of("slime_route_added")
    assert (right.arguments["route"].path, right.error) == ("/", None)
    assert str(wrong.error) == "wrong"


def test_a_recorder_waits_for_coroutines() -> None:
    class Later:
        @hookimpl
        async def slime_startup(self, app: Slime) -> None:
            app.state["started"] = True

    recorder = HookRecorder(Later())
    app = plugin_app(recorder)
    app.route(path="/")(lambda req, resp: resp.json(app.state["started"]))
    with TestClient(app) as client:
        assert client.get("/").json() is True
    (call,) = recorder.of("slime_startup")
    assert (call.arguments, call.result) == ({"app": app}, None)


@pytest.fixture
def app() -> Slime:
    app = plugin_app()
    app.route(path="/")(lambda req, resp: resp.plain("hello"))
    return app


def test_slime_client(slime_client: TestClient) -> None:
    assert slime_client.get("/").text == "hello"


def test_slime_server(slime_server: TestClient) -> None:
    assert slime_server.url == f"http://127.0.0.1:{slime_server.port}"
    assert slime_server.get("/").text == "hello"
