"""What answers an error that nothing else does: a short text, or a problem (RFC 9457) for who asks for JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from slimeweb.errors import HttpError, MissingField, ValidationFailed, phrase

if TYPE_CHECKING:
    from slimeweb._core import SlimeRequest, SlimeResponse

__all__ = ["answer_problem"]


def answer_problem(req: SlimeRequest, resp: SlimeResponse, exc: BaseException, status: int) -> None:
    """Fills the body for `exc`, which is answered with `status`."""
    detail = exc.detail if isinstance(exc, HttpError) and exc.status == status else ""
    if not isinstance(detail, str):
        resp.json(detail)
        return
    is_invalid = isinstance(exc, ValidationFailed) and exc.status == status
    if not is_invalid:
        if "Accept" not in resp.header_all("Vary"):
            resp.add_header("Vary", "Accept")
        if not req._names_json:
            resp.plain(detail or phrase(status))
            return
    problem: dict[str, Any] = {"type": "about:blank", "title": phrase(status), "status": status}
    if detail:
        problem["detail"] = detail
    if isinstance(exc, ValidationFailed | MissingField) and exc.status == status:
        problem["errors"] = exc.errors
    resp.json(problem)
    resp.set_header("Content-Type", "application/problem+json")
