"""Suites that a plugin's tests inherit: what the contract promises of a body filter, of middleware, of a route's kind.

    class TestRot13(BodyFilterContract):
        headers = {"X-Rot13": "yes"}

        def plugin(self):
            return Rot13Plugin()

        def decode(self, body):
            return codecs.encode(body.decode(), "rot13").encode()

Each method whose name begins with `test_` is a test for pytest.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from types import MappingProxyType
from typing import Any

from slimeweb.app import Slime
from slimeweb.middleware import SlimeMiddleware
from slimeweb.testing import TestClient, TestResponse
from slimeweb.testing._plugins import plugin_app

__all__ = ["BodyFilterContract", "MiddlewareContract", "RouteKindContract"]

_SIZES = (1, 1000, 64 * 1024, 300_000)
"""Bytes of a body. From 64 KiB on a filter runs on a thread of the pool."""


def _body(size: int) -> bytes:
    return (b"slime %d, " % size * (size // 8 + 1))[:size]


class BodyFilterContract:
    """What a body filter does: `decode` undoes it. `headers` are those of a request whose answer is filtered, `options`
    the route options that it needs, `content_type` that of the bodies.
    """

    headers: Mapping[str, str] = MappingProxyType({})
    options: Mapping[str, Any] = MappingProxyType({})
    content_type = "text/plain; charset=utf-8"

    def plugin(self) -> object:
        """The plugin, a new one for each test."""
        raise NotImplementedError

    def decode(self, body: bytes) -> bytes:
        """The body before the filter."""
        raise NotImplementedError

    def _app(self) -> Slime:
        app = plugin_app(self.plugin())

        @app.route(path="/plain/{size:int}", **self.options)
        def plain(req: Any, resp: Any) -> Any:
            return resp.bytes(_body(req.params["size"]), content_type=self.content_type)

        @app.route(path="/coroutine/{size:int}", **self.options)
        async def coroutine(req: Any, resp: Any) -> Any:
            return resp.bytes(_body(req.params["size"]), content_type=self.content_type)

        @app.route(path="/pieces/{size:int}", **self.options)
        def pieces(req: Any, resp: Any) -> Any:
            body = _body(req.params["size"])
            return resp.stream(
                (body[at : at + 7000] for at in range(0, len(body), 7000)), content_type=self.content_type
            )

        @app.route(path="/fails", **self.options)
        def fails(req: Any, resp: Any) -> Any:
            raise RuntimeError("on purpose")

        return app

    def test_a_body_comes_back_whatever_its_length(self) -> None:
        """In memory, from plain handlers and coroutines, and in pieces."""
        with TestClient(self._app()) as client:
            for kind in ("plain", "coroutine", "pieces"):
                for size in _SIZES:
                    answer = client.get(f"/{kind}/{size}", headers=self.headers)
                    assert answer.status_code == 200, f"{kind}, {size} bytes: {answer.status_code}"
                    assert self.decode(answer.content) == _body(size), f"{kind}, {size} bytes: the body is another"

    def test_it_changes_bodies_at_all(self) -> None:
        """A filter that never begins passes every other test."""
        with TestClient(self._app()) as client:
            assert client.get("/plain/1000", headers=self.headers).content != _body(1000), "the body passed unfiltered"

    def test_answers_of_many_threads_do_not_mix(self) -> None:
        """One filter serves all requests, each encoder one of them."""
        with TestClient(self._app(), workers=2) as client, ThreadPoolExecutor(8) as crowd:
            sizes = [100 + number for number in range(100)]
            answers = list(crowd.map(lambda size: client.get(f"/plain/{size}", headers=self.headers), sizes))
        for size, answer in zip(sizes, answers, strict=True):
            assert self.decode(answer.content) == _body(size), f"{size} bytes: the body is another"

    def test_a_head_has_no_body(self) -> None:
        """And the status of a GET."""
        with TestClient(self._app()) as client:
            answer = client.head("/plain/1000", headers=self.headers)
            assert (answer.status_code, answer.content) == (200, b"")

    def test_the_error_of_a_handler_stays_one(self) -> None:
        """A filter gets the body of a 500 as any other, and does not change its status."""
        with TestClient(self._app()) as client:
            assert client.get("/fails", headers=self.headers).status_code == 500


class MiddlewareContract:
    """What middleware does, around plain and coroutine handlers. `headers` are those of a request that it lets pass."""

    headers: Mapping[str, str] = MappingProxyType({})

    def middleware(self) -> SlimeMiddleware:
        """The middleware, a new one for each test."""
        raise NotImplementedError

    def _serve(self, use: Callable[[TestClient, SlimeMiddleware], None]) -> None:
        middleware = self.middleware()
        app = plugin_app()

        @app.route(path="/plain/{name}")
        def plain(req: Any, resp: Any) -> Any:
            return resp.plain(req.params["name"])

        @app.route(path="/coroutine/{name}")
        async def coroutine(req: Any, resp: Any) -> Any:
            return resp.plain(req.params["name"])

        @app.route(path="/fails")
        def fails(req: Any, resp: Any) -> Any:
            raise RuntimeError("on purpose")

        app.use(middleware)
        with TestClient(app, workers=2) as client:
            use(client, middleware)

    def _get(self, client: TestClient, path: str) -> TestResponse:
        return client.get(path, headers=self.headers)

    def test_what_it_lets_pass_is_answered_by_the_handler(self) -> None:
        """Plain handlers and coroutines."""

        def use(client: TestClient, middleware: SlimeMiddleware) -> None:
            for path in ("/plain/a", "/coroutine/a"):
                answer = self._get(client, path)
                assert (answer.status_code, answer.text) == (200, "a"), path

        self._serve(use)

    def test_the_error_of_a_handler_stays_one(self) -> None:
        """`middle_after` runs after it, and the client gets the 500."""

        def use(client: TestClient, middleware: SlimeMiddleware) -> None:
            assert self._get(client, "/fails").status_code == 500
            assert self._get(client, "/plain/a").text == "a"

        self._serve(use)

    def test_it_keeps_nothing_of_a_request_on_itself(self) -> None:
        """One object serves every thread: what belongs to a request is set on that request."""

        def use(client: TestClient, middleware: SlimeMiddleware) -> None:
            before = set(vars(middleware))
            self._get(client, "/plain/a")
            new = set(vars(middleware)) - before
            assert not new, f"a request left {', '.join(sorted(new))} on the middleware: set it on req"

        self._serve(use)

    def test_answers_of_many_threads_do_not_mix(self) -> None:
        """Every client gets its own."""

        def use(client: TestClient, middleware: SlimeMiddleware) -> None:
            names = [str(number) for number in range(100)]
            with ThreadPoolExecutor(8) as crowd:
                answers = list(crowd.map(lambda name: self._get(client, f"/plain/{name}"), names))
            assert [answer.text for answer in answers] == names

        self._serve(use)


class RouteKindContract:
    """What a kind of route does: `options` are the route options that choose it, `headers` those of requests for it."""

    options: Mapping[str, Any] = MappingProxyType({})
    headers: Mapping[str, str] = MappingProxyType({})

    def plugin(self) -> object:
        """The plugin, a new one for each test."""
        raise NotImplementedError

    def handler(self) -> Callable[..., Any]:
        """A plain handler of this kind."""
        raise NotImplementedError

    def async_handler(self) -> Callable[..., Any]:
        """A coroutine function that does the same."""
        raise NotImplementedError

    def check(self, answer: TestResponse) -> None:
        """Asserts that an answer is what these handlers give."""
        raise NotImplementedError

    def _app(self) -> Slime:
        app = plugin_app(self.plugin())
        app.route(path="/plain", **self.options)(self.handler())
        app.route(path="/coroutine", **self.options)(self.async_handler())
        return app

    def test_plain_handlers_and_coroutines_answer_alike(self) -> None:
        """`wrap` gives a coroutine function for a coroutine function."""
        with TestClient(self._app()) as client:
            for path in ("/plain", "/coroutine"):
                self.check(client.get(path, headers=self.headers))

    def test_the_kind_claims_its_routes_alone(self) -> None:
        """A route without the options answers as ever."""
        app = self._app()
        app.route(path="/other")(lambda req, resp: resp.plain("other"))
        with TestClient(app) as client:
            assert client.get("/other", headers=self.headers).text == "other"

    def test_middleware_can_refuse_before_the_answer_begins(self) -> None:
        """Middleware stays outside of the kind."""
        app = self._app()

        class Guard(SlimeMiddleware):
            def middle_before(self, req: Any, resp: Any) -> Any:
                return resp.plain("no", status=401)

        app.use(Guard())
        with TestClient(app) as client:
            for path in ("/plain", "/coroutine"):
                answer = client.get(path, headers=self.headers)
                assert (answer.status_code, answer.text) == (401, "no"), path

    def test_many_threads_and_a_second_start(self) -> None:
        """The plugin serves any number at once, and again after a stop."""
        app = self._app()
        for _ in range(2):
            with TestClient(app, workers=2) as client, ThreadPoolExecutor(8) as crowd:
                paths = ["/plain", "/coroutine"] * 20
                for answer in crowd.map(lambda path: client.get(path, headers=self.headers), paths):
                    self.check(answer)
