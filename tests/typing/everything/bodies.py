"""Bodies as values of types."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypedDict, assert_type

from pydantic import BaseModel

from slimeweb import SlimeRequest


class Model(BaseModel):
    name: str


@dataclass
class Point:
    x: int


class Movie(TypedDict):
    title: str


def parse(req: SlimeRequest) -> None:
    assert_type(req.parse(Model), Model)
    assert_type(req.parse(Point), Point)
    assert_type(req.parse(Movie), Movie)
    assert_type(req.parse(list[Model]), list[Model])
    assert_type(req.parse(dict[str, int]), dict[str, int])
    req.parse(Model).nonsense  # type: ignore[attr-defined]  # pyright: ignore[reportAttributeAccessIssue]
    req.parse(3)  # type: ignore[call-overload]  # pyright: ignore[reportCallIssue, reportArgumentType]
