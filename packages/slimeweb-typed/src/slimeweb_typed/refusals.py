"""What is said of a request whose values do not fit."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from slimeweb import SlimeRequest
from slimeweb.errors import FieldError, Place, ValidationFailed, field_error
from slimeweb.validation import Validator
from slimeweb_typed.markers import Cookie, File, Form, Query
from slimeweb_typed.parameters import Parameter, Path

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
    validator: Validator[Any] | None


def refusal_of(readings: Sequence[Reading]) -> Callable[[SlimeRequest, Exception], Exception]:
    """What makes the error for a request, of which `error` is the first that was found: it reads all parameters
    again, to list everything that is wrong.
    """

    def refusal(req: SlimeRequest, error: Exception) -> Exception:
        errors = [each for reading in readings for each in _errors(reading, req)]
        return ValidationFailed(errors) if errors else error

    return refusal


def _errors(reading: Reading, req: SlimeRequest) -> Iterator[FieldError]:
    parameter = reading.parameter
    place, loc = _place(parameter), [parameter.key]
    try:
        reading.read(req, None)
    except Absent:
        yield field_error(place, loc, "Field required", "missing")
    except ValidationFailed as failed:
        yield from failed.errors
    except ValidationError as error:
        if reading.validator is None:
            raise
        yield from reading.validator.errors(error, place, loc)


def _place(parameter: Parameter) -> Place:
    match parameter.source:
        case Path():
            return "path"
        case Query():
            return "query"
        case Cookie():
            return "cookie"
        case Form() | File():
            return "body"
    return "header"
