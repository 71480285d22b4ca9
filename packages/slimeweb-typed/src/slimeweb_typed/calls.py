"""The function that calls a typed handler. It is written as source and compiled, once for each route: a loop over
parameters takes longer than checking them.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from slimeweb import RouteSpec
from slimeweb_typed import shapes
from slimeweb_typed.checks import check_of
from slimeweb_typed.markers import ApiKey, Bearer, Body, Cookie, File, Form, Header, Query
from slimeweb_typed.parameters import Parameter, Path, Request, Response, nowhere
from slimeweb_typed.readers import api_key_of, bearer_of, body_type, files_of, has_body
from slimeweb_typed.refusals import CAUGHT, Absent, Reading, refusal_of
from slimeweb_typed.returns import Answer

__all__ = ["Call", "compile_call"]

_VIEWS = {
    "params": "req.params",
    "query": "req.query",
    "header": "req.header",
    "form": "req.form",
    "cookies": "req.get_cookies()",
}
"""What several parameters are read from. It is asked for once."""
_VALUES = "slimeweb_typed_values"
"""The attribute of a request that has the values of its parameters, between their check and the call."""
_FIRST, _HEAD, _BODY = range(3)


@dataclass(frozen=True, slots=True)
class _Step:
    """How one parameter is read: `lines` set the variable `p_NAME`, of which `view` is needed. `order` is when: who has
    no credentials hears of nothing else, and what is wrong with the head is found without the body.
    """

    parameter: Parameter
    lines: Sequence[str]
    view: str | None = None
    order: int = _HEAD


@dataclass(frozen=True, slots=True)
class Call:
    """How a typed handler is called: `run(req, resp)`, after `check(req, resp)` where there is one."""

    run: Callable[..., Any]
    check: Callable[..., Any] | None = None


def compile_call(
    route: RouteSpec,
    handler: Callable[..., Any],
    parameters: Sequence[Parameter],
    answer: Answer | None,
    resources: Mapping[str, str],
    *,
    checks_first: bool = False,
) -> Call:
    """A function of `(req, resp)` that reads and checks what the parameters say, and calls the handler with it: a
    coroutine function where the route is asynchronous. `resources` are the names of resources by parameter. With
    `checks_first` reading and checking is a function of its own, which is called before the resources of the request
    are made.

    `ParameterError` for a type that no value of a request can be made of.
    """
    names: dict[str, Any] = {"Absent": Absent, "answer": answer, "failures": CAUGHT, "handler": handler}
    steps: list[_Step] = []
    for each in parameters:
        try:
            step = _step(each, names)
        except TypeError as error:
            raise nowhere(each, route, str(error)) from error
        if step is not None:
            steps.append(step)
    steps.sort(key=lambda each: each.order)
    names["refusal"] = refusal_of([_reading(each, names) for each in steps])
    call = f"handler({', '.join(_argument(each, resources) for each in parameters)})"
    if route.is_async and not inspect.isasyncgenfunction(handler):
        call = f"await {call}"
    lines = [f"return {call}" if answer is None else f"return answer(resp, {call})"]
    if resources:
        lines.insert(0, "resources = req.resources")
    reading: list[str] = []
    if steps:
        reading = [
            "try:",
            *_indented(_with_views(steps)),
            "except failures as error:",
            "    raise refusal(req, error) from None",
        ]
    check = None
    if checks_first and steps:
        values = "".join(f"p_{each.parameter.name}, " for each in steps)
        check = _function("check", [*reading, f"req.{_VALUES} = ({values})"], names)
        reading = [f"{values}= req.{_VALUES}"]
    return Call(_function("run", [*reading, *lines], names, prefix="async " if route.is_async else ""), check)


def _step(parameter: Parameter, names: dict[str, Any]) -> _Step | None:
    """The step of a parameter, `None` for one that nothing is done for. What its lines name is added to `names`."""
    variable, key = f"p_{parameter.name}", repr(parameter.key)
    match parameter.source:
        case Path():
            lines = [f"{variable} = params[{key}]", *_checked(parameter, names, may_be_absent=False)]
            return _Step(parameter, lines, "params")
        case Query() | Header() | Cookie() | Form() as source if not shapes.is_body(parameter.annotation):
            view, every = {
                Query: ("query", "req.query_all"),
                Header: ("header", "req.header_all"),
                Cookie: ("cookies", "cookies.get"),
                Form: ("form", "req.form_all"),
            }[type(source)]
            order = _BODY if isinstance(source, Form) else _HEAD
            if shapes.is_list(parameter.annotation) and not isinstance(source, Cookie):
                return _Step(
                    parameter, [f"{variable} = {every}({key}) or None", *_checked(parameter, names)], order=order
                )
            return _Step(parameter, [f"{variable} = {view}.get({key})", *_checked(parameter, names)], view, order)
        case File():
            names[f"r_{parameter.name}"] = files_of(parameter)
            return _Step(parameter, [f"{variable} = r_{parameter.name}(req)", *_checked(parameter, names)], order=_BODY)
        case Body() | Form():
            names[f"t_{parameter.name}"] = body_type(parameter)
            line = f"{variable} = req.parse(t_{parameter.name})"
            if not parameter.is_required:
                names |= {"has_body": has_body, f"d_{parameter.name}": parameter.default}
                line = f"{line} if has_body(req) else d_{parameter.name}"
            return _Step(parameter, [line], order=_BODY)
        case Bearer() | ApiKey() as credentials:
            reader = bearer_of if isinstance(credentials, Bearer) else api_key_of
            names[f"r_{parameter.name}"] = reader(parameter)
            lines = [f"{variable} = r_{parameter.name}(req)", *_checked(parameter, names)]
            return _Step(parameter, lines, order=_FIRST)
    return None


def _checked(parameter: Parameter, names: dict[str, Any], *, may_be_absent: bool = True) -> list[str]:
    """The lines that make a value of what the request has; that is `None` for what is absent."""
    variable, check = f"p_{parameter.name}", check_of(parameter)
    names[f"d_{parameter.name}"] = parameter.default
    if check is not None:
        names[f"c_{parameter.name}"] = check.convert
    made = variable if check is None else f"c_{parameter.name}({variable})"
    if not may_be_absent:
        return [] if check is None else [f"{variable} = {made}"]
    if parameter.is_required:
        return [f"if {variable} is None: raise Absent", *([] if check is None else [f"{variable} = {made}"])]
    if check is None:
        return [f"if {variable} is None: {variable} = d_{parameter.name}"]
    return [f"{variable} = d_{parameter.name} if {variable} is None else {made}"]


def _argument(parameter: Parameter, resources: Mapping[str, str]) -> str:
    match parameter.source:
        case _ if parameter.name in resources:
            value = f"resources.{resources[parameter.name]}"
        case Request():
            value = "req"
        case Response():
            value = "resp"
        case _:
            value = f"p_{parameter.name}"
    return f"{parameter.name}={value}" if parameter.by_keyword else value


def _with_views(steps: Sequence[_Step]) -> list[str]:
    lines: list[str] = []
    seen: set[str] = set()
    for step in steps:
        if step.view is not None and step.view not in seen:
            seen.add(step.view)
            lines.append(f"{step.view} = {_VIEWS[step.view]}")
        lines += step.lines
    return lines


def _reading(step: _Step, names: dict[str, Any]) -> Reading:
    """One step alone, to find out whether it was the one that failed."""
    return Reading(step.parameter, _function("read", _with_views([step]), names), check_of(step.parameter))


def _indented(lines: Sequence[str]) -> list[str]:
    return [f"    {line}" for line in lines]


def _function(name: str, lines: Sequence[str], names: dict[str, Any], prefix: str = "") -> Callable[..., Any]:
    source = "\n".join([f"{prefix}def {name}(req, resp):", *_indented(lines)])
    made: dict[str, Any] = {}
    exec(compile(source, f"<{__name__}>", "exec"), names, made)
    function: Callable[..., Any] = made[name]
    return function
