"""Resources: declared, made and ended, in each of their scopes."""

from __future__ import annotations

import asyncio
import socket
import sqlite3
import threading
from collections.abc import AsyncIterator, Callable, Generator, Iterator
from contextvars import ContextVar
from typing import Any

import pytest

from slimeweb import HttpError, Router, Slime, SlimeMiddleware, SlimeRequest, SlimeResponse, resource
from slimeweb.errors import ConfigError, InvalidHandler, ResourceError
from slimeweb.testing import TestClient

ASYNC = pytest.mark.parametrize("is_async", [False, True], ids=["plain", "coroutine"])


@pytest.fixture
def app() -> Slime:
    return Slime(__file__, installed=False)


def handler(is_async: bool, answer: Callable[[SlimeRequest, SlimeResponse], Any]) -> Callable[..., Any]:
    async def coroutine(req: SlimeRequest, resp: SlimeResponse) -> Any:
        return answer(req, resp)

    return coroutine if is_async else answer


def test_functions_are_returned_unchanged(app: Slime) -> None:
    def db() -> int:
        return 1

    assert app.resource()(db) is db
    assert (app.resources["db"].function, app.resources["db"].scope) == (db, "worker")


def refusal(app: Slime) -> str:
    with pytest.raises(ConfigError) as caught, TestClient(app):
        pass
    return str(caught.value)


def test_a_name_twice_is_an_error_that_names_both(app: Slime) -> None:
    app.resource(name="db")(lambda: 1)
    with pytest.raises(ConfigError, match=r"two resources are named 'db': .*lambda.* and .*other"):

        @app.resource(name="db")
        def other() -> None: ...


def test_an_unknown_name_is_an_error_that_names_both(app: Slime) -> None:
    app.resource(name="database")(lambda: 1)

    @app.resource(scope="request")
    def session(databse: int) -> None: ...

    message = refusal(app)
    assert "'session'" in message
    assert "'databse', which there is not: did you mean 'database'?" in message


def test_a_cycle_is_an_error_that_names_all_of_it(app: Slime) -> None:
    app.resource(name="a")(lambda b: b)
    app.resource(name="b")(lambda a: a)
    message = refusal(app)
    assert message.count("'a'") == 2
    assert message.count("'b'") == 1


@pytest.mark.parametrize(("wide", "narrow"), [("app", "worker"), ("app", "request"), ("worker", "request")])
def test_a_wider_scope_that_asks_for_a_narrower_one_is_an_error_that_names_both(
    app: Slime, wide: Any, narrow: Any
) -> None:
    app.resource(scope=wide, name="pool")(lambda session: session)
    app.resource(scope=narrow, name="session")(lambda: 1)
    message = refusal(app)
    assert f"the {wide} resource 'pool'" in message
    assert "takes 'session'" in message


def test_only_resources_of_a_request_take_the_request(app: Slime) -> None:
    app.resource(name="db")(lambda req: req)
    assert "takes 'req', which lives for a request" in refusal(app)


def test_a_route_that_lists_what_there_is_not_is_an_error_that_names_both(app: Slime) -> None:
    app.resource(scope="request", name="session")(lambda: 1)
    app.route("/here", resources=["sesion"])(lambda req, resp: None)
    message = refusal(app)
    assert "GET /here" in message
    assert "did you mean 'session'?" in message


@pytest.mark.parametrize("name", ["req", "end", "get", "_private", "class", "<lambda>"])
def test_names_that_cannot_be_are_refused(app: Slime, name: str) -> None:
    with pytest.raises(ConfigError, match="cannot be named"):
        app.resource(name=name)(lambda: 1)


def test_parentheses_are_asked_for(app: Slime) -> None:
    with pytest.raises(InvalidHandler, match=r"write @app\.resource\(\)"):
        app.resource(test_parentheses_are_asked_for)


@ASYNC
def test_every_kind_of_function_makes_a_resource(app: Slime, is_async: bool) -> None:
    ended: list[str] = []

    @app.resource(scope="app")
    def plain(app: Slime) -> str:
        return app.name

    @app.resource()
    def generator(plain: str) -> Iterator[str]:
        yield f"{plain} generator"
        ended.append("generator")

    @app.resource()
    async def coroutine(generator: str) -> str:
        await asyncio.sleep(0)
        return f"{generator} coroutine"

    @app.resource()
    async def asynchronous(coroutine: str) -> AsyncIterator[str]:
        yield f"{coroutine} asynchronous"
        await asyncio.sleep(0)
        ended.append("asynchronous")

    app.route("/")(handler(is_async, lambda req, resp: req.resources.asynchronous + " " + req.resources[plain]))
    # One worker: its resources are made and ended once.
    with TestClient(app, workers=1) as client:
        assert client.get("/").text == "test_resources generator coroutine asynchronous test_resources"
        assert ended == []
    assert ended == ["asynchronous", "generator"]


def test_each_worker_has_its_own_on_its_loop(app: Slime) -> None:
    made: list[tuple[str, asyncio.AbstractEventLoop]] = []

    @app.resource(scope="app")
    async def once() -> object:
        made.append(("once", asyncio.get_running_loop()))
        return object()

    @app.resource()
    async def loop(once: object) -> asyncio.AbstractEventLoop:
        made.append(("loop", asyncio.get_running_loop()))
        return asyncio.get_running_loop()

    @app.route("/")
    async def same(req: SlimeRequest, resp: SlimeResponse) -> str:
        return str(req.resources.loop is asyncio.get_running_loop())

    with TestClient(app, workers=3) as client:
        assert client.get("/").text == "True"
    assert [name for name, _ in made] == ["once", "loop", "loop", "loop"]
    assert len({loop for _, loop in made}) == 3


def test_those_of_a_worker_live_in_one_task(app: Slime) -> None:
    variable: ContextVar[str] = ContextVar("variable")
    seen: list[str] = []

    @app.resource()
    async def first() -> AsyncIterator[None]:
        token = variable.set("set")
        async with asyncio.timeout(60), asyncio.TaskGroup() as group:
            task = group.create_task(asyncio.sleep(0))
            yield
            await task
        variable.reset(token)

    @app.resource()
    async def second(first: None) -> AsyncIterator[None]:
        yield
        seen.append(variable.get())

    with TestClient(app, workers=1):
        pass
    assert seen == ["set"]


def test_the_order_of_life(app: Slime) -> None:
    events: list[str] = []

    def lives(name: str) -> Callable[..., Iterator[str]]:
        def live() -> Iterator[str]:
            events.append(f"+{name}")
            yield name
            events.append(f"-{name}")

        return live

    app.resource(scope="worker", name="worker")(lives("worker"))
    app.resource(scope="app", name="process")(lives("process"))
    app.resource(scope="request", name="request")(lives("request"))
    app.start()(lambda process, worker: events.append(f"start {process} {worker}"))
    app.end()(lambda error: events.append("end"))
    app.route("/", resources=["request"])(lambda req, resp: events.append(req.resources["request"]))
    with TestClient(app, workers=1) as client:
        client.get("/")
    assert events == [
        "+process",
        "+worker",
        "start process worker",
        "+request",
        "request",
        "-request",
        "end",
        "-worker",
        "-process",
    ]


def test_a_failure_at_the_start_names_resource_and_worker_and_what_has_begun_ends(app: Slime) -> None:
    ended: list[str] = []
    tries = iter(range(2))
    lock = threading.Lock()

    @app.resource(scope="app")
    def wide() -> Iterator[None]:
        yield
        ended.append("wide")

    @app.resource()
    def first() -> Iterator[None]:
        try:
            yield
        finally:
            ended.append("first")

    @app.resource()
    async def db(first: None) -> None:
        with lock:
            number = next(tries)
        if number == 1:
            raise OSError("no database")

    with pytest.raises(ResourceError, match=r"'db' \(.*on worker \d failed: OSError: no database") as caught:
        TestClient(app, workers=2).__enter__()
    assert isinstance(caught.value.__cause__, OSError)
    assert sorted(ended[:2]) == ["first", "first"]
    assert ended[2:] == ["wide"]


def test_a_start_function_takes_no_resource_of_a_request(app: Slime) -> None:
    app.resource(scope="request", name="session")(lambda: 1)
    app.start()(lambda session: None)
    assert "takes 'session'" in refusal(app)


@ASYNC
def test_functions_that_run_again_and_again_take_resources_by_name(app: Slime, is_async: bool) -> None:
    app.resource(scope="app", name="process")(lambda: "process")
    seen: list[tuple[Slime, str, object]] = []
    called = threading.Event()

    @app.resource()
    def db() -> object:
        return object()

    def note(app: Slime, process: str, db: object) -> None:
        seen.append((app, process, db))
        called.set()

    async def note_async(app: Slime, process: str, db: object) -> None:
        note(app, process, db)

    app.every(0.01)(note_async if is_async else note)
    starts: list[object] = []
    app.start()(lambda db: starts.append(db))
    with TestClient(app):
        assert called.wait(10)
        assert seen[0] == (app, "process", starts[0])


def test_a_function_that_runs_again_and_again_takes_no_resource_of_a_request(app: Slime) -> None:
    app.resource(scope="request", name="session")(lambda: 1)
    app.every(1)(lambda session: None)
    assert "takes 'session'" in refusal(app)


def test_a_failure_while_it_serves_ends_the_server(app: Slime, caplog: pytest.LogCaptureFixture) -> None:
    fail = threading.Event()

    @app.resource()
    async def listener() -> AsyncIterator[None]:
        async def listen() -> None:
            await asyncio.to_thread(fail.wait)
            raise OSError("gone")

        async with asyncio.TaskGroup() as group:
            group.create_task(listen())
            yield

    ends: list[BaseException | None] = []
    app.end()(ends.append)
    client = TestClient(app, workers=1)
    client.__enter__()
    fail.set()
    client._running().wait_for_stop()
    with pytest.raises(ResourceError, match=r"'listener' .* on worker 0 failed: ExceptionGroup"):
        client.__exit__(None, None, None)
    (error,) = ends
    assert isinstance(error, ResourceError)
    assert "the server ends" in caplog.text


def test_what_raises_at_its_end_is_logged_and_the_others_end(app: Slime, caplog: pytest.LogCaptureFixture) -> None:
    ended: list[str] = []

    @app.resource()
    def first() -> Iterator[None]:
        try:
            yield
        finally:
            ended.append("first")

    @app.resource()
    def second(first: None) -> Iterator[None]:
        yield
        raise OSError("stuck")

    with TestClient(app, workers=1):
        pass
    assert ended == ["first"]
    assert "'second'" in caplog.text
    assert "OSError: stuck" in caplog.text


class Database:
    """SQLite, one connection for all; each session is a transaction."""

    def __init__(self, app: Slime, kind: str, fails: bool = False) -> None:
        self.seen: list[object] = []
        self.connection = sqlite3.connect(":memory:", check_same_thread=False, isolation_level=None)
        self.connection.execute("create table names (name text)")

        def session(resp: SlimeResponse) -> Generator[sqlite3.Connection, None, None]:
            self.connection.execute("begin")
            try:
                yield self.connection
            except BaseException as error:
                self.seen.append(error)
                self.connection.execute("rollback")
                raise
            self.seen.append(resp.status)
            if fails:
                self.connection.execute("rollback")
                raise sqlite3.OperationalError("the commit failed")
            self.connection.execute("commit")

        async def session_async(resp: SlimeResponse) -> AsyncIterator[sqlite3.Connection]:
            made = session(resp)
            value = next(made)
            try:
                yield value
            except BaseException as error:
                await asyncio.sleep(0)
                made.throw(error)
            await asyncio.sleep(0)
            next(made, None)

        app.resource(scope="request", name="session")(session_async if kind == "asynchronous" else session)

    def names(self) -> list[str]:
        return [name for (name,) in self.connection.execute("select name from names")]


def insert(req: SlimeRequest, resp: SlimeResponse) -> str:
    req.resources.session.execute("insert into names values ('Ada')")
    if req.query.get("raise"):
        raise HttpError(409, "no")
    return "done"


KINDS = pytest.mark.parametrize(
    ("is_async", "kind"), [(False, "plain"), (True, "plain"), (True, "asynchronous")], ids=["plain", "mixed", "async"]
)


@KINDS
def test_a_transaction_commits_or_rolls_back_by_what_is_raised(app: Slime, is_async: bool, kind: str) -> None:
    database = Database(app, kind)
    app.route("/", resources=["session"])(handler(is_async, insert))
    with TestClient(app) as client:
        assert client.get("/?raise=1").status_code == 409
        assert database.names() == []
        assert client.get("/").text == "done"
    assert database.names() == ["Ada"]
    error, status = database.seen
    assert isinstance(error, HttpError)
    assert status == 200


@KINDS
def test_a_commit_that_fails_is_a_500_that_app_wide_middleware_sees(app: Slime, is_async: bool, kind: str) -> None:
    database = Database(app, kind, fails=True)
    seen: list[tuple[str, int]] = []

    class Outer(SlimeMiddleware):
        def middle_after(self, req: SlimeRequest, resp: SlimeResponse) -> None:
            seen.append(("outer", resp.status))
            resp.set_header("X-Seen", "yes")

    class Inner(SlimeMiddleware):
        def middle_after(self, req: SlimeRequest, resp: SlimeResponse) -> None:
            seen.append(("inner", resp.status))

    app.route("/", resources=["session"], plugin=Inner())(handler(is_async, insert))
    app.use(Outer())
    with TestClient(app) as client:
        response = client.get("/")
    assert (response.status_code, response.headers["x-seen"]) == (500, "yes")
    assert seen == [("inner", 200), ("outer", 500)]
    assert database.names() == []


@ASYNC
def test_request_resources_are_made_once_all_middleware_has_let_the_request_pass(app: Slime, is_async: bool) -> None:
    made: list[str] = []
    app.resource(scope="request", name="session")(lambda: made.append("session"))

    class Door(SlimeMiddleware):
        def middle_before(self, req: SlimeRequest, resp: SlimeResponse) -> Any:
            return None if req.query else resp.plain("who?", status=401)

    app.route("/", resources=["session"], plugin=Door())(handler(is_async, lambda req, resp: "in"))
    with TestClient(app) as client:
        assert client.get("/").status_code == 401
        assert made == []
        assert client.get("/?a=1").text == "in"
    assert made == ["session"]


@ASYNC
def test_request_resources_are_not_made_by_access(app: Slime, is_async: bool) -> None:
    app.resource(scope="request", name="session")(lambda: 1)
    app.route("/")(handler(is_async, lambda req, resp: "session" in req.resources or req.resources.session))
    seen: list[str] = []
    app.error(AttributeError)(lambda req, resp, exc: seen.append(str(exc)))
    with TestClient(app) as client:
        client.get("/")
    assert seen == ["the resource 'session' has not been made here: list it, resources=['session'], on the route"]


@ASYNC
def test_what_making_one_raises_counts_as_raised_by_the_handler(app: Slime, is_async: bool) -> None:
    told: list[str] = []

    @app.resource(scope="request")
    def first() -> Iterator[None]:
        try:
            yield
        except HttpError as error:
            told.append(str(error.detail))
            raise

    @app.resource(scope="request")
    def second(first: None, req: SlimeRequest) -> None:
        raise HttpError(403, "not you")

    app.route("/", resources=["second"])(handler(is_async, lambda req, resp: "in"))
    with TestClient(app) as client:
        assert client.get("/").status_code == 403
    assert told == ["not you"]


@ASYNC
def test_resources_end_last_made_first_and_swallowing_changes_nothing(app: Slime, is_async: bool) -> None:
    told: list[str] = []

    def swallows(name: str) -> Callable[..., Any]:
        def swallowing(**others: Any) -> Iterator[None]:
            try:
                yield
            except ValueError as error:
                told.append(f"{name} {error}")

        return swallowing

    for name in ("one", "two"):
        app.resource(scope="request", name=name)(swallows(name))

    def fail(req: SlimeRequest, resp: SlimeResponse) -> None:
        raise ValueError("why")

    app.route("/", resources=["one", "two"])(handler(is_async, fail))
    with TestClient(app) as client:
        assert client.get("/").status_code == 500
    assert told == ["two why", "one why"]


@ASYNC
@pytest.mark.parametrize("with_middleware", [False, True])
def test_another_exception_takes_the_place_of_what_was_raised(
    app: Slime, is_async: bool, with_middleware: bool
) -> None:
    told: list[BaseException] = []

    @app.resource(scope="request")
    def first() -> Iterator[None]:
        try:
            yield
        except BaseException as error:
            told.append(error)
            raise

    @app.resource(scope="request")
    def second(first: None) -> Iterator[None]:
        try:
            yield
        except ValueError as error:
            raise HttpError(409, "taken") from error

    class Nothing(SlimeMiddleware):
        def middle_after(self, req: SlimeRequest, resp: SlimeResponse) -> None: ...

    def fail(req: SlimeRequest, resp: SlimeResponse) -> None:
        raise ValueError("why")

    app.route("/", resources=["second"], plugin=Nothing() if with_middleware else None)(handler(is_async, fail))
    with TestClient(app) as client:
        response = client.get("/")
    assert (response.status_code, response.text) == (409, "taken")
    assert [type(error) for error in told] == [HttpError]


def test_resources_end_early_on_request(app: Slime) -> None:
    events: list[str] = []

    @app.resource(scope="request")
    def session() -> Iterator[None]:
        yield
        events.append("ended")

    @app.route("/plain", resources=["session"])
    def plain(req: SlimeRequest, resp: SlimeResponse) -> None:
        req.resources.end()
        events.append("plain")

    @app.route("/coroutine", resources=["session"])
    async def coroutine(req: SlimeRequest, resp: SlimeResponse) -> None:
        await req.resources.end()
        events.append("coroutine")

    with TestClient(app) as client:
        client.get("/plain")
        client.get("/coroutine")
    assert events == ["ended", "plain", "ended", "coroutine"]


@ASYNC
@pytest.mark.parametrize("is_refused", [False, True])
def test_middleware_lists_what_is_made_before_it(app: Slime, is_async: bool, is_refused: bool) -> None:
    events: list[str] = []

    @app.resource(scope="request")
    def session() -> Iterator[str]:
        events.append("made")
        yield "a session"
        events.append("ended")

    class Outer(SlimeMiddleware):
        def middle_before(self, req: SlimeRequest, resp: SlimeResponse) -> None:
            events.append("outer before")

        def middle_after(self, req: SlimeRequest, resp: SlimeResponse) -> None:
            events.append("outer after")

    class Login(SlimeMiddleware):
        resources = ("session",)

        def middle_before(self, req: SlimeRequest, resp: SlimeResponse) -> Any:
            events.append(f"login with {req.resources.session}")
            return resp.plain("who?", status=401) if is_refused else None

    app.route("/", resources=[session])(handler(is_async, lambda req, resp: events.append("handler")))
    app.use(Outer())
    app.use(Login())
    with TestClient(app) as client:
        assert client.get("/").status_code == (401 if is_refused else 204)
        inside = [] if is_refused else ["handler"]
        assert events == ["outer before", "made", "login with a session", *inside, "ended", "outer after"]
        events.clear()
        # What no route answers goes through the middleware as well.
        client.get("/nowhere")
    assert events == ["outer before", "made", "login with a session", "ended", "outer after"]


def test_a_generator_yields_once(app: Slime, caplog: pytest.LogCaptureFixture) -> None:
    @app.resource(scope="request")
    def twice() -> Iterator[int]:
        yield 1
        yield 2

    @app.resource(scope="request")
    async def never() -> AsyncIterator[int]:
        if app.dev:
            yield 1

    app.route("/twice", resources=["twice"])(lambda req, resp: "done")

    @app.route("/never", resources=["never"])
    async def unreached(req: SlimeRequest, resp: SlimeResponse) -> str:
        return "done"

    with TestClient(app) as client:
        assert client.get("/twice").status_code == 500
        assert client.get("/never").status_code == 500
    assert "has yielded a second time" in caplog.text
    assert "ended without a yield" in caplog.text


def test_a_resource_that_is_not_declared_may_be_listed(app: Slime) -> None:
    def user(db: str) -> str:
        return f"a user of {db}"

    app.resource(name="db")(lambda: "the database")
    app.route("/", resources=[resource(user, scope="request")])(lambda req, resp: req.resources[user])
    with TestClient(app) as client:
        assert client.get("/").text == "a user of the database"


def test_the_client_that_leaves_does_not_keep_a_whole_answer_from_its_commit(app: Slime) -> None:
    entered, left, ended = threading.Event(), threading.Event(), threading.Event()
    outcome: list[BaseException | None] = []

    @app.resource(scope="request")
    async def session() -> AsyncIterator[None]:
        try:
            yield
            outcome.append(None)
        except BaseException as error:
            outcome.append(error)
            raise
        finally:
            ended.set()

    @app.route("/", resources=["session"])
    async def slow(req: SlimeRequest, resp: SlimeResponse) -> str:
        entered.set()
        await asyncio.to_thread(left.wait)
        return "done"

    with TestClient(app) as client:
        with socket.create_connection(("127.0.0.1", client.port)) as connection:
            connection.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            assert entered.wait(10)
        left.set()
        assert ended.wait(10)
    assert outcome == [None]


def test_a_router_declares_resources_once_and_its_list_adds_up_with_that_of_a_route(app: Slime) -> None:
    router = Router("/users", resources=["first"])

    @router.resource(scope="request")
    def first() -> str:
        return "first"

    router.resource(scope="request", name="second")(lambda: "second")
    router.route("/", resources=["second"])(
        lambda req, resp: f"{req.resources.first} {req.resources.second} {req.resources[first]}"
    )
    app.include(router)
    app.include(router, prefix="/people", name="people")
    with TestClient(app) as client:
        assert client.get("/users/").text == client.get("/people/").text == "first second first"


@ASYNC
@pytest.mark.parametrize("name", ["error", "begun"])
def test_names_that_slimeweb_uses_itself_within_are_free(app: Slime, is_async: bool, name: str) -> None:
    app.resource(scope="request", name=name)(lambda: "its value")
    app.route("/", resources=[name])(handler(is_async, lambda req, resp: getattr(req.resources, name)))
    with TestClient(app) as client:
        assert client.get("/").text == "its value"


@ASYNC
def test_middleware_around_the_application_sees_what_an_end_raises(app: Slime, is_async: bool) -> None:
    seen: list[object] = []

    @app.resource(scope="request")
    def session() -> Iterator[None]:
        yield
        raise OSError("the commit failed")

    class Watch(SlimeMiddleware):
        def middle_around(self, req: SlimeRequest, resp: SlimeResponse) -> Iterator[None]:
            try:
                yield
            except OSError as error:
                seen.append(str(error))
                raise

    app.route("/", resources=["session"])(handler(is_async, lambda req, resp: "done"))
    app.use(Watch())
    with TestClient(app) as client:
        assert client.get("/").status_code == 500
    assert seen == ["the commit failed"]
