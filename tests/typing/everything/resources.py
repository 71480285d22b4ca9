"""Resources, and blocks that make their own."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import assert_type

from slimeweb import Slime, resource
from slimeweb.testing import TestClient

app = Slime(__file__)


@app.resource()
async def db() -> AsyncIterator[bytes]:
    yield b""


@app.resource(scope="request")
def session(db: bytes) -> Iterator[int]:
    yield 1


@app.every(60)
def clean(db: bytes) -> None: ...


app.resource(scope="process")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
TestClient(app, resources={"db": b"", session: resource(lambda: 1)})
TestClient(app, resources=[db])  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


def plain() -> None:
    with app.scope() as resources:
        assert_type(resources.get(session), int)
        assert_type(resources[session], int)
        resources.get(7)  # type: ignore[call-overload]  # pyright: ignore[reportCallIssue, reportArgumentType]


async def coroutine() -> None:
    async with app.scope() as resources:
        assert_type(await resources.get(db), bytes)
        assert_type(await resources.get(session), int)
        await resources.end()
