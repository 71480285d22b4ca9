"""`@app.ndjson(path)` above a generator, plain or asynchronous, whose values become lines of JSON."""

from __future__ import annotations

import functools
import inspect
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import aclosing, closing
from typing import Any

from slimeweb import Slime, SlimeRequest, SlimeResponse, hookimpl
from slimeweb.json import to_json

__all__ = ["slime_app_members"]


@hookimpl
def slime_app_members(app: Slime) -> Mapping[str, Any]:
    """`app.ndjson`."""

    def ndjson(path: str, **options: Any) -> Callable[[Callable[[SlimeRequest], Any]], Any]:
        def declare(function: Callable[[SlimeRequest], Any]) -> Any:
            lines = _alines if inspect.isasyncgenfunction(function) else _lines

            @functools.wraps(function)
            def handler(req: SlimeRequest, resp: SlimeResponse) -> SlimeResponse:
                return resp.stream(lines(function(req)), content_type="application/x-ndjson")

            return app.route(path=path, **options)(handler)

        return declare

    return {"ndjson": ndjson}


def _lines(values: Any) -> Iterator[bytes]:
    with closing(values):
        for value in values:
            yield to_json(value) + b"\n"


async def _alines(values: Any) -> AsyncIterator[bytes]:
    async with aclosing(values):
        async for value in values:
            yield to_json(value) + b"\n"
