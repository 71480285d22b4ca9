"""One operation: a route and a method, as OpenAPI has them (section 4.8.10)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from slimeweb import RouteSpec
from slimeweb_docs.annotations import describe
from slimeweb_docs.answers import is_websocket, responses
from slimeweb_docs.components import Components
from slimeweb_docs.definitions import Schema
from slimeweb_docs.documentation import Documentation, Entry
from slimeweb_docs.errors import SchemaError
from slimeweb_docs.handler import validated
from slimeweb_docs.merging import fill_in

__all__ = ["operation"]

_PARAMS: dict[str, Schema] = {
    "str": {"type": "string", "minLength": 1},
    "int": {"type": "integer"},
    "float": {"type": "number"},
    "uuid": {"type": "string", "format": "uuid"},
    "path": {"type": "string"},
}
# RFC 9110, section 9.3: a body in these has no meaning that is generally known, and browsers send none.
_BODILESS = frozenset({"get", "head", "delete", "options", "trace"})


def operation(
    entry: Entry,
    method: str,
    methods: list[str],
    names: tuple[str, ...],
    components: Components,
    given: Mapping[str, Any],
) -> dict[str, Any]:
    """The operation object, without its id. `names` are the path's parameters', `methods` all that the route has,
    `given` what plugins say: it counts over what is only guessed, not over what the application says.
    """
    route, said = entry.route, entry.said
    summary, description = _texts(route, said)
    found: dict[str, Any] = {"summary": summary}
    if "summary" in given and not route.doc and (said is None or not said.title):
        found["summary"] = given["summary"]
    if description:
        found["description"] = description
    is_guess = said is None or not said.tags
    if entry.tags and not ("tags" in given and is_guess):
        found["tags"] = list(entry.tags)
    parameters = [*_path_parameters(route, names, given), *_query_parameters(said, components)]
    if parameters:
        found["parameters"] = parameters
    if method not in _BODILESS or all(each in _BODILESS for each in methods):
        body = _request_body(route, said, components, given)
        if body is not None:
            found["requestBody"] = body
    found["responses"] = responses(route, method, said, components, given.get("responses", {}))
    if said is not None and said.deprecated:
        found["deprecated"] = True
    fill_in(found, {name: value for name, value in given.items() if name != "responses"})
    return found


def _texts(route: RouteSpec, said: Documentation | None) -> tuple[str, str]:
    first, _, rest = route.doc.partition("\n\n")
    first = " ".join(first.split())
    # A summary is a title: one sentence goes without its full stop, several stay as they are.
    first = first.removesuffix(".") if first.count(". ") == 0 else first
    title = said.title if said is not None else ""
    description = said.description if said is not None else ""
    name = route.name.strip("_<>").replace("_", " ")
    if title and not description:
        return title, route.doc
    return title or first or f"{name[:1].upper()}{name[1:]}", description or rest


def _path_parameters(route: RouteSpec, names: tuple[str, ...], given: Mapping[str, Any]) -> list[dict[str, Any]]:
    # Where the path does not say a kind, text is only a guess.
    known = {each.get("name") for each in given.get("parameters", ()) if each.get("in") == "path" and "schema" in each}
    parameters: list[dict[str, Any]] = []
    for name, param in zip(names, route.params, strict=True):
        parameter: dict[str, Any] = {"name": name, "in": "path", "required": True}
        if param.kind != "str" or name not in known:
            parameter["schema"] = dict(_PARAMS[param.kind])
        if param.kind == "path":
            parameter["description"] = "All that is left of the path, slashes included"
        parameters.append(parameter)
    return parameters


def _query_parameters(said: Documentation | None, components: Components) -> list[dict[str, Any]]:
    parameters: list[dict[str, Any]] = []
    for query in (said.schema.query or ()) if said is not None else ():
        schema = components.adopt(describe(query.type))
        parameter = {"name": query.name, "in": "query", "required": bool(query.required), "schema": schema}
        parameters.append({**parameter, "description": query.description} if query.description else parameter)
    return parameters


def _request_body(
    route: RouteSpec, said: Documentation | None, components: Components, given: Mapping[str, Any]
) -> dict[str, Any] | None:
    body = said.schema.body if said is not None else None
    if body is not None:
        content = {body.content_type: {"schema": components.adopt(describe(body.schema_name))}}
        found: dict[str, Any] = {"required": True, "content": content}
        return {**found, "description": body.description} if body.description else found
    if is_websocket(said) or ("requestBody" in given and given["requestBody"] is None):
        return None
    model = validated(route.handler)
    if model is None:
        return None
    try:
        return {"required": True, "content": {"application/json": {"schema": components.adopt(describe(model))}}}
    except SchemaError:
        # It was found, not declared: a type that can be validated but not described is no mistake.
        return None
