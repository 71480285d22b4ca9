"""The OpenAPI document of an application (OpenAPI 3.1)."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable
from typing import Any

from apispec import APISpec

from slimeweb import RouteSpec
from slimeweb_docs.components import Components
from slimeweb_docs.contributions import Contributions
from slimeweb_docs.documentation import About, Entry
from slimeweb_docs.operation import operation
from slimeweb_docs.template import Paths

__all__ = ["build", "to_text"]

_METHODS = ("get", "put", "post", "delete", "options", "head", "patch", "trace")
_ANY = ("get", "post", "put", "patch", "delete")
"""The methods listed for a route that takes any."""


def build(about: About, entries: Iterable[Entry], contributions: Contributions) -> dict[str, Any]:
    """The document of some routes, in their order, with what plugins have to say."""
    info = {"description": about.description} if about.description else {}
    spec = APISpec(title=about.title, version=about.version, openapi_version="3.1.0", info=info)
    components, paths, ids = Components(contributions.schema_names()), Paths(), _Ids()
    tags: dict[str, None] = {}
    for entry in entries:
        if contributions.hides(entry.declared):
            continue
        route = entry.route
        methods = [each.lower() for each in (_ANY if "*" in route.methods else route.methods)]
        place = paths.place(route, methods)
        for method in methods:
            given = contributions.operation(entry.declared, method.upper(), components)
            found = operation(entry, method, methods, place.names, components, given)
            tags.update(dict.fromkeys(found.get("tags", ())))
            found["operationId"] = ids.take(route, method, alone=len(methods) == 1)
            if method in _METHODS:
                place.operations[method] = found
            else:
                # OpenAPI 3.1 has no field for other methods, but allows extension fields.
                place.operations.setdefault("x-other-methods", {})[method.upper()] = found
    for tag in tags:
        spec.tag({"name": tag})
    for name, schema in components.schemas.items():
        spec.components.schema(name, schema)
    for place in paths:
        spec.path(path=place.template, operations=place.operations)
    document: dict[str, Any] = spec.to_dict()
    document = {"openapi": document.pop("openapi"), **document}
    contributions.add_to(document)
    finite: dict[str, Any] = _finite(document)
    return finite


def to_text(document: dict[str, Any]) -> str:
    """A document as `/openapi.json` and `slime openapi` give it: JSON to be read by people too."""
    text = json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    # Half of a surrogate pair has no UTF-8, which JSON has to be (RFC 8259, section 8.1).
    return text.encode(errors="replace").decode()


def _finite(value: Any) -> Any:
    """A value without the numbers that JSON has nothing for (RFC 8259, section 6), as pydantic leaves them.

    A keyword whose value is one, such as a default or a limit, is left out: the schema is wider then, but not wrong.
    In a list it is null.
    """
    if isinstance(value, dict):
        return {key: _finite(each) for key, each in value.items() if not _is_endless(each)}
    if isinstance(value, list | tuple):
        return [None if _is_endless(each) else _finite(each) for each in value]
    return value


def _is_endless(value: Any) -> bool:
    return isinstance(value, float) and not math.isfinite(value)


class _Ids:
    """Operation ids: handlers' names, with the method where there are several, and a number where that is taken."""

    def __init__(self) -> None:
        self._taken: set[str] = set()

    def take(self, route: RouteSpec, method: str, alone: bool) -> str:
        name = re.sub(r"\W+", "_", route.name).strip("_")
        if name in ("", "lambda"):
            name = re.sub(r"\W+", "_", f"{method} {route.path}").strip("_")
        base = name if alone else f"{name}_{method}"
        found, number = base, 1
        while found in self._taken:
            number += 1
            found = f"{base}_{number}"
        self._taken.add(found)
        return found
