"""The plugin contract at work: one test per hook, each with a plugin that only this test knows, over real sockets."""

from __future__ import annotations

import argparse
import codecs
import logging
import re
import socket
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from slimeweb import (
    HandlerWrapper,
    Resource,
    RouteKind,
    RouteOption,
    Router,
    RouteSpec,
    ServeOption,
    Slime,
    SlimeMiddleware,
    SlimeRequest,
    SlimeResponse,
    hookimpl,
    hookspec,
    hookspecs,
    resource,
)
from slimeweb._core import Transport
from slimeweb.commands import Commands, PluginManager
from slimeweb.errors import ConfigError, InvalidHandler, PluginError
from slimeweb.router import Declarations
from slimeweb.testing import TestClient


@pytest.fixture(autouse=True)
def no_installed_plugins(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is installed beside core has tests of its own."""
    monkeypatch.setenv("SLIME_DISABLE_PLUGINS", "*")


HOOKS = sorted(name for name in vars(hookspecs) if name.startswith("slime_"))


def make(*plugins: object) -> Slime:
    return Slime(__file__, plugins=plugins)


@pytest.mark.parametrize("hook", HOOKS)
def test_every_hook_is_tested_here(hook: str) -> None:
    assert f"test_{hook}" in globals()


def test_calls_of_hooks_are_logged_on_request(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    class Loud:
        name = "loud"

        @hookimpl
        def slime_route_added(self, route: RouteSpec) -> None:
            if route.path == "/wrong":
                raise ValueError("a wrong path")

        @hookimpl
        def slime_route_options(self) -> list[RouteOption]:
            return [RouteOption("volume")]

    def declare() -> list[str]:
        caplog.clear()
        app = make(Loud())
        app.route(path="/")(home)
        with pytest.raises(PluginError):
            app.route(path="/wrong")(home)
        return [record.getMessage() for record in caplog.records if record.name == "slimeweb.hooks"]

    def home(req: SlimeRequest, resp: SlimeResponse) -> None: ...

    # Whatever level the logger is set to ends with this test.
    caplog.set_level("DEBUG", logger="slimeweb.hooks")
    logging.getLogger("slimeweb.hooks").setLevel(logging.NOTSET)
    assert declare() == []
    monkeypatch.setenv("SLIME_TRACE_HOOKS", "1")
    options, added, wrong = declare()
    assert options.startswith("plugin 'loud': slime_route_options() returned [RouteOption(name='volume'")
    assert re.match(r"plugin 'loud': slime_route_added\(route=GET / \(.* returned None, ", added)
    assert re.match(r"plugin 'loud': slime_route_added\(route=GET /wrong \(.* raised ValueError, ", wrong)


def test_slime_addhooks() -> None:
    class Hooks:
        @hookspec
        def shop_order_placed(self, order: str) -> None: ...

    class Shop:
        @hookimpl
        def slime_addhooks(self, plugins: PluginManager) -> None:
            plugins.add_hookspecs(Hooks)

    class Mail:
        def __init__(self) -> None:
            self.sent: list[str] = []

        @hookimpl
        def shop_order_placed(self, order: str) -> None:
            self.sent.append(order)

    # In any order.
    for plugins in ([mail := Mail(), Shop()], [Shop(), mail]):
        make(*plugins).plugins.call("shop_order_placed", order="a book")
    assert mail.sent == ["a book", "a book"]


def test_slime_declarations() -> None:
    class Pages:
        @hookimpl
        def slime_declarations(self, app: Slime, on: Declarations) -> dict[str, Any]:
            def page(path: str, text: str) -> None:
                on.route(path=path)(lambda req, resp: resp.plain(text))

            return {"page": page}

    router: Any = Router("/below")
    router.page("/hello", "Hello from below")
    app = make(Pages())
    app.page("/hello", "Hello")
    app.include(router)
    with TestClient(app) as client:
        assert client.get("/hello").text == "Hello"
        assert client.get("/below/hello").text == "Hello from below"


def test_slime_app_members() -> None:
    class Pages:
        @hookimpl
        def slime_app_members(self, app: Slime) -> dict[str, Any]:
            def page(path: str, text: str) -> None:
                app.route(path=path)(lambda req, resp: resp.plain(text))

            return {"page": page}

    app = make(Pages())
    app.page("/hello", "Hello")
    with TestClient(app) as client:
        assert client.get("/hello").text == "Hello"


def test_slime_ready() -> None:
    class Index:
        @hookimpl
        def slime_ready(self, app: Slime) -> None:
            paths = [route.path for route in app.routes]
            app.route("/index")(lambda req, resp: resp.json(paths))

    app = make(Index())
    app.route("/a")(lambda req, resp: None)
    with TestClient(app) as client:
        assert client.get("/index").json() == ["/a"]


def test_slime_request_members() -> None:
    class Locale:
        @hookimpl
        def slime_request_members(self) -> dict[str, Callable[..., Any]]:
            return {"locale": lambda req, fallback: req.header.get("accept-language", fallback)[:2]}

    app = make(Locale())
    app.route("/")(lambda req, resp: resp.plain(req.locale("en")))
    with TestClient(app) as client:
        assert client.get("/").text == "en"
        assert client.get("/", headers={"Accept-Language": "de-CH"}).text == "de"


def test_slime_resources() -> None:
    class Mail:
        @hookimpl
        def slime_resources(self, app: Slime) -> list[Resource]:
            def mailer(app: Slime) -> Iterator[str]:
                yield f"the mailer of {app.name}"

            return [resource(mailer)]

    app = make(Mail())
    app.route("/")(lambda req, resp: req.resources.mailer)
    with TestClient(app) as client:
        assert client.get("/").text == "the mailer of test_hooks"


def test_slime_resources_names_both_owners_of_a_name() -> None:
    class Mail:
        @hookimpl
        def slime_resources(self) -> list[Resource]:
            return [resource(lambda: None, name="mailer")]

    app = make(Mail())
    app.resource(name="mailer")(lambda: None)
    with pytest.raises(ConfigError, match=r"two resources are named 'mailer': .* of plugin 'Mail'"), TestClient(app):
        pass


def test_slime_client_members() -> None:
    class Brewing:
        @hookimpl
        def slime_client_members(self, app: Slime) -> dict[str, Callable[..., Any]]:
            return {"brew": lambda client, path: client.request("BREW", path).text + app.name}

    class Taken:
        @hookimpl
        def slime_client_members(self) -> dict[str, Callable[..., Any]]:
            return {"get": lambda client: None}

    app = make(Brewing())
    app.route("/", method="BREW")(lambda req, resp: resp.plain("tea of "))
    with TestClient(app) as client:
        brew: Any = getattr(client, "brew")  # noqa: B009
        assert brew("/") == f"tea of {app.name}"
        with pytest.raises(AttributeError, match="has no attribute 'boil'"):
            getattr(client, "boil")  # noqa: B009
    with pytest.raises(PluginError, match="get"):
        TestClient(make(Taken()))


def test_slime_client_members_are_those_of_each_client() -> None:
    made: list[str] = []

    class Named:
        @hookimpl
        def slime_client_members(self, app: Slime) -> dict[str, Callable[..., Any]]:
            made.append(app.name)
            return {"name": lambda client: app.name}

    app = make(Named())
    for _ in range(2):
        TestClient(app)
    assert made == [app.name, app.name]


def test_slime_response_members() -> None:
    class Csv:
        @hookimpl
        def slime_response_members(self) -> dict[str, Callable[..., Any]]:
            def csv(resp: SlimeResponse, rows: list[list[str]]) -> SlimeResponse:
                return resp.bytes("\r\n".join(map(",".join, rows)).encode(), content_type="text/csv")

            return {"csv": csv}

    app = make(Csv())
    app.route("/")(lambda req, resp: resp.csv([["a", "b"], ["c", "d"]]))
    with TestClient(app) as client:
        response = client.get("/")
        assert response.text == "a,b\r\nc,d"
        assert response.headers["content-type"] == "text/csv"


class Caching:
    """Adds a route option, and shows what became of it."""

    def __init__(self) -> None:
        self.seen: list[tuple[str, Any]] = []

    @hookimpl
    def slime_route_options(self) -> list[RouteOption]:
        return [RouteOption("cache_seconds", default=0, validate=int)]

    @hookimpl
    def slime_route_added(self, app: Slime, route: RouteSpec) -> None:
        assert route in app.routes
        self.seen.append((route.path, route.options["cache_seconds"]))


def test_slime_route_options() -> None:
    plugin = Caching()
    app = make(plugin)
    app.route("/a", cache_seconds="60")(lambda req, resp: None)
    app.route("/b")(lambda req, resp: None)
    assert plugin.seen == [("/a", 60), ("/b", 0)]
    with pytest.raises(ValueError, match="soon"):
        app.route("/c", cache_seconds="soon")
    with pytest.raises(TypeError, match="did you mean 'cache_seconds'"):
        app.route("/c", cache_second=1)


def test_slime_route_added() -> None:
    class OnlyLowerCase:
        @hookimpl
        def slime_route_added(self, route: RouteSpec) -> None:
            if route.path != route.path.lower():
                raise ValueError(f"{route.path} is not in lower case")

    app = make(OnlyLowerCase())
    app.route("/a")(lambda req, resp: None)
    with pytest.raises(PluginError, match=r"'OnlyLowerCase' failed in slime_route_added: ValueError: /B is not in"):
        app.route("/B")(lambda req, resp: None)


def test_slime_serve_options() -> None:
    class Greeting:
        @hookimpl
        def slime_serve_options(self) -> list[ServeOption]:
            return [ServeOption("greeting", default="hello", validate=str.upper)]

    app = make(Greeting())
    app.route("/")(lambda req, resp: resp.plain(req.app.serve_options["greeting"]))
    assert app.serve_options == {"greeting": "hello"}
    with TestClient(app, greeting="ahoy") as client:
        assert client.get("/").text == "AHOY"
    with TestClient(app) as client:
        assert client.get("/").text == "hello"
    with pytest.raises(TypeError, match="did you mean 'greeting'"):
        app.serve(greetings="hi")


def test_slime_routes() -> None:
    class Health:
        @hookimpl
        def slime_routes(self, app: Slime) -> list[RouteSpec]:
            def health(req: SlimeRequest, resp: SlimeResponse) -> SlimeResponse:
                return resp.plain("fine" if app.dev else "ok")

            return [RouteSpec.declare("/health", health)]

    app = make(Health())
    with TestClient(app) as client:
        assert client.get("/health").text == "ok"
    with TestClient(app, dev=True) as client:
        assert client.get("/health").text == "fine"


class Shout:
    """A kind of route that answers in capitals, sync and async."""

    @hookimpl
    def slime_route_options(self) -> list[RouteOption]:
        return [RouteOption("shout", default=False, validate=bool)]

    @hookimpl
    def slime_route_kind(self, route: RouteSpec) -> RouteKind | None:
        return RouteKind("shout", self.wrap) if route.options["shout"] else None

    def wrap(self, route: RouteSpec, handler: Callable[..., Any]) -> Callable[..., Any]:
        def shout(req: SlimeRequest, resp: SlimeResponse) -> str:
            return str(handler(req, resp).upper())

        async def shout_later(req: SlimeRequest, resp: SlimeResponse) -> str:
            return str((await handler(req, resp)).upper())

        return shout_later if route.is_async else shout


def test_slime_route_kind() -> None:
    app = make(Shout())
    app.route("/quiet")(lambda req, resp: "quiet")
    app.route("/loud", shout=True)(lambda req, resp: "loud")

    @app.route("/later", shout=True)
    async def later(req: SlimeRequest, resp: SlimeResponse) -> str:
        return "later"

    with TestClient(app) as client:
        assert [client.get(path).text for path in ("/quiet", "/loud", "/later")] == ["quiet", "LOUD", "LATER"]


def test_slime_wrap_handler() -> None:
    class Numbers:
        """Calls handlers with the path's parameters, as numbers."""

        @hookimpl
        def slime_wrap_handler(self, route: RouteSpec) -> HandlerWrapper | None:
            if list(route.signature.parameters) != [param.name for param in route.params]:
                return None
            return HandlerWrapper("numbers", self.wrap, claims_signature=True)

        def wrap(self, route: RouteSpec, handler: Callable[..., Any]) -> Callable[..., Any]:
            return lambda req, resp: str(handler(**{name: int(value) for name, value in req.params.items()}))

    app = make(Numbers())
    app.route("/sum/{a}/{b}")(lambda a, b: a + b)
    app.route("/plain")(lambda req, resp: "plain")
    with pytest.raises(InvalidHandler, match="needs a function of two arguments"):
        app.route("/sum/{a}")(lambda b: b)
    with TestClient(app) as client:
        assert client.get("/sum/3/4").text == "7"
        assert client.get("/plain").text == "plain"


def test_slime_middleware() -> None:
    class Name(SlimeMiddleware):
        def __init__(self, name: str) -> None:
            self.name = name

        def middle_after(self, req: SlimeRequest, resp: SlimeResponse) -> None:
            resp.add_header("X-Order", self.name)

    class Names:
        @hookimpl
        def slime_middleware(self, route: RouteSpec) -> list[SlimeMiddleware]:
            return [Name(f"plugin's for {route.name}")]

    app = make(Names())

    @app.route("/", plugin=Name("route's"))
    async def home(req: SlimeRequest, resp: SlimeResponse) -> str:
        return "hello"

    app.use(Name("application's"))
    with TestClient(app) as client:
        # Inner to outer: that is the way out.
        assert client.get("/").header_all("x-order") == ["route's", "plugin's for home", "application's"]


def test_slime_app_middleware() -> None:
    class Statuses(SlimeMiddleware):
        def __init__(self) -> None:
            self.seen: list[tuple[str | None, int]] = []

        def middle_after(self, req: SlimeRequest, resp: SlimeResponse) -> None:
            self.seen.append((req.route, resp.status))

    class Watch:
        def __init__(self) -> None:
            self.statuses = Statuses()

        @hookimpl
        def slime_app_middleware(self) -> list[SlimeMiddleware]:
            return [self.statuses]

    watch = Watch()
    app = make(watch)
    app.route("/users/{id:int}")(lambda req, resp: "a user")
    with TestClient(app) as client:
        assert [client.get(path).status_code for path in ("/users/7", "/users/x")] == [200, 404]
        assert client.options("/users/7").status_code == 204
        assert client.post("/users/7").status_code == 405
    assert watch.statuses.seen == [("/users/{id:int}", 200), (None, 404), ("/users/{id:int}", 204), (None, 405)]


def test_slime_response_head() -> None:
    class Session:
        @hookimpl
        def slime_response_head(self, route: RouteSpec | None) -> Callable[[SlimeRequest, SlimeResponse], None]:
            return lambda req, resp: resp.set_cookie("session", req.__dict__.get("user", "nobody"))

    app = make(Session())

    @app.route("/pieces")
    def pieces(req: SlimeRequest, resp: SlimeResponse) -> None:
        writer = resp.writer()
        req.user = "ada"
        writer.start()
        writer.write(b"piece")

    with TestClient(app) as client:
        assert client.get("/pieces").headers["set-cookie"].startswith("session=ada;")
        assert client.get("/nowhere").headers["set-cookie"].startswith("session=nobody;")


class Rot13:
    """A body filter; its encoder works on pieces of any size."""

    def begin(self, request: SlimeRequest, response: SlimeResponse, length: int | None) -> Encoder | None:
        if request.header.get("accept-encoding") != "rot13":
            return None
        response.set_header("Content-Encoding", "rot13")
        response.set_header("X-Length", str(length))
        return Encoder()


class Encoder:
    def push(self, data: bytes) -> bytes:
        return codecs.encode(data.decode(), "rot13").encode()

    def flush(self) -> bytes:
        return b""

    def finish(self) -> bytes:
        return b"."


def test_slime_body_filter() -> None:
    class Filter:
        @hookimpl
        def slime_body_filter(self, route: RouteSpec) -> Rot13 | None:
            return Rot13() if route.path != "/plain" else None

    app = make(Filter())
    app.route("/")(lambda req, resp: "hello")
    app.route("/plain")(lambda req, resp: "hello")

    @app.route("/pieces")
    def pieces(req: SlimeRequest, resp: SlimeResponse) -> None:
        writer = resp.writer()
        writer.start()
        for piece in (b"one ", b"two"):
            writer.write(piece)
        writer.close()

    with TestClient(app) as client:
        asked = {"Accept-Encoding": "rot13"}
        encoded = client.get("/", headers=asked)
        assert encoded.text == "uryyb."
        assert (encoded.headers["content-encoding"], encoded.headers["x-length"]) == ("rot13", "5")
        assert encoded.headers["content-length"] == "6"
        streamed = client.get("/pieces", headers=asked)
        assert (streamed.text, streamed.headers["x-length"]) == ("bar gjb.", "None")
        assert client.get("/").text == client.get("/plain", headers=asked).text == "hello"


class Life:
    def __init__(self, fail: bool = False) -> None:
        self.events: list[str] = []
        self.fail = fail

    @hookimpl
    def slime_startup(self, app: Slime) -> None:
        self.events.append("startup")
        if self.fail:
            raise OSError("no database")

    @hookimpl
    def slime_stopping(self, app: Slime) -> None:
        self.events.append("stopping")

    @hookimpl
    def slime_shutdown(self, app: Slime, error: BaseException | None) -> None:
        self.events.append(f"shutdown {type(error).__name__}")


def alive(life: Life) -> Slime:
    app = make(life)
    app.start()(lambda: life.events.append("start"))
    app.end()(lambda error: life.events.append(f"end {type(error).__name__}"))
    app.route("/")(lambda req, resp: life.events.append("request"))
    return app


def test_slime_startup() -> None:
    life = Life()
    with TestClient(alive(life)) as client:
        assert client.get("/").status_code == 204
        assert life.events == ["startup", "start", "request"]


def test_slime_stopping() -> None:
    life = Life()
    with TestClient(alive(life)):
        pass
    assert life.events[2:] == ["stopping", "end NoneType", "shutdown NoneType"]


def test_slime_shutdown() -> None:
    life = Life(fail=True)
    with (
        pytest.raises(PluginError, match="'Life' failed in slime_startup: OSError: no database"),
        TestClient(alive(life)),
    ):
        pass
    # What has not started is not ended.
    assert life.events == ["startup", "end PluginError"]


def test_slime_handle_exception() -> None:
    class Patience:
        @hookimpl
        def slime_handle_exception(self, resp: SlimeResponse, exc: BaseException) -> object:
            return resp.plain("try later", status=503) if isinstance(exc, TimeoutError) else None

    app = make(Patience())

    def fail(req: SlimeRequest, resp: SlimeResponse) -> None:
        raise {"/timeout": TimeoutError, "/key": KeyError, "/value": ValueError}[req.path]("why")

    for path in ("/timeout", "/key", "/value"):
        app.route(path)(fail)
    app.error(KeyError)(lambda req, resp, exc: resp.plain("the application's", status=409))
    with TestClient(app) as client:
        answers = [
            (response.status_code, response.text) for response in map(client.get, ("/timeout", "/key", "/value"))
        ]
    assert answers == [(503, "try later"), (409, "the application's"), (500, "Internal Server Error")]


def test_slime_exception() -> None:
    class Watch:
        def __init__(self) -> None:
            self.seen: list[tuple[str, str, str]] = []

        @hookimpl
        def slime_exception(self, req: SlimeRequest, exc: BaseException, where: str) -> None:
            self.seen.append((where, req.path, str(exc)))

    watch = Watch()
    app = make(watch)
    app.error(KeyError)(lambda req, resp, exc: resp.plain("the application's", status=409))

    @app.route("/")
    def fail(req: SlimeRequest, resp: SlimeResponse) -> None:
        raise KeyError("why")

    with TestClient(app) as client:
        assert client.get("/").status_code == 409
    assert watch.seen == [("handler", "/", "'why'")]


def test_slime_response_sent() -> None:
    class Metrics:
        def __init__(self) -> None:
            self.seen: list[tuple[str | None, int, int, str | None]] = []

        @hookimpl
        def slime_response_sent(self, route: str | None, status: int, sent: int, error: str | None) -> None:
            self.seen.append((route, status, sent, error))

    metrics = Metrics()
    app = make(metrics)
    app.route("/users/{id}")(lambda req, resp: "a user")
    with TestClient(app) as client:
        assert [client.get(path).status_code for path in ("/users/7", "/nowhere")] == [200, 404]
    assert metrics.seen == [("/users/{id}", 200, 6, None), (None, 404, 9, None)]


def test_slime_cli() -> None:
    class Hello:
        @hookimpl
        def slime_cli(self, commands: Commands) -> None:
            commands.add(
                "hello",
                lambda arguments: len(arguments.name),
                help="greets",
                configure=lambda parser: parser.add_argument("name"),
            )

    commands = Commands()
    make(Hello()).plugins.call("slime_cli", commands=commands)
    (command,) = [command for command in commands if command.name == "hello"]
    parser = argparse.ArgumentParser()
    assert command.configure is not None
    command.configure(parser)
    assert command.run(parser.parse_args(["Ada"])) == 3


class Echo:
    """A protocol in the terms of asyncio: says what it hears, and goodbye at the end."""

    def __init__(self) -> None:
        self.transport: Transport | None = None

    def connection_made(self, transport: Transport) -> None:
        self.transport = transport
        transport.write(b"welcome\n")

    def data_received(self, data: bytes) -> None:
        assert self.transport is not None
        self.transport.write(data.upper())

    def eof_received(self) -> bool:
        assert self.transport is not None
        self.transport.write(b"goodbye\n")
        self.transport.close()
        return True

    def connection_lost(self, exc: Exception | None) -> None: ...

    def pause_writing(self) -> None: ...

    def resume_writing(self) -> None: ...


class EchoKind:
    """A route kind that switches protocols."""

    @hookimpl
    def slime_route_options(self) -> list[RouteOption]:
        return [RouteOption("echo", default=False)]

    @hookimpl
    def slime_route_kind(self, route: RouteSpec) -> RouteKind | None:
        return RouteKind("echo", lambda route, handler: self.upgrade) if route.options["echo"] else None

    @staticmethod
    def upgrade(req: SlimeRequest, resp: SlimeResponse) -> None:
        if req.header.get("upgrade") != "echo":
            resp.set_header("Upgrade", "echo")
            resp.plain("Upgrade Required", status=426)
        else:
            resp.switch_protocol(Echo(), [("Upgrade", "echo")])


@pytest.fixture
def echo_client() -> Iterator[TestClient]:
    class Door(SlimeMiddleware):
        def middle_before(self, req: SlimeRequest, resp: SlimeResponse) -> SlimeResponse | None:
            return None if req.header.get("authorization") else resp.plain("who are you?", status=401)

    app = make(EchoKind())
    app.route("/echo", echo=True, plugin=Door())(lambda req, resp: None)
    with TestClient(app) as client:
        yield client


UPGRADE = b"GET /echo HTTP/1.1\r\nHost: x\r\nAuthorization: me\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\n"


def test_a_pure_python_plugin_switches_protocols(echo_client: TestClient) -> None:
    with socket.create_connection(("127.0.0.1", echo_client.port), timeout=10) as connection:
        connection.sendall(UPGRADE)
        received = b""
        while not received.endswith(b"welcome\n"):
            received += connection.recv(4096)
        connection.sendall(b"bird\n")
        connection.shutdown(socket.SHUT_WR)
        received += b"".join(iter(lambda: connection.recv(4096), b""))
    head, _, said = received.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 101 ")
    assert b"upgrade: echo" in head.lower()
    assert said == b"welcome\nBIRD\ngoodbye\n"


def test_what_comes_right_behind_the_request_belongs_to_the_new_protocol(echo_client: TestClient) -> None:
    with socket.create_connection(("127.0.0.1", echo_client.port), timeout=10) as connection:
        connection.sendall(UPGRADE + b"early bird\n")
        connection.shutdown(socket.SHUT_WR)
        received = b"".join(iter(lambda: connection.recv(4096), b""))
    assert received.startswith(b"HTTP/1.1 101 ")
    assert received.endswith(b"\r\n\r\nwelcome\nEARLY BIRD\ngoodbye\n")


def test_middleware_runs_before_the_switch(echo_client: TestClient) -> None:
    upgrade = {"Connection": "upgrade", "Upgrade": "echo"}
    assert echo_client.get("/echo", headers=upgrade).status_code == 401
    refused = echo_client.get("/echo", headers={"Authorization": "me"})
    assert (refused.status_code, refused.headers["upgrade"]) == (426, "echo")
