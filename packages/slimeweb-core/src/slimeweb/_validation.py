"""`req.parse` and `req.validate`: request bodies checked against types."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from itertools import chain
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, TypeVar, get_args, get_origin

from slimeweb.errors import HttpError, becomes
from slimeweb.json import to_json
from slimeweb.validation import Validator, validator_of

if TYPE_CHECKING:
    from slimeweb._core import SlimeRequest

__all__ = ["validating_members"]

T = TypeVar("T")

_TAKEN = "application/json, application/x-www-form-urlencoded, multipart/form-data"


def validating_members() -> Mapping[str, Callable[..., Any]]:
    """`parse` and `validate`, as members of one application's requests."""

    # Bounded, since a class that is made for each request is another type each time.
    @lru_cache(maxsize=1024)
    def of_key(key: type | _Structure) -> Validator[Any]:
        return validator_of(key.kind if isinstance(key, _Structure) else key)

    def of(kind: Any) -> Validator[Any]:
        return of_key(kind if isinstance(kind, type) else _Structure(kind))

    def parse(req: SlimeRequest, model: type[T]) -> T:
        """The body as a value of a type."""
        validator = of(model)
        match req._body_kind:
            case "json":
                return validator.json(req.body)  # type: ignore[no-any-return]
            case "form":
                files = ((file.field, file) for file in req.file)
                return validator.form(chain(req._form_pairs(), files))  # type: ignore[no-any-return]
        given = req.header.get("content-type")
        said = "there is no Content-Type" if given is None else "this Content-Type is not taken"
        raise HttpError(415, f"{said}: send one of {_TAKEN}", {"Accept": _TAKEN})

    def validate(req: SlimeRequest, obj: type[Any], raise_err: bool = True) -> dict[str, list[dict[str, str]]] | None:
        """Checks the JSON body against a type."""
        # Refuses what is not JSON before the model sees it, and is None for a body of another type.
        value = req.json
        validator = of(obj)
        try:
            try:
                validator.decode(b"null" if value is None else req.body)
            except validator.failures as failure:
                if not validator.is_syntax(failure):
                    raise
                # What slimeweb reads and the other does not, such as a byte order mark.
                validator.decode(to_json(value))
        except validator.failures as failure:
            if raise_err:
                becomes(failure, lambda failure: validator.failed(failure, value))
                raise
            errors = validator.errors(failure, "body")
            return {"errors": [_readable(each["loc"], each["detail"], each["type"]) for each in errors]}
        return None

    return MappingProxyType({"parse": parse, "validate": validate})


def _readable(location: list[str | int], message: str, kind: str) -> dict[str, str]:
    return {"loc": ".".join(str(step) for step in location), "msg": message, "type": kind}


class _Structure:
    """What stands for a type that is no class, such as `list[Student]`, as a key: equal for types that are written
    alike. `int | str` and `str | int` are not, though they compare equal.
    """

    __slots__ = ("key", "kind")

    def __init__(self, kind: Any) -> None:
        self.kind = kind
        self.key = _structure(kind)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Structure) and self.key == other.key

    def __hash__(self) -> int:
        return hash(self.key)


def _structure(kind: Any) -> object:
    arguments = get_args(kind)
    if arguments:
        return (get_origin(kind), *map(_structure, arguments))
    try:
        hash(kind)
    except TypeError:
        # It lives as long as the key, which has it.
        return id(kind)
    # `Literal[1]` and `Literal[True]` compare equal otherwise.
    return (type(kind), kind)
