"""Middleware as users declare it: scope, order, sync or async, and the mistakes that are caught."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator
from typing import Any

import pytest

from slimeweb import Slime, SlimeMiddleware, SlimeRequest, SlimeResponse
from slimeweb.errors import ConfigError, InvalidHandler, InvalidMiddlewareHandlerType, RouteHandlerNotFoundException
from slimeweb.testing import TestClient


class Mark(SlimeMiddleware):
    """Leaves its name in a header, on the way in and out."""

    def __init__(self, name: str) -> None:
        self.name = name

    def middle_before(self, req: SlimeRequest, resp: SlimeResponse) -> None:
        resp.add_header("X-In", self.name)

    def middle_after(self, req: SlimeRequest, resp: SlimeResponse) -> None:
        resp.add_header("X-Out", self.name)


class MarkLater(Mark):
    async def middle_before(self, req: SlimeRequest, resp: SlimeResponse) -> None:  # type: ignore[override]
        resp.add_header("X-In", self.name)


def marks(response: Any) -> tuple[list[str], list[str]]:
    return response.header_all("x-in"), response.header_all("x-out")


def home(req: SlimeRequest, resp: SlimeResponse) -> str:
    return "hello"


async def home_later(req: SlimeRequest, resp: SlimeResponse) -> str:
    return "hello"


@pytest.mark.parametrize("handler", [home, home_later])
def test_order(handler: Any) -> None:
    app = Slime(__file__)
    app.route("/", plugin=[Mark("route 1"), Mark("route 2")])(handler)
    app.use(Mark("path"), path="/")
    app.use(Mark("app 1"))
    app.use(Mark("app 2"))
    with TestClient(app) as client:
        inward = ["app 1", "app 2", "route 1", "route 2", "path"]
        assert marks(client.get("/")) == (inward, inward[::-1])


def test_functions_run_in_the_order_declared() -> None:
    app = Slime(__file__)
    app.route("/")(home)
    for name in ("a", "b"):
        app.middle_before("/")(lambda req, resp, name=name: resp.add_header("X-In", name))
        app.middle_after("/")(lambda req, resp, name=name: resp.add_header("X-Out", name))
    with TestClient(app) as client:
        assert marks(client.get("/")) == (["a", "b"], ["a", "b"])


def test_scope_by_path_and_method() -> None:
    app = Slime(__file__)
    app.route("/a", method=["GET", "POST"])(home)
    app.route("/b", method="*")(home)
    app.route("/c/{id:int}")(home)
    app.use(Mark("a post"), method="post", path="/a")
    app.use(Mark("b put"), method=["PUT"], path="/b")
    app.use(Mark("c"), path="/c/{number:int}")
    app.use(Mark("every get"), method="GET")
    with TestClient(app) as client:
        found = {
            (method, path): marks(client.request(method, path))[0]
            for method, path in [("GET", "/a"), ("POST", "/a"), ("PUT", "/b"), ("BREW", "/b"), ("GET", "/c/1")]
        }
    assert found == {
        ("GET", "/a"): ["every get"],
        ("POST", "/a"): ["a post"],
        ("PUT", "/b"): ["b put"],
        ("BREW", "/b"): [],
        ("GET", "/c/1"): ["every get", "c"],
    }


def test_middleware_for_everything_sees_refusals_and_later_routes() -> None:
    app = Slime(__file__)
    app.route("/")(home)
    app.use(Mark("all"))
    app.route("/later")(home_later)
    with TestClient(app) as client:
        for method, path, status in [("GET", "/nowhere", 404), ("POST", "/", 405), ("GET", "/later", 200)]:
            response = client.request(method, path)
            assert (response.status_code, marks(response)) == (status, (["all"], ["all"]))


def test_asynchronous_middleware_for_everything_sees_refusals() -> None:
    app = Slime(__file__)
    app.route("/")(home_later)
    app.use(MarkLater("all"))
    with TestClient(app) as client:
        assert marks(client.get("/nowhere")) == (["all"], ["all"])
        assert marks(client.options("/")) == (["all"], ["all"])


@pytest.mark.parametrize("handler", [home, home_later])
def test_a_before_that_answers_ends_the_request(handler: Any) -> None:
    class Door(SlimeMiddleware):
        def middle_before(self, req: SlimeRequest, resp: SlimeResponse) -> SlimeResponse | None:
            return resp.plain("who are you?", status=401) if "authorization" not in req.header else None

    app = Slime(__file__)
    app.route("/", plugin=[Mark("outside"), Door(), Mark("inside")])(handler)
    with TestClient(app) as client:
        refused = client.get("/")
        assert (refused.status_code, refused.text, marks(refused)) == (401, "who are you?", (["outside"], ["outside"]))
        assert client.get("/", headers={"Authorization": "me"}).text == "hello"


def test_a_value_that_a_before_returns_is_the_answer() -> None:
    app = Slime(__file__)
    app.route("/")(home)
    app.middle_before("/")(lambda req, resp: {"from": "before"})
    with TestClient(app) as client:
        assert client.get("/").json() == {"from": "before"}


def test_options_is_answered_with_allow_inside_of_middleware() -> None:
    app = Slime(__file__)
    app.route("/", method="GET", plugin=Mark("get"))(home)
    app.route("/", method="POST")(home_later)
    with TestClient(app) as client:
        response = client.options("/")
        assert (response.status_code, response.headers["allow"]) == (204, "GET, HEAD, OPTIONS, POST")
        assert marks(response) == (["get"], ["get"])


def test_an_options_route_of_the_users_own_is_left_alone() -> None:
    app = Slime(__file__)
    app.route("/", method=["GET", "OPTIONS"])(home)
    with TestClient(app) as client:
        assert client.options("/").text == "hello"


def test_what_middleware_sets_on_the_request_the_handler_sees() -> None:
    app = Slime(__file__)
    app.route("/")(lambda req, resp: resp.plain(req.user))
    app.middle_before("/")(lambda req, resp: setattr(req, "user", "Ada"))
    with TestClient(app) as client:
        assert client.get("/").text == "Ada"


def test_middleware_before_its_route_is_refused() -> None:
    app = Slime(__file__)
    for declare in (
        lambda: app.use(Mark("a")),
        lambda: app.use(Mark("a"), path="/"),
        lambda: app.middle_before("/")(home),
        lambda: app.middle_after("*")(home),
    ):
        with pytest.raises(RouteHandlerNotFoundException, match=r"has no route yet"):
            declare()
    app.route("/", method="GET")(home)
    with pytest.raises(RouteHandlerNotFoundException, match=r"has no route for POST"):
        app.middle_before("/", method=["GET", "POST"])(home)
    with pytest.raises(RouteHandlerNotFoundException, match=r"has no route yet"):
        app.middle_before("/", method="POST")(home)


def test_a_plain_function_on_an_async_route_is_refused_and_the_reverse() -> None:
    app = Slime(__file__)
    app.route("/sync")(home)
    app.route("/async")(home_later)
    with pytest.raises(InvalidMiddlewareHandlerType, match=r"home_later .* is async def, but the route GET /sync"):
        app.middle_before("/sync")(home_later)
    with pytest.raises(InvalidMiddlewareHandlerType, match=r"needs async def like its handler"):
        app.middle_after("/async")(home)
    with pytest.raises(InvalidMiddlewareHandlerType):
        app.middle_after("*")(home)


def test_asynchronous_middleware_on_a_synchronous_route_is_refused() -> None:
    app = Slime(__file__)
    app.route("/")(home_later)
    app.use(MarkLater("later"))
    app.route("/sync")(home)
    with pytest.raises(InvalidMiddlewareHandlerType, match=r"MarkLater.middle_before is async def"), TestClient(app):
        pass
    with pytest.raises(InvalidMiddlewareHandlerType):
        app.route("/other", plugin=MarkLater("later"))(home)


class Halves(SlimeMiddleware):
    """Says which of its methods have run."""

    def middle_before(self, req: SlimeRequest, resp: SlimeResponse) -> None:
        resp.add_header("X-Ran", "before")

    def middle_after(self, req: SlimeRequest, resp: SlimeResponse) -> None:
        resp.add_header("X-Ran", "after")

    async def middle_before_async(self, req: SlimeRequest, resp: SlimeResponse) -> None:
        await asyncio.sleep(0)
        resp.add_header("X-Ran", "before_async")

    async def middle_after_async(self, req: SlimeRequest, resp: SlimeResponse) -> None:
        await asyncio.sleep(0)
        resp.add_header("X-Ran", "after_async")


class AfterLater(SlimeMiddleware):
    """Has the asynchronous half of one method."""

    middle_before = Halves.middle_before
    middle_after = Halves.middle_after
    middle_after_async = Halves.middle_after_async


class Later(SlimeMiddleware):
    """Has no plain half."""

    middle_before_async = Halves.middle_before_async
    middle_after = Halves.middle_after


@pytest.mark.parametrize("scope", ["application", "route", "path"])
@pytest.mark.parametrize(
    ("middleware", "plain", "later"),
    [
        (Halves(), ["before", "after"], ["before_async", "after_async"]),
        (AfterLater(), ["before", "after"], ["before", "after_async"]),
    ],
)
def test_the_asynchronous_half_runs_around_coroutines_and_the_plain_one_around_the_rest(
    middleware: SlimeMiddleware, plain: list[str], later: list[str], scope: str
) -> None:
    app = Slime(__file__)
    own = middleware if scope == "route" else None
    app.route("/plain", plugin=own)(home)
    app.route("/later", plugin=own)(home_later)
    if scope != "route":
        for path in ["*"] if scope == "application" else ["/plain", "/later"]:
            app.use(middleware, path=path)
    with TestClient(app) as client:
        assert client.get("/plain").header_all("x-ran") == plain
        assert client.get("/later").header_all("x-ran") == later
        if scope == "application":
            # Where nothing needs the event loop.
            assert client.get("/nowhere").header_all("x-ran") == plain
            assert client.options("/later").header_all("x-ran") == plain


def test_middleware_without_a_plain_half_is_refused_on_plain_handlers_alone() -> None:
    app = Slime(__file__)
    app.route("/later")(home_later)
    app.use(Later())
    with TestClient(app) as client:
        assert client.get("/later").header_all("x-ran") == ["before_async", "after"]
        assert client.get("/nowhere").header_all("x-ran") == ["before_async", "after"]
    message = "Later has middle_before_async alone and cannot serve the plain def .*: give it a plain middle_before"
    with pytest.raises(InvalidMiddlewareHandlerType, match=message):
        app.route("/plain", plugin=Later())(home)
    app.route("/plain")(home)
    with pytest.raises(InvalidMiddlewareHandlerType, match=message), TestClient(app):
        pass


class Wrong(SlimeMiddleware):
    """Returns what is no answer."""

    def __init__(self, position: str) -> None:
        self.position = position

    def middle_before(self, req: SlimeRequest, resp: SlimeResponse) -> object:
        return 7 if self.position == "before" else None

    def middle_after(self, req: SlimeRequest, resp: SlimeResponse) -> object:
        return 7 if self.position == "after" else None


@pytest.mark.parametrize("position", ["before", "after"])
@pytest.mark.parametrize("handler", [home, home_later])
def test_middleware_that_returns_no_answer_is_named(
    handler: Any, position: str, caplog: pytest.LogCaptureFixture
) -> None:
    app = Slime(__file__)
    app.route("/", plugin=[Mark("fine"), Wrong(position)])(handler)
    with TestClient(app) as client:
        assert client.get("/").status_code == 500
    (error,) = [record.exc_info[1] for record in caplog.records if record.exc_info]
    assert re.match(rf".*\.Wrong\.middle_{position} \(.*test_middleware.py:\d+\) returned an int: return ", str(error))


@pytest.mark.parametrize("middleware", [Mark, object(), "Mark", home])
def test_what_is_not_middleware_is_refused(middleware: Any) -> None:
    app = Slime(__file__)
    app.route("/")(home)
    with pytest.raises(InvalidMiddlewareHandlerType):
        app.use(middleware)
    with pytest.raises(InvalidMiddlewareHandlerType):
        app.route("/other", plugin=[middleware])


class Nothing(SlimeMiddleware):
    def helper(self) -> None:
        pass


def guard_with(*names: str) -> SlimeMiddleware:
    """A guard whose methods have these names."""
    kind: type[SlimeMiddleware] = type("Guard", (SlimeMiddleware,), dict.fromkeys(names, staticmethod(home)))
    return kind()


def guard_of(before: Any) -> SlimeMiddleware:
    """A guard with this method."""
    kind: type[SlimeMiddleware] = type("Guard", (SlimeMiddleware,), {"middle_before": before})
    return kind()


def generating(self: object, req: SlimeRequest, resp: SlimeResponse) -> Iterator[None]:
    yield


@pytest.mark.parametrize(
    ("middleware", "message"),
    [
        (SlimeMiddleware(), "SlimeMiddleware has neither middle_before nor middle_after nor middle_around"),
        (Nothing(), "Nothing has neither middle_before nor middle_after nor middle_around and would do nothing"),
        (guard_with("before"), "Guard.before would never run: name it middle_before"),
        (guard_with("after"), "Guard.after would never run: name it middle_after"),
        (guard_with("middle_befor"), "Guard.middle_befor would never run: name it middle_before"),
        (guard_with("middleBefore"), "Guard.middleBefore would never run: name it middle_before"),
        (guard_with("middleware_before"), "Guard.middleware_before would never run: name it middle_before"),
        (guard_with("on_after"), "Guard.on_after would never run: name it middle_after"),
        (guard_with("middle_after", "before_middle"), "Guard.before_middle would never run: name it middle_before"),
        (guard_with("middle_after", "_middle_before"), "Guard._middle_before would never run: name it middle_before"),
        (guard_with("before_async"), "Guard.before_async would never run: name it middle_before_async"),
        (
            guard_with("middle_before", "middle_async_after"),
            "Guard.middle_async_after would never run: name it middle_after_async",
        ),
        (guard_with("middle_before_async"), "Guard.middle_before_async is a plain def: make it async def"),
        (
            type("Guard", (Halves,), {"middle_after": Halves.middle_after_async})(),
            "Guard.middle_after is async def beside middle_after_async: make it a plain def",
        ),
        (guard_of(lambda self, req: None), "Guard.middle_before needs a function of two arguments"),
        (guard_of(lambda self, req, resp, error: None), "Guard.middle_before needs a function of two arguments"),
        (guard_of(generating), "Guard.middle_before .* is a generator"),
        (guard_of(None), "Guard.middle_before needs a function of two arguments .*, not None"),
        (guard_with("middle_after", "middle_befor"), "Guard.middle_befor would never run: name it middle_before"),
    ],
)
def test_middleware_that_would_do_nothing_is_refused(middleware: SlimeMiddleware, message: str) -> None:
    app = Slime(__file__)
    app.route("/")(home)
    with pytest.raises(InvalidMiddlewareHandlerType, match=message):
        app.use(middleware)
    with pytest.raises(InvalidMiddlewareHandlerType, match=message):
        app.route("/other", plugin=[Mark("fine"), middleware])


def test_helpers_of_middleware_are_left_alone() -> None:
    app = Slime(__file__)
    app.route("/", plugin=guard_with("middle_before", "after", "before_all", "middle_before_all"))(home)


def test_only_the_innermost_of_middleware_that_replaces_runs() -> None:
    class Base(Mark):
        replaces_outer = True

    class Derived(Base):
        pass

    class Apart(Mark):
        replaces_outer = True

    app = Slime(__file__)
    app.route("/", plugin=[Apart("apart"), Derived("route")])(home)
    same = Base("same")
    app.route("/twice", plugin=[same, Mark("plain"), same])(home_later)
    app.use(Base("app"))
    app.use(Mark("plain app"))
    with TestClient(app) as client:
        assert marks(client.get("/"))[0] == ["plain app", "apart", "route"]
        assert marks(client.get("/twice"))[0] == ["plain app", "plain", "same"]
        assert marks(client.get("/nowhere"))[0] == ["app", "plain app"]


def test_a_function_takes_two_arguments() -> None:
    app = Slime(__file__)
    app.route("/")(home)
    with pytest.raises(InvalidHandler, match=r"middle_before needs a function of two arguments"):
        app.middle_before("/")(lambda req: None)


def test_nothing_is_declared_while_serving() -> None:
    app = Slime(__file__)
    app.route("/")(home)
    with TestClient(app):
        for declare in (
            lambda: app.route("/more")(home),
            lambda: app.use(Mark("late")),
            lambda: app.middle_before("/")(home),
            lambda: app.error(404)(home),
            lambda: app.start()(lambda: None),
            lambda: app.end()(lambda error: None),
            lambda: app.static_route("/files", "."),
        ):
            with pytest.raises(ConfigError, match=r"while the application is being served"):
                declare()
    app.route("/more")(home)
