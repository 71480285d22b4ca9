"""Request bodies checked against pydantic models."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from slimeweb.errors import ConfigError

if TYPE_CHECKING:
    from slimeweb._core import SlimeRequest

__all__ = ["validate"]


def validate(req: SlimeRequest, obj: type[Any], raise_err: bool = True) -> dict[str, list[dict[str, str]]] | None:
    """Checks the JSON body against a pydantic model, or any type that pydantic can check.

    `None` when it fits. Else pydantic's `ValidationError`, which becomes a 500 unless the handler catches it; with
    `raise_err=False` what is wrong instead, as `{"errors": [{"loc": "age", "msg": "…", "type": "int_parsing"}]}`.
    `ConfigError` when pydantic is not installed; a body that is not JSON at all raises `JsonError`, a 400.
    """
    # Here and not above: an application that never validates does without pydantic.
    try:
        from pydantic import TypeAdapter, ValidationError
    except ImportError as error:
        raise ConfigError("req.validate needs pydantic: pip install pydantic") from error
    try:
        if hasattr(obj, "model_validate"):
            obj.model_validate(req.json)
        else:
            TypeAdapter(obj).validate_python(req.json)
    except ValidationError as error:
        if raise_err:
            raise
        # The input stays out: it may hold what the client should not see repeated, such as a password in a log.
        details = error.errors(include_url=False, include_context=False, include_input=False)
        return {"errors": [_readable(detail["loc"], detail["msg"], detail["type"]) for detail in details]}
    return None


def _readable(location: tuple[int | str, ...], message: str, kind: str) -> dict[str, str]:
    return {"loc": ".".join(str(step) for step in location), "msg": message, "type": kind}
