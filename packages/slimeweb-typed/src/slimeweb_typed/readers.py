"""Readers of what takes more than one look into a request: credentials, files and bodies."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from slimeweb import HttpError, SlimeRequest
from slimeweb.errors import ConfigError
from slimeweb.validation import validator_of
from slimeweb_typed import shapes
from slimeweb_typed.markers import ApiKey
from slimeweb_typed.parameters import Parameter

__all__ = ["api_key_of", "bearer_of", "body_type", "files_of", "has_body"]

Reader = Callable[[SlimeRequest], Any]


def bearer_of(parameter: Parameter) -> Reader:
    """Reads the bearer token of a request; 401 without one that is required."""
    is_required = parameter.is_required

    def read(req: SlimeRequest) -> str | None:
        scheme, _, token = req.header.get("authorization", "").partition(" ")
        token = token.strip()
        if scheme.lower() == "bearer" and token:
            return token
        if is_required:
            raise HttpError(401, headers={"WWW-Authenticate": "Bearer"})
        return None

    return read


def api_key_of(parameter: Parameter) -> Reader:
    """Reads a key of a request; 401 without one that is required."""
    source, is_required = parameter.source, parameter.is_required
    assert isinstance(source, ApiKey)

    def find(req: SlimeRequest) -> str | None:
        if source.query is not None:
            return req.query.get(source.query)
        if source.cookie is not None:
            return req.get_cookies().get(source.cookie)
        return req.header.get(source.header)

    def read(req: SlimeRequest) -> str | None:
        key = find(req)
        if not key and is_required:
            raise HttpError(401, headers={"WWW-Authenticate": "ApiKey"})
        return key or None

    return read


def files_of(parameter: Parameter) -> Reader:
    """Reads the uploaded files of a field, or the first of them; `None` where there is none."""
    key = parameter.key

    def read_all(req: SlimeRequest) -> Any:
        return [file for file in req.file if file.field == key] or None

    def read_first(req: SlimeRequest) -> Any:
        return next((file for file in req.file if file.field == key), None)

    return read_all if shapes.is_list(parameter.annotation) else read_first


def body_type(parameter: Parameter) -> Any:
    """The type that `req.parse` reads the whole body as. `TypeError` where it cannot."""
    try:
        validator_of(parameter.annotation)
    except ConfigError as error:
        raise TypeError(str(error)) from error
    return parameter.annotation


def has_body(req: SlimeRequest) -> bool:
    """Whether there is a body; that of a multipart form is elsewhere."""
    return bool(req.body) or req.header.get("content-type", "").startswith("multipart/")
