"""`AsyncTestClient`: the test client for coroutines: calls `TestClient` on threads beside the loop."""

from __future__ import annotations

import asyncio
import contextvars
import inspect
import threading
from collections.abc import AsyncIterator, Callable, Coroutine, Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from types import TracebackType
from typing import TYPE_CHECKING, Any, Generic, Self, TypeVar

from slimeweb.testing._client import TestClient
from slimeweb.testing._response import TestResponse

if TYPE_CHECKING:
    from slimeweb.app import Slime

__all__ = ["AsyncTestClient", "Call", "InThreads"]

T = TypeVar("T")

_MOST_THREADS = 1000
_END = object()

Run = Callable[[Callable[[], Any]], "asyncio.Future[Any]"]


class InThreads:
    """An object whose methods are called on threads: `await` them, or use what they give by `async with` and
    `async for`. With `resumes` a call that is cancelled goes on, and the next call of the same method with the same
    arguments waits for that one, so that nothing that has come is lost.
    """

    def __init__(self, target: Any, run: Run, *, resumes: bool = True) -> None:
        self._target = target
        self._resumes = resumes
        self._run = run
        self._unfinished: dict[str, tuple[Any, asyncio.Future[Any]]] = {}

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._target, name)
        if inspect.isroutine(value) or isinstance(value, partial):
            return lambda *given, **named: Call(self, name, value, given, named)
        return value

    async def __aenter__(self) -> Any:
        entered = await self._call("__enter__", self._target.__enter__)
        return InThreads(entered, self._run)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> Any:
        return await self._call("__exit__", self._target.__exit__, (kind, error, trace))

    async def __aiter__(self) -> AsyncIterator[Any]:
        iterator = iter(self._target)
        while (item := await self._call("__next__", next, (iterator, _END), key=())) is not _END:
            yield item

    async def __anext__(self) -> Any:
        item = await self._call("__next__", next, (self._target, _END))
        if item is _END:
            raise StopAsyncIteration
        return item

    async def _call(
        self,
        name: str,
        function: Callable[..., Any],
        given: tuple[Any, ...] = (),
        named: dict[str, Any] | None = None,
        key: Any = None,
    ) -> Any:
        named = named or {}
        key = (given, named) if key is None else key
        waiting = self._unfinished.pop(name, None)
        future = (
            waiting[1] if waiting is not None and waiting[0] == key else self._run(partial(function, *given, **named))
        )
        try:
            return await asyncio.shield(future)
        except asyncio.CancelledError:
            if self._resumes and not future.done():
                self._unfinished[name] = (key, future)
                # Nobody may come for it.
                future.add_done_callback(lambda done: done.cancelled() or done.exception())
            raise


class Call(Generic[T]):
    """A call that has not begun: `await` it for its result, or use that by `async with` or `async for`."""

    def __init__(
        self, owner: InThreads, name: str, function: Callable[..., T], given: tuple[Any, ...], named: dict[str, Any]
    ) -> None:
        self._owner = owner
        self._name = name
        self._function = function
        self._given = given
        self._named = named
        self._entered: InThreads | None = None

    def _begin(self) -> Coroutine[Any, Any, Any]:
        return self._owner._call(self._name, self._function, self._given, self._named)

    def __await__(self) -> Generator[Any, None, T]:
        return self._begin().__await__()

    async def __aenter__(self) -> Any:
        self._entered = InThreads(await self._begin(), self._owner._run)
        return await self._entered.__aenter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> Any:
        assert self._entered is not None
        return await self._entered.__aexit__(kind, error, trace)

    async def __aiter__(self) -> AsyncIterator[Any]:
        result: Iterator[Any] = iter(await self._begin())
        async for item in InThreads(result, self._owner._run):
            yield item


class AsyncTestClient:
    """`TestClient` for coroutines, with the same arguments, methods and meanings; the loop never waits.

        async with AsyncTestClient(app) as client:
            assert (await client.get("/")).text == "Hello World from slime"
            async with client.stream("GET", "/numbers") as stream:
                async for line in stream.lines(): ...

    Methods are awaited, what they give is used by `async with` and `async for`, and so is what plugins add. Attributes
    such as `url`, `port`, `headers` and `cookies` are those of `client`, the `TestClient` that does the work on
    threads. A call of a stream or the like that is cancelled goes on, and the next one of the same method with the same
    arguments gets its result: nothing that has come is lost. For `asyncio`, also by anyio.
    """

    __test__ = False

    def __init__(self, app: Slime, **arguments: Any) -> None:
        self.client = TestClient(app, **arguments)
        self._threads: ThreadPoolExecutor | None = None
        self._calls = InThreads(self.client, self._run, resumes=False)

    async def __aenter__(self) -> Self:
        self._threads = ThreadPoolExecutor(_MOST_THREADS, "slimeweb-test-client")
        try:
            await self._run(self.client.__enter__)
        except BaseException:
            await self._end()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            await asyncio.shield(self._run(partial(self.client.__exit__, kind, error, trace)))
        finally:
            await self._end()

    async def request(self, method: str, path: str, **arguments: Any) -> TestResponse:
        """Sends a request and reads the whole answer, as `TestClient.request` does."""
        response: TestResponse = await self._run(partial(self.client.request, method, path, **arguments))
        return response

    async def get(self, path: str, **arguments: Any) -> TestResponse:
        """A GET request; the arguments are those of `TestClient.request`."""
        return await self.request("GET", path, **arguments)

    async def head(self, path: str, **arguments: Any) -> TestResponse:
        """A HEAD request."""
        return await self.request("HEAD", path, **arguments)

    async def options(self, path: str, **arguments: Any) -> TestResponse:
        """An OPTIONS request."""
        return await self.request("OPTIONS", path, **arguments)

    async def post(self, path: str, **arguments: Any) -> TestResponse:
        """A POST request."""
        return await self.request("POST", path, **arguments)

    async def put(self, path: str, **arguments: Any) -> TestResponse:
        """A PUT request."""
        return await self.request("PUT", path, **arguments)

    async def patch(self, path: str, **arguments: Any) -> TestResponse:
        """A PATCH request."""
        return await self.request("PATCH", path, **arguments)

    async def delete(self, path: str, **arguments: Any) -> TestResponse:
        """A DELETE request."""
        return await self.request("DELETE", path, **arguments)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(f"AsyncTestClient has no attribute {name!r}", name=name)
        return getattr(self._calls, name)

    def _run(self, function: Callable[[], Any]) -> asyncio.Future[Any]:
        if self._threads is None:
            raise RuntimeError("the client is not running: use it as `async with AsyncTestClient(app) as client:`")
        return asyncio.get_running_loop().run_in_executor(self._threads, contextvars.copy_context().run, function)

    async def _end(self) -> None:
        """Lets the threads end, and waits for them without holding up the loop."""
        threads, self._threads = self._threads, None
        ended, loop = asyncio.Event(), asyncio.get_running_loop()

        def wait() -> None:
            if threads is not None:
                threads.shutdown()
            loop.call_soon_threadsafe(ended.set)

        waiter = threading.Thread(target=wait)
        waiter.start()
        await ended.wait()
        waiter.join()
