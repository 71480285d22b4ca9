"""Request bodies checked against pydantic models."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from slimeweb.errors import ConfigError
from slimeweb.json import to_json

if TYPE_CHECKING:
    from slimeweb._core import SlimeRequest

__all__ = ["validate"]


def validate(req: SlimeRequest, obj: type[Any], raise_err: bool = True) -> dict[str, list[dict[str, str]]] | None:
    """Checks the JSON body against a pydantic model, or any type that pydantic can check.

    It is checked as JSON, also where a model is strict: dates, UUIDs, bytes, tuples and the like are what JSON has for
    them. `None` when it fits. Else pydantic's `ValidationError`, which becomes a 500 unless the handler catches it;
    with `raise_err=False` what is wrong, as `{"errors": [{"loc": "age", "msg": "…", "type": "int_parsing"}]}`.
    `ConfigError` when pydantic is not installed; a body that is not JSON at all raises `JsonError`, a 400.
    """
    # Here and not above: an application that never validates does without pydantic.
    try:
        from pydantic import TypeAdapter, ValidationError
    except ImportError as error:
        raise ConfigError("req.validate needs pydantic: pip install pydantic") from error
    # Refuses what is not JSON before pydantic sees it, and is None for a body of another type.
    value = req.json
    check = obj.model_validate_json if hasattr(obj, "model_validate_json") else TypeAdapter(obj).validate_json
    try:
        try:
            check(b"null" if value is None else req.body)
        except ValidationError as error:
            if error.errors(include_url=False, include_input=False)[0]["type"] != "json_invalid":
                raise
            # What slimeweb reads and pydantic does not, such as a byte order mark.
            check(to_json(value))
    except ValidationError as error:
        if raise_err:
            raise
        # The input stays out: it may hold what the client should not see repeated, such as a password in a log.
        details = error.errors(include_url=False, include_context=False, include_input=False)
        return {"errors": [_readable(detail["loc"], detail["msg"], detail["type"]) for detail in details]}
    return None


def _readable(location: tuple[int | str, ...], message: str, kind: str) -> dict[str, str]:
    return {"loc": ".".join(str(step) for step in location), "msg": message, "type": kind}
