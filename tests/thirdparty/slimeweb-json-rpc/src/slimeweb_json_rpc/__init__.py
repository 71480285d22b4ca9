"""JSON-RPC 2.0 (jsonrpc.org/specification): `@app.rpc.method` above functions, which one route calls."""

from __future__ import annotations

import inspect
import json
import typing
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from slimeweb import RouteSpec, Slime, SlimeRequest, SlimeResponse, hookimpl, run_in_threadpool
from slimeweb.handlers import is_coroutine_function

__all__ = ["JsonRpc", "RpcError"]

Function = TypeVar("Function", bound=Callable[..., Any])


class RpcError(Exception):
    """What a method raises to answer with an error of its own."""

    def __init__(self, code: int, message: str, data: Any = None) -> None:
        super().__init__(message)
        self.error = {"code": code, "message": message, **({} if data is None else {"data": data})}


def fits(value: Any, annotation: Any) -> bool:
    """Whether a JSON value is of the annotated type: a class, `list[…]` or `dict[…]`, or a union of these."""
    origin = typing.get_origin(annotation)
    members = (annotation,) if origin in (None, list, dict) else typing.get_args(annotation)
    kinds = [typing.get_origin(member) or member for member in members]
    if not all(kind in (str, int, float, bool, list, dict, type(None)) for kind in kinds):
        return True
    # In Python true is a number; in JSON it is none, and 1 is as good as 1.0.
    return type(value) in kinds or (type(value) is int and float in kinds)


def is_request(request: Any) -> bool:
    return (
        isinstance(request, dict)
        and request.get("jsonrpc") == "2.0"
        and isinstance(request.get("method"), str)
        and isinstance(request.get("params", []), list | dict)
        and type(request.get("id")) in (str, int, float, type(None))
    )


class Methods:
    def __init__(self) -> None:
        self.functions: dict[str, tuple[Callable[..., Any], inspect.Signature]] = {}

    def method(self, function: Function) -> Function:
        name = function.__name__
        if name in self.functions or name.startswith("rpc."):
            raise ValueError(f"the JSON-RPC method {name!r} is declared already, or reserved: use another name")
        self.functions[name] = function, inspect.signature(function, eval_str=True)
        return function

    async def call(self, name: str, params: list[Any] | dict[str, Any]) -> Any:
        if name not in self.functions:
            raise RpcError(-32601, "Method not found")
        function, signature = self.functions[name]
        try:
            bound = signature.bind(**params) if isinstance(params, dict) else signature.bind(*params)
        except TypeError as error:
            raise RpcError(-32602, "Invalid params", str(error)) from error
        for argument, value in bound.arguments.items():
            if not fits(value, signature.parameters[argument].annotation):
                raise RpcError(-32602, "Invalid params", f"{argument} is of another type")
        if is_coroutine_function(function):
            return await function(*bound.args, **bound.kwargs)
        return await run_in_threadpool(function, *bound.args, **bound.kwargs)


class JsonRpc:
    def __init__(self, path: str = "/rpc") -> None:
        self.path, self.methods = path, Methods()

    @hookimpl
    def slime_app_members(self) -> Mapping[str, Any]:
        return {"rpc": self.methods}

    @hookimpl
    def slime_routes(self, app: Slime) -> Sequence[RouteSpec]:
        async def rpc(req: SlimeRequest, resp: SlimeResponse) -> SlimeResponse:
            try:
                body = json.loads(req.body)
            except ValueError:
                error = {"code": -32700, "message": "Parse error"}
                return resp.json({"jsonrpc": "2.0", "error": error, "id": None})
            batch = body if isinstance(body, list) and body else [body]
            answers = [answer for request in batch if (answer := await self.answer(app, req, request)) is not None]
            if not answers:
                return resp.empty()
            return resp.json(answers if batch is body else answers[0])

        return [RouteSpec.declare(self.path, rpc, "POST")] if self.methods.functions else []

    async def answer(self, app: Slime, req: SlimeRequest, request: Any) -> dict[str, Any] | None:
        """The response to one request; `None` to a notification."""
        if not is_request(request):
            return {"jsonrpc": "2.0", "error": {"code": -32600, "message": "Invalid Request"}, "id": None}
        try:
            outcome = {"result": await self.methods.call(request["method"], request.get("params", []))}
        except RpcError as error:
            outcome = {"error": error.error}
        except Exception as error:
            app.report_exception(error, "json-rpc", req)
            outcome = {"error": {"code": -32603, "message": "Internal error"}}
        return {"jsonrpc": "2.0", **outcome, "id": request["id"]} if "id" in request else None
