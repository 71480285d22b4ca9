"""Bearer tokens (RFC 6750) that are JSON Web Tokens: `auth=True` asks for one, `auth="read"` for one of that scope."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import jwt

from slimeweb import HttpError, RouteOption, RouteSpec, SlimeMiddleware, SlimeRequest, SlimeResponse, hookimpl

__all__ = ["Bearer"]


def validate(value: object) -> bool | str:
    if isinstance(value, bool) or (isinstance(value, str) and value.isascii() and value.isidentifier()):
        return value
    raise ValueError(f"auth={value!r}: use True, or the scope that is needed, such as 'read'")


def refusal(status: int, **parameters: str) -> HttpError:
    challenge = "Bearer " + ", ".join(f'{name}="{value}"' for name, value in parameters.items())
    return HttpError(status, headers={"WWW-Authenticate": challenge})


class Guard(SlimeMiddleware):
    """Sets `req.token` to the claims of the token."""

    def __init__(self, key: Any, options: Mapping[str, Any], scope: str | None) -> None:
        self.key, self.options, self.scope = key, options, scope

    def middle_before(self, req: SlimeRequest, resp: SlimeResponse) -> None:
        scheme, _, token = req.header.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer":
            raise refusal(401, realm="application")
        try:
            req.token = jwt.decode(token.strip(), self.key, **self.options)
        except jwt.ExpiredSignatureError as error:
            raise refusal(401, error="invalid_token", error_description="the token has expired") from error
        except jwt.InvalidTokenError as error:
            raise refusal(401, error="invalid_token") from error
        if self.scope and self.scope not in str(req.token.get("scope", "")).split():
            raise refusal(403, error="insufficient_scope", scope=self.scope)


class Bearer:
    """`options` are those of `jwt.decode`, such as `audience`."""

    def __init__(self, key: Any, algorithms: Sequence[str], **options: Any) -> None:
        self.key, self.options = key, {"algorithms": list(algorithms), **options}

    @hookimpl
    def slime_route_options(self) -> Sequence[RouteOption]:
        return [RouteOption("auth", default=False, validate=validate)]

    @hookimpl
    def slime_middleware(self, route: RouteSpec) -> Sequence[SlimeMiddleware]:
        auth = route.options["auth"]
        return [Guard(self.key, self.options, auth if isinstance(auth, str) else None)] if auth else []

    @hookimpl(optionalhook=True)
    def slime_docs_document(self) -> Mapping[str, Any]:
        scheme = {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}
        return {"components": {"securitySchemes": {"bearer": scheme}}}

    @hookimpl(optionalhook=True)
    def slime_docs_operation(self, route: RouteSpec) -> Mapping[str, Any] | None:
        auth = route.options["auth"]
        if not auth:
            return None
        responses = {"401": {"description": "There is no valid token"}}
        if isinstance(auth, str):
            responses["403"] = {"description": f"The token is not for {auth}"}
        return {"security": [{"bearer": []}], "responses": responses}
