"""Routers: declared without an application, included in some."""

from __future__ import annotations

import re
from typing import Any

import pytest

from slimeweb import HttpError, Router, Slime, SlimeMiddleware
from slimeweb.errors import (
    ConfigError,
    InvalidHandler,
    InvalidMiddlewareHandlerType,
    MultipleRouteException,
    RouteHandlerNotFoundException,
)
from slimeweb.testing import TestClient

HERE = re.escape(__file__)


class Mark(SlimeMiddleware):
    """Leaves its name in a header, the outermost first."""

    def __init__(self, name: str) -> None:
        self.name = name

    def middle_before(self, req: Any, resp: Any) -> None:
        resp.add_header("X-Mark", self.name)


def marks(response: Any) -> list[str]:
    return [value for name, value in response.header_list if name == "x-mark"]


def application(*includes: Router, **arguments: Any) -> Slime:
    app = Slime(__file__)
    for router in includes:
        app.include(router, **arguments)
    return app


def params(req: Any, resp: Any) -> Any:
    return resp.json(req.params)


async def params_async(req: Any, resp: Any) -> Any:
    return resp.json(req.params)


def paths(app: Slime) -> list[str]:
    return [route.path for route in app.routes]


def notes(error: BaseException) -> str:
    return "\n".join(error.__notes__)


@pytest.mark.parametrize("handler", [params, params_async])
def test_a_router_declares_its_routes_where_it_is_included(handler: Any) -> None:
    users = Router("/users")
    users.get("/{id:int}")(handler)
    with TestClient(application(users)) as client:
        assert client.get("/users/7").json() == {"id": 7}
        assert client.get("/7").status_code == 404


def test_a_decorator_of_a_router_returns_the_function() -> None:
    assert Router("/users").get("/")(params) is params


def test_prefix_replaces_that_of_the_router_and_nested_ones_add_up() -> None:
    inner, outer = Router("/inner"), Router("/outer")
    inner.get("/x")(params)
    outer.include(inner)
    outer.include(inner, prefix="/other")
    app = application(outer)
    app.include(outer, prefix="")
    assert paths(app) == ["/outer/inner/x", "/outer/other/x", "/inner/x", "/other/x"]


def test_a_prefix_may_hold_parameters() -> None:
    users = Router("/{tenant}/users")
    users.get("/{id:int}")(params)
    with TestClient(application(users)) as client:
        assert client.get("/acme/users/7").json() == {"tenant": "acme", "id": 7}


def test_the_empty_path_is_the_prefix_itself_and_a_slash_has_the_slash() -> None:
    users = Router("/users")
    users.get("")(lambda req, resp: "bare")
    users.get("/")(lambda req, resp: "slash")
    only = Router("/only")
    only.get("")(lambda req, resp: "bare")
    with TestClient(application(users, only)) as client:
        assert client.get("/users").text == "bare"
        assert client.get("/users/").text == "slash"
        assert client.get("/only/", follow_redirects=False).status_code == 404


@pytest.mark.parametrize("prefix", ["users", "/users/", "/", 7, "/{id"])
def test_a_prefix_that_will_not_do_is_refused_at_once(prefix: Any) -> None:
    with pytest.raises(InvalidHandler):
        Router(prefix)
    with pytest.raises(InvalidHandler):
        Slime(__file__).include(Router(), prefix=prefix)


def test_a_path_without_a_slash_is_refused() -> None:
    users = Router("/users")
    users.get("new")(params)
    with pytest.raises(InvalidHandler, match=r"'new'.*starts with a slash, or '' for the prefix itself"):
        application(users)


def test_options_of_a_route_count_over_those_of_the_include_and_these_over_the_routers() -> None:
    inner = Router("/inner", body_size=1)
    inner.post("/own", body_size=5)(params)
    inner.post("/a")(params)
    outer = Router("/outer", body_size=3)
    outer.include(inner)
    outer.post("/b")(params)
    app = application(outer, body_size=4)
    app.include(inner, body_size=2)
    assert {route.path: route.body_size for route in app.routes} == {
        "/outer/inner/own": 5,
        "/outer/inner/a": 1,
        "/outer/b": 4,
        "/inner/own": 5,
        "/inner/a": 2,
    }


def test_options_of_plugins_have_the_same_order() -> None:
    router = Router("/x", stream="text/csv")
    router.get("/a")(params)
    router.get("/b", stream="text/plain")(params)
    assert [route.options["stream"] for route in application(router).routes] == ["text/csv", "text/plain"]


def test_plugin_adds_up_the_include_outside_of_the_router_and_that_outside_of_the_route() -> None:
    inner = Router("/inner", plugin=Mark("inner"))
    inner.get("/x", plugin=[Mark("route")])(params)
    outer = Router("/outer", plugin=[Mark("outer")])
    outer.include(inner, plugin=Mark("include of inner"))
    with TestClient(application(outer, plugin=(Mark("include of outer"),))) as client:
        assert marks(client.get("/outer/inner/x")) == [
            "include of outer",
            "outer",
            "include of inner",
            "inner",
            "route",
        ]


def test_what_is_no_middleware_is_refused_where_the_router_is_made() -> None:
    with pytest.raises(InvalidMiddlewareHandlerType):
        Router("/x", plugin=Mark)  # type: ignore[arg-type]


def test_use_on_a_router_holds_for_its_routes_and_nested_ones_in_any_order() -> None:
    inner, outer = Router("/inner"), Router("/outer")
    outer.use(Mark("outer"))
    outer.get("/x")(params)
    inner.get("/x")(params)
    inner.use(Mark("inner"))
    outer.include(inner)
    outer.use(Mark("outer, later"))
    app = application(outer)
    app.get("/outer/none")(params)
    app.use(Mark("app"))
    with TestClient(app) as client:
        assert marks(client.get("/outer/x")) == ["app", "outer", "outer, later"]
        assert marks(client.get("/outer/inner/x")) == ["app", "outer", "outer, later", "inner"]
        assert marks(client.get("/outer/none")) == ["app"]
        assert marks(client.get("/outer/nothing")) == ["app"]


def test_two_routers_at_one_path_keep_their_middleware_apart() -> None:
    readers, writers = Router("/x"), Router("/x")
    readers.get("")(params)
    readers.use(Mark("readers"))
    writers.post("")(params)
    writers.use(Mark("writers"))
    with TestClient(application(readers, writers)) as client:
        assert marks(client.get("/x")) == ["readers"]
        assert marks(client.post("/x")) == ["writers"]


def test_a_preflight_meets_the_middleware_of_the_router_whose_route_it_asks_for() -> None:
    class Guard(Mark):
        answers_options = True

    readers, writers = Router("/x"), Router("/x")
    readers.get("")(params)
    readers.use(Guard("readers"))
    writers.post("")(params)
    with TestClient(application(readers, writers)) as client:
        answer = client.options("/x", headers={"Origin": "http://a", "Access-Control-Request-Method": "GET"})
        assert marks(answer) == ["readers"]
        answer = client.options("/x", headers={"Origin": "http://a", "Access-Control-Request-Method": "POST"})
        assert marks(answer) == []


def test_functions_of_a_router_hold_for_its_routes() -> None:
    users = Router("/users")

    @users.middle_before()
    def before(req: Any, resp: Any) -> None:
        resp.set_header("X-Before", "1")

    @users.middle_after(path="/b")
    def after(req: Any, resp: Any) -> None:
        resp.set_header("X-After", "1")

    @users.middle_around()
    def around(req: Any, resp: Any) -> Any:
        yield
        resp.set_header("X-Around", "1")

    users.get("/a")(params)
    users.get("/b")(params)
    app = application(users)
    app.get("/c")(params)
    with TestClient(app) as client:
        found = {path: client.get(path).headers for path in ("/users/a", "/users/b", "/c")}
    assert ["x-before" in headers for headers in found.values()] == [True, True, False]
    assert ["x-around" in headers for headers in found.values()] == [True, True, False]
    assert ["x-after" in headers for headers in found.values()] == [False, True, False]


def test_middleware_for_a_path_that_the_router_lacks_is_an_error() -> None:
    users = Router("/users")
    users.get("/a")(params)
    users.use(Mark("x"), path="/b")
    with pytest.raises(RouteHandlerNotFoundException, match="/users/b"):
        application(users)


@pytest.mark.parametrize("is_async", [False, True])
def test_error_handlers_of_a_router_hold_for_its_routes_and_not_for_404s(is_async: bool) -> None:
    def fail(req: Any, resp: Any) -> None:
        raise {"key": KeyError, "value": ValueError, "http": lambda: HttpError(404)}[req.params["what"]]()

    async def fail_async(req: Any, resp: Any) -> None:
        fail(req, resp)

    inner, outer = Router("/inner"), Router("/outer")
    for router in (inner, outer):
        router.get("/{what}")(fail_async if is_async else fail)
    inner.error(KeyError)(lambda req, resp, exc: "inner KeyError")
    outer.include(inner)
    outer.error(404)(lambda req, resp: "outer 404")
    outer.error(LookupError)(lambda req, resp: "outer LookupError")
    app = application(outer)
    app.error(404)(lambda req, resp: "app 404")
    app.error(ValueError)(lambda req, resp: "app ValueError")
    with TestClient(app) as client:
        assert client.get("/outer/inner/key").text == "inner KeyError"
        assert client.get("/outer/inner/value").text == "app ValueError"
        assert client.get("/outer/inner/http").text == "outer 404"
        assert client.get("/outer/key").text == "outer LookupError"
        assert client.get("/outer/http").text == "outer 404"
        assert client.get("/outer/no/where/at/all").text == "app 404"
        assert client.get("/").text == "app 404"


def test_a_body_that_is_too_long_reaches_the_error_handler_of_the_router() -> None:
    users = Router("/users", body_size=3)
    users.post("")(params)
    users.error(400)(lambda req, resp: resp.plain("users: too long", status=400))
    with TestClient(application(users)) as client:
        assert client.post("/users", content=b"four").text == "users: too long"


def test_start_and_end_become_the_applications_once() -> None:
    calls: list[str] = []
    inner, outer = Router("/inner"), Router("/outer")
    inner.get("")(params)
    inner.start()(lambda: calls.append("start"))
    inner.end()(lambda error: calls.append("end"))
    outer.include(inner)
    app = application(inner, outer)
    app.include(outer, prefix="/again")
    with TestClient(app):
        assert calls == ["start"]
    assert calls == ["start", "end"]
    with TestClient(application(inner)):
        assert calls == ["start", "end", "start"]


def test_an_error_of_a_declaration_names_the_place_in_the_router_and_that_of_the_include() -> None:
    users, outer = Router("/users"), Router("/outer")
    users.get("/{id", blocking=True)(params)
    outer.include(users)
    with pytest.raises(InvalidHandler) as raised:
        application(outer)
    assert len(re.findall(rf"declared at {HERE}:\d+ by Router\('/users'\) of {HERE}:\d+", notes(raised.value))) == 1
    assert len(re.findall(rf"was included at {HERE}:\d+", notes(raised.value))) == 2


def test_conflicts_are_those_of_the_application_and_name_the_includes() -> None:
    users = Router("/users")
    users.get("")(params)
    app = application(users)
    with pytest.raises(MultipleRouteException, match=rf"included at {HERE}:\d+ for /users and .*included at {HERE}"):
        app.include(users)


def test_an_unknown_option_is_an_error_of_the_include() -> None:
    users = Router("/users", body_sise=4)  # type: ignore[call-arg]
    users.get("")(params)
    with pytest.raises(TypeError, match="did you mean 'body_size'") as raised:
        application(users)
    assert "declared at" in notes(raised.value)


def test_an_include_that_fails_leaves_nothing() -> None:
    users = Router("/users")
    users.get("/a")(params)
    users.use(Mark("x"))
    users.get("/a")(params)
    app = Slime(__file__)
    with pytest.raises(MultipleRouteException):
        app.include(users)
    assert app.routes == app.registrations == ()


def test_a_declaration_after_the_include_is_an_error_that_says_where_that_was() -> None:
    users, outer = Router("/users"), Router("/outer")
    late = users.get("/late")
    outer.include(users)
    message = rf"Router\('/users'\) of {HERE}:\d+ was included at {HERE}:\d+, and route at {HERE}:\d+ comes too late"
    for declare in (lambda: users.get("/x")(params), lambda: late(params)):
        with pytest.raises(ConfigError, match=message):
            declare()


def test_routers_cannot_include_each_other() -> None:
    one, other = Router("/one"), Router("/other")
    with pytest.raises(ConfigError, match="includes itself"):
        one.include(one)
    one.include(other)
    with pytest.raises(ConfigError, match="comes too late"):
        other.include(one)


def test_a_decorator_without_parentheses_is_refused_at_once() -> None:
    users = Router("/users")
    for decorate in (users.get, users.route, users.start, users.middle_before, users.error):
        with pytest.raises(InvalidHandler, match="parentheses"):
            decorate(params)  # type: ignore[operator]


@pytest.mark.parametrize("what", [Router, "users", None])
def test_what_is_no_router_is_not_included(what: Any) -> None:
    for on in (Slime(__file__), Router()):
        with pytest.raises(TypeError, match="give a Router"):
            on.include(what)


def test_get_post_put_patch_and_delete_declare_a_method_on_applications_and_routers() -> None:
    app, router = Slime(__file__), Router("/below")
    for on in (app, router):
        for method in ("get", "post", "put", "patch", "delete"):
            getattr(on, method)("/x")(lambda req, resp: req.method)
    app.include(router)
    with TestClient(app) as client:
        for path in ("/x", "/below/x"):
            for method in ("GET", "POST", "PUT", "PATCH", "DELETE"):
                assert client.request(method, path).text == method


def test_declaring_members_of_plugins_are_recorded_and_have_prefix_and_middleware() -> None:
    feed = Router("/feed", plugin=Mark("feed"))

    @feed.docs(title="The feed", tags=["news"])
    @feed.stream("/lines")
    def lines(req: Any, resp: Any) -> None:
        resp.start_stream()
        resp.send("a line")

    app = application(feed)
    app.include(feed, prefix="/v2/feed")
    with TestClient(app) as client:
        for path in ("/feed/lines", "/v2/feed/lines"):
            answer = client.get(path)
            assert (answer.text, marks(answer)) == ("a line", ["feed"])
    document = app.docs.document()
    assert [document["paths"][path]["get"]["summary"] for path in sorted(document["paths"])] == ["The feed"] * 2


def test_a_document_lists_routes_under_the_name_of_their_router() -> None:
    users, outer = Router("/users", name="users"), Router("/outer", name="outer")
    users.get("/a")(params)
    users.docs(tags=["own"])(users.get("/b")(params_async))
    outer.include(users, name="members")
    outer.get("/c")(params)
    paths = application(users, outer).docs.document()["paths"]
    assert {path: methods["get"]["tags"] for path, methods in paths.items()} == {
        "/users/a": ["users"],
        "/users/b": ["own"],
        "/outer/users/a": ["members"],
        "/outer/users/b": ["own"],
        "/outer/c": ["outer"],
    }


def test_a_member_that_no_plugin_has_is_an_error_of_the_include() -> None:
    users: Any = Router("/users")
    users.pots("/x")(params)
    with pytest.raises(AttributeError, match="no attribute 'pots'") as raised:
        application(users)
    assert "declared at" in notes(raised.value)


def test_what_an_application_has_for_itself_is_no_member_of_a_router() -> None:
    users: Any = Router("/users")
    users.room("hall")
    with pytest.raises(AttributeError, match=r"a router cannot have 'room': use app\.room"):
        application(users)


@pytest.mark.parametrize("path", ["/api/*", "/{tenant}/api/*"])
def test_use_for_a_path_with_a_star_is_for_the_patterns_at_it_and_below_later_ones_too(path: str) -> None:
    above = path.removesuffix("/*")
    app = Slime(__file__)
    app.get(above)(params)
    app.use(Mark("api"), path=path)
    app.get(f"{above}/x/{{id}}")(params)
    app.get(f"{above}x")(params)
    app.get("/")(params)
    router = Router(f"{above}/users", plugin=Mark("router"))
    router.get("")(params)
    app.include(router)
    place = above.replace("{tenant}", "acme")
    with TestClient(app) as client:
        assert marks(client.get(place)) == ["api"]
        assert marks(client.get(f"{place}/x/7")) == ["api"]
        assert marks(client.get(f"{place}/users")) == ["api", "router"]
        for other in (f"{place}x", "/", f"{place}/nothing"):
            assert marks(client.get(other)) == []


def test_a_route_that_can_match_below_the_path_of_middleware_is_warned_of(caplog: pytest.LogCaptureFixture) -> None:
    app = Slime(__file__)
    app.get("/api/7/x")(params)
    for path in ("/{a}/{b}/x", "/{a}/{b:int}/y", "/{*rest}", "/a{b}", "/{a:int}/x", "/{a}", "/x{a}/y", "/apix/{a}"):
        app.get(path)(params)
    app.use(Mark("api"), path="/api/*")
    with TestClient(app) as client:
        assert marks(client.get("/api/8/x")) == []
    warned = [record.getMessage() for record in caplog.records if "does not hold for" in record.getMessage()]
    found = [re.search(r"does not hold for GET (\S+) ", line) for line in warned]
    assert [match[1] for match in found if match] == ["/{a}/{b}/x", "/{a}/{b:int}/y", "/{*rest}", "/a{b}", "/{a}"]


def test_middleware_for_what_is_below_a_path_where_there_is_nothing_fails_at_the_start() -> None:
    app = Slime(__file__)
    app.get("/api/x")(params)
    app.use(Mark("x"), path="/apo/*")
    with (
        pytest.raises(RouteHandlerNotFoundException, match=r"path='/apo/\*'.*none at that path or below"),
        TestClient(app),
    ):
        pass
