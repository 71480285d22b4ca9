"""What handlers tell by their code."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import pytest

from slimeweb import Slime
from slimeweb_docs.handler import validated

pydantic = pytest.importorskip("pydantic")

Look = Callable[[Slime], dict[str, Any]]


class Student(pydantic.BaseModel):
    name: str


class Teacher(pydantic.BaseModel):
    subject: str


class models:
    Student = Student


def plain(req: Any, resp: Any) -> None:
    req.validate(Student)


async def asynchronous(request: Any, response: Any) -> None:
    err = request.validate(Student, raise_err=False)
    await response.nothing(err)


def by_keyword(req: Any, resp: Any) -> None:
    req.validate(raise_err=False, obj=Student)


def by_attribute(req: Any, resp: Any) -> None:
    req.validate(models.Student)


def several(req: Any, resp: Any) -> None:
    if req.method == "POST":
        req.validate(Student)
    else:
        req.validate(Teacher)
        req.validate(Student)


def of_many(req: Any, resp: Any) -> None:
    req.validate(list[Student])


def somebody_else(req: Any, resp: Any) -> None:
    resp.validate(Student)


def unknown_until_it_runs(req: Any, resp: Any) -> None:
    model = {"a": Student}[req.query["kind"]]
    req.validate(model)


def would_call_something(req: Any, resp: Any) -> None:
    req.validate(exit("evaluated"))


def enclosing() -> Any:
    model = Teacher

    def enclosed(req: Any, resp: Any) -> None:
        req.validate(model)

    return enclosed


def wrapping(function: Any) -> Any:
    @functools.wraps(function)
    def wrapper(req: Any, resp: Any) -> Any:
        return function(req, resp)

    return wrapper


class Handlers:
    def method(self, req: Any, resp: Any) -> None:
        req.validate(Student)

    def __call__(self, req: Any, resp: Any) -> None:
        req.validate(Teacher)


@pytest.mark.parametrize(
    ("handler", "model"),
    [
        (plain, Student),
        (asynchronous, Student),
        (by_keyword, Student),
        (by_attribute, Student),
        (several, Student | Teacher),
        (of_many, list[Student]),
        (enclosing(), Teacher),
        (wrapping(plain), Student),
        (functools.partial(plain), Student),
        (Handlers().method, Student),
        (Handlers(), Teacher),
        (somebody_else, None),
        (unknown_until_it_runs, None),
        (would_call_something, None),
        (lambda req, resp: None, None),
        (print, None),
        (eval("lambda req, resp: req.validate(Student)"), None),
    ],
)
def test_the_models_that_a_handler_validates_with(handler: Any, model: Any) -> None:
    assert validated(handler) == model


def test_they_are_the_schema_of_the_body(operations_of: Look) -> None:
    app = Slime(__file__)
    app.route("/", method="POST")(plain)
    body = operations_of(app)["plain"]["requestBody"]
    assert body["content"] == {"application/json": {"schema": {"$ref": "#/components/schemas/Student"}}}
