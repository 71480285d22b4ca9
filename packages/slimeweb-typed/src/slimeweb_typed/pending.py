"""What core is to have: the error for values that do not fit, and bodies read as types."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pydantic import TypeAdapter, ValidationError

from slimeweb import HttpError, SlimeRequest

__all__ = ["ValidationFailed", "parser_of"]


class ValidationFailed(HttpError):
    """A 422 that lists what does not fit."""

    def __init__(self, errors: list[dict[str, Any]]) -> None:
        super().__init__(422, {"errors": errors})
        self.errors = errors


def parser_of(annotation: Any) -> Callable[[SlimeRequest], Any]:
    """What reads JSON bodies of a type."""
    validate = TypeAdapter(annotation).validator.validate_json

    def parse(req: SlimeRequest) -> Any:
        if req.json is None:
            raise HttpError(415)
        try:
            return validate(req.body)
        except ValidationError as error:
            found = error.errors(include_url=False, include_context=False, include_input=False)
            raise ValidationFailed(
                [{"in": "body", "loc": list(e["loc"]), "detail": e["msg"], "type": e["type"]} for e in found]
            ) from error

    return parse
