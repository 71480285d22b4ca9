"""Methods, plain and coroutines."""

import asyncio
from typing import Any

from slimeweb import Slime, hookimpl
from slimeweb_json_rpc import RpcError

seen = []


class Observer:
    @hookimpl
    def slime_exception(self, exc, where):
        seen.append([where, str(exc)])


app = Slime(__file__, plugins=[Observer()])


def is_on_loop():
    try:
        return asyncio.get_running_loop() is not None
    except RuntimeError:
        return False


@app.rpc.method
def subtract(minuend: int, subtrahend: int) -> int:
    return minuend - subtrahend


@app.rpc.method
async def greet(name: str, words: list[str] | None = None, **rest: Any) -> str:
    return " ".join([*(words or ["hello"]), name])


@app.rpc.method
def half(number: float) -> float:
    return number / 2


@app.rpc.method
def refuse():
    raise RpcError(7, "no", {"why": "monday"})


@app.rpc.method
def fail():
    raise LookupError("secret")


@app.rpc.method
def plain_thread():
    return is_on_loop()


@app.rpc.method
async def loop_thread():
    return is_on_loop()


@app.route(path="/seen")
def observed(req, resp):
    return seen


if __name__ == "__main__":
    app.serve()
