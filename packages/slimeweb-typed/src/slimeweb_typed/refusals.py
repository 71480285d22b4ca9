"""What is said of a request whose values do not fit."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from slimeweb import SlimeRequest
from slimeweb_typed.markers import Cookie, File, Form, Header, Query
from slimeweb_typed.parameters import Parameter, Path
from slimeweb_typed.pending import ValidationFailed

__all__ = ["CAUGHT", "Absent", "Reading", "refusal_of"]


class Absent(Exception):
    """A request does not have what is required."""


CAUGHT = (ValidationError, ValidationFailed, Absent)
"""What reading a parameter raises when it is the client's mistake, beside an `HttpError`."""


@dataclass(frozen=True, slots=True)
class Reading:
    """How one parameter is read."""

    parameter: Parameter
    read: Callable[[SlimeRequest, None], Any]


def refusal_of(readings: Sequence[Reading]) -> Callable[[SlimeRequest, Exception], Exception]:
    """What makes the error for a request, of which `error` is the first that was found: it reads all parameters
    again, to list everything that is wrong.
    """

    def refusal(req: SlimeRequest, error: Exception) -> Exception:
        errors = [each for reading in readings for each in _errors(reading, req)]
        return ValidationFailed(errors) if errors else error

    return refusal


def _errors(reading: Reading, req: SlimeRequest) -> Iterator[dict[str, Any]]:
    parameter = reading.parameter
    place = _place(parameter)
    try:
        reading.read(req, None)
    except Absent:
        yield {"in": place, "loc": [parameter.key], "detail": "Field required", "type": "missing"}
    except ValidationFailed as failed:
        yield from failed.errors
    except ValidationError as error:
        for each in error.errors(include_url=False, include_context=False, include_input=False):
            yield {"in": place, "loc": [parameter.key, *each["loc"]], "detail": each["msg"], "type": each["type"]}


def _place(parameter: Parameter) -> str:
    match parameter.source:
        case Path():
            return "path"
        case Query():
            return "query"
        case Header():
            return "header"
        case Cookie():
            return "cookie"
        case Form() | File():
            return "body"
    return "header"
