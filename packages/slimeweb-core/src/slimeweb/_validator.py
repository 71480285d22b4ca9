"""`Validator`: what checks values of requests against one type."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Generic, TypeVar, cast

from slimeweb._core import json_loads
from slimeweb.errors import FieldError, JsonError, Place, ValidationFailed
from slimeweb.json import to_json

__all__ = ["Validator", "steps_in"]

T = TypeVar("T")


class Validator(ABC, Generic[T]):
    """Checks values against one type. Made once for a type, by `validator_of`, and used by any thread.

    `decode(text)` and `convert(value)` are pydantic's or msgspec's own functions. The first takes JSON as bytes, the
    second text, as queries, headers and forms have it, or lists and dicts of text; a strict type takes text as well
    then. Of what they raise `failures` are about the value, which `errors` makes into `FieldError`s.

        page = validator_of(int)
        try:
            page.convert("x")
        except page.failures as failure:
            raise ValidationFailed(page.errors(failure, "query", ["page"])) from failure
    """

    decode: Callable[[bytes], T]
    convert: Callable[[Any], T]
    failures: tuple[type[Exception], ...]

    @abstractmethod
    def errors(
        self, failure: Exception, place: Place, loc: Sequence[str | int] = (), value: object = None
    ) -> Iterator[FieldError]:
        """What one of the `failures` says. `loc` is where in `place` the value was, `value` the value, as lists and
        dicts.
        """

    @abstractmethod
    def count(self, failure: Exception) -> int:
        """How many errors one of the `failures` has."""

    @abstractmethod
    def takes_several(self, name: str) -> bool:
        """Whether the form field of that name becomes a list, a set or a tuple."""

    @abstractmethod
    def is_syntax(self, failure: Exception) -> bool:
        """Whether one of the `failures` is that the text is no JSON."""

    def json(self, text: bytes) -> T:
        """The value of a JSON body. `JsonError`, a 400, for what is not JSON, `ValidationFailed`, a 422, for what does
        not fit.
        """
        try:
            value = self.decode(text)
        except self.failures as failure:
            return self._again(text, failure)
        if b"NaN" in text or b"Infinity" in text:
            # pydantic takes these as numbers, which JSON does not have.
            json_loads(text)
        return value

    def form(self, fields: Iterable[tuple[str, object]]) -> T:
        """The value of a form, from the names and values of its fields and files in their order. `ValidationFailed`, a
        422, for what does not fit.
        """
        values: dict[str, Any] = {}
        for name, value in fields:
            if self.takes_several(name):
                values.setdefault(name, []).append(value)
            else:
                values[name] = value
        try:
            return self.convert(values)
        except self.failures as failure:
            raise self.failed(failure, values) from failure

    def failed(self, failure: Exception, value: object) -> ValidationFailed:
        """What one of the `failures` becomes where the whole body is `value`."""
        return ValidationFailed(self.errors(failure, "body", (), value), self.count(failure))

    def _again(self, text: bytes, failure: Exception) -> T:
        value = json_loads(text)
        if not self.is_syntax(failure):
            raise self.failed(failure, value) from failure
        # What slimeweb reads and the other does not, such as a byte order mark.
        try:
            return self.decode(to_json(value))
        except self.failures as second:
            if self.is_syntax(second):
                raise JsonError(f"the body cannot be read as JSON: {second}") from second
            raise self.failed(second, value) from second
        except ValueError as second:
            # An integer of more digits than Python writes.
            raise JsonError(f"the body cannot be read as JSON: {second}") from second


def steps_in(value: object, loc: Sequence[str | int], *, is_missing: bool) -> Iterator[str | int]:
    """The steps of `loc` that lead through `value`. Others name an arm of a union, or a function; the last one, where
    `is_missing`, names what is not there.
    """
    for position, step in enumerate(loc):
        is_key = isinstance(value, dict) and step in value
        is_index = isinstance(value, list) and isinstance(step, int) and 0 <= step < len(value)
        if is_key or is_index:
            value = cast(Any, value)[step]
        elif not (is_missing and position == len(loc) - 1):
            continue
        yield step
