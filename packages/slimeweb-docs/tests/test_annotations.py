"""Each kind of Python type, and the JSON schema that it becomes."""

from __future__ import annotations

import collections
import datetime
import decimal
import enum
import pathlib
import typing
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import InitVar, dataclass, field
from typing import (
    Annotated,
    Any,
    ClassVar,
    Generic,
    Literal,
    NamedTuple,
    NewType,
    NotRequired,
    Optional,
    TypedDict,
    TypeVar,
    Union,
)

import pytest
from typing_extensions import TypeAliasType

from slimeweb_docs.annotations import describe
from slimeweb_docs.components import Components
from slimeweb_docs.errors import SchemaError

pydantic = pytest.importorskip("pydantic")

T = TypeVar("T")
Bounded = TypeVar("Bounded", bound=int)
UserId = NewType("UserId", int)
Json = TypeAliasType("Json", "dict[str, Json] | list[Json] | str | None")
Pairs = TypeAliasType("Pairs", list[tuple[T, T]], type_params=(T,))
TEXT = {"type": "string"}
WHOLE = {"type": "integer"}


class Colour(enum.Enum):
    """What a pet looks like."""

    RED = "red"
    BLUE = "blue"


class Size(enum.IntEnum):
    ONE = 1
    TWO = 2


class Mixed(enum.Enum):
    WORD = "a"
    NUMBER = 1


class Doc:
    def __init__(self, documentation: str) -> None:
        self.documentation = documentation


class Name(str):
    pass


def schema_of(annotation: Any, output: bool = False) -> tuple[Any, dict[str, Any]]:
    """A schema, and the components that it refers to."""
    components = Components()
    return components.adopt(describe(annotation, output=output)), components.schemas


@pytest.mark.parametrize(
    ("annotation", "schema"),
    [
        (Any, {}),
        (object, {}),
        (None, {"type": "null"}),
        (bool, {"type": "boolean"}),
        (int, WHOLE),
        (float, {"type": "number"}),
        (str, TEXT),
        (Name, TEXT),
        (bytes, {"type": "string", "format": "binary"}),
        (decimal.Decimal, {"type": "string", "format": "decimal"}),
        (datetime.datetime, {"type": "string", "format": "date-time"}),
        (datetime.date, {"type": "string", "format": "date"}),
        (datetime.time, {"type": "string", "format": "time"}),
        (datetime.timedelta, {"type": "string", "format": "duration"}),
        (uuid.UUID, {"type": "string", "format": "uuid"}),
        (pathlib.Path, TEXT),
        (UserId, WHOLE),
        (T, {}),
        (Bounded, WHOLE),
        (list, {"type": "array", "items": {}}),
        (list[int], {"type": "array", "items": WHOLE}),
        (typing.List[int], {"type": "array", "items": WHOLE}),  # noqa: UP006
        (Sequence[int], {"type": "array", "items": WHOLE}),
        (Iterable[int], {"type": "array", "items": WHOLE}),
        (collections.deque[int], {"type": "array", "items": WHOLE}),
        (set[int], {"type": "array", "items": WHOLE, "uniqueItems": True}),
        (frozenset[int], {"type": "array", "items": WHOLE, "uniqueItems": True}),
        (tuple, {"type": "array", "items": {}}),
        (tuple[int, ...], {"type": "array", "items": WHOLE}),
        (tuple[int, str], {"type": "array", "prefixItems": [WHOLE, TEXT], "minItems": 2, "maxItems": 2}),
        (dict, {"type": "object"}),
        (dict[str, Any], {"type": "object"}),
        (dict[str, int], {"type": "object", "additionalProperties": WHOLE}),
        (Mapping[str, int], {"type": "object", "additionalProperties": WHOLE}),
        (collections.OrderedDict[str, int], {"type": "object", "additionalProperties": WHOLE}),
        (dict[str, list[int]], {"type": "object", "additionalProperties": {"type": "array", "items": WHOLE}}),
        (int | None, {"anyOf": [WHOLE, {"type": "null"}]}),
        (Optional[int], {"anyOf": [WHOLE, {"type": "null"}]}),  # noqa: UP045
        (Union[int, str], {"anyOf": [WHOLE, TEXT]}),  # noqa: UP007
        (str | Name, TEXT),
        (Literal["a"], {"type": "string", "const": "a"}),
        (Literal["a", "b"], {"type": "string", "enum": ["a", "b"]}),
        (Literal[1, "b", None], {"enum": [1, "b", None]}),
        (Literal[True], {"type": "boolean", "const": True}),
        (Literal[Colour.RED], {"type": "string", "const": "red"}),
        (Annotated[int, "not for people"], WHOLE),
        (Annotated[int, Doc("how many")], {"type": "integer", "description": "how many"}),
    ],
    ids=repr,
)
def test_types_without_a_name(annotation: Any, schema: dict[str, Any]) -> None:
    assert schema_of(annotation) == (schema, {})


class Sub:
    is_item: bool
    how_long: int


class User:
    """Somebody.

    With more to say.
    """

    name: str
    age: float = 0.5
    sub: dict[str, Sub]
    nickname: str | None = None
    made_of: Any = object()
    registry: ClassVar[int] = 1
    _private: int


class Admin(User):
    level: int


@dataclass
class Point:
    x: int
    y: int = 0
    tags: list[str] = field(default_factory=list)
    seed: InitVar[int] = 0


class Movie(TypedDict):
    title: str
    year: NotRequired[int]


class Loose(TypedDict, total=False):
    note: str


class Pair(NamedTuple):
    left: int
    right: str


class Node:
    value: int
    children: list[Node]
    parent: Optional[Node]  # noqa: UP045


class Left:
    right: Right


class Right:
    left: Left | None


@dataclass
class Box(Generic[T]):
    content: T
    spares: list[T]
    nested: Box[T] | None = None


class Student(pydantic.BaseModel):
    name: str
    age: int = pydantic.Field(ge=0)
    friends: list[Student] = pydantic.Field(default_factory=list)


class School(pydantic.BaseModel):
    head: Student
    colour: Colour


class Enrolment:
    student: Student
    school: School


USER_FIELDS = {
    "name": TEXT,
    "age": {"type": "number", "default": 0.5},
    "sub": {"type": "object", "additionalProperties": {"$ref": "#/components/schemas/Sub"}},
    "nickname": {"anyOf": [TEXT, {"type": "null"}], "default": None},
    "made_of": {},
}
SUB = {
    "type": "object",
    "properties": {"is_item": {"type": "boolean"}, "how_long": WHOLE},
    "required": ["is_item", "how_long"],
}


@pytest.mark.parametrize(
    ("annotation", "components"),
    [
        (Colour, {"Colour": {"type": "string", "enum": ["red", "blue"], "description": "What a pet looks like."}}),
        (Size, {"Size": {"type": "integer", "enum": [1, 2]}}),
        (Mixed, {"Mixed": {"enum": ["a", 1]}}),
        (
            User,
            {
                "User": {
                    "type": "object",
                    "description": "Somebody.\n\nWith more to say.",
                    "properties": USER_FIELDS,
                    "required": ["name", "sub"],
                },
                "Sub": SUB,
            },
        ),
        (
            Admin,
            {
                "Admin": {
                    "type": "object",
                    "properties": {**USER_FIELDS, "level": WHOLE},
                    "required": ["name", "sub", "level"],
                },
                "Sub": SUB,
            },
        ),
        (
            Point,
            {
                "Point": {
                    "type": "object",
                    "properties": {
                        "x": WHOLE,
                        "y": {"type": "integer", "default": 0},
                        "tags": {"type": "array", "items": TEXT},
                    },
                    "required": ["x"],
                }
            },
        ),
        (Movie, {"Movie": {"type": "object", "properties": {"title": TEXT, "year": WHOLE}, "required": ["title"]}}),
        (Loose, {"Loose": {"type": "object", "properties": {"note": TEXT}}}),
        (
            Node,
            {
                "Node": {
                    "type": "object",
                    "properties": {
                        "value": WHOLE,
                        "children": {"type": "array", "items": {"$ref": "#/components/schemas/Node"}},
                        "parent": {"anyOf": [{"$ref": "#/components/schemas/Node"}, {"type": "null"}]},
                    },
                    "required": ["value", "children", "parent"],
                }
            },
        ),
        (
            Left,
            {
                "Left": {
                    "type": "object",
                    "properties": {"right": {"$ref": "#/components/schemas/Right"}},
                    "required": ["right"],
                },
                "Right": {
                    "type": "object",
                    "properties": {"left": {"anyOf": [{"$ref": "#/components/schemas/Left"}, {"type": "null"}]}},
                    "required": ["left"],
                },
            },
        ),
        (
            Box[int],
            {
                "Box_int": {
                    "type": "object",
                    "properties": {
                        "content": WHOLE,
                        "spares": {"type": "array", "items": WHOLE},
                        "nested": {
                            "anyOf": [{"$ref": "#/components/schemas/Box_int"}, {"type": "null"}],
                            "default": None,
                        },
                    },
                    "required": ["content", "spares"],
                }
            },
        ),
        (
            Json,
            {
                "Json": {
                    "anyOf": [
                        {"type": "object", "additionalProperties": {"$ref": "#/components/schemas/Json"}},
                        {"type": "array", "items": {"$ref": "#/components/schemas/Json"}},
                        TEXT,
                        {"type": "null"},
                    ]
                }
            },
        ),
        (
            Pairs[int],
            {
                "Pairs_int": {
                    "type": "array",
                    "items": {"type": "array", "prefixItems": [WHOLE, WHOLE], "minItems": 2, "maxItems": 2},
                }
            },
        ),
    ],
    ids=repr,
)
def test_types_with_a_name_are_components(annotation: Any, components: dict[str, Any]) -> None:
    (name, *_) = components
    assert schema_of(annotation) == ({"$ref": f"#/components/schemas/{name}"}, components)


def test_a_named_tuple_is_an_array() -> None:
    assert schema_of(Pair) == (
        {"type": "array", "prefixItems": [WHOLE, TEXT], "minItems": 2, "maxItems": 2},
        {},
    )


def test_pydantic_models_are_described_by_pydantic() -> None:
    schema, components = schema_of(Student)
    assert schema == {"$ref": "#/components/schemas/Student"}
    assert components["Student"]["properties"]["age"] == {"minimum": 0, "title": "Age", "type": "integer"}
    assert components["Student"]["properties"]["friends"]["items"] == {"$ref": "#/components/schemas/Student"}


def test_a_model_that_several_types_refer_to_is_there_once() -> None:
    _, components = schema_of(Enrolment)
    assert set(components) == {"Enrolment", "Student", "School", "Colour"}
    assert components["Enrolment"]["properties"]["student"] == {"$ref": "#/components/schemas/Student"}
    assert components["School"]["properties"]["head"] == {"$ref": "#/components/schemas/Student"}


def test_what_is_sent_differs_from_what_is_taken_where_pydantic_says_so() -> None:
    class Order(pydantic.BaseModel):
        number: int = pydantic.Field(alias="orderNumber")
        note: str = ""

    taken = schema_of(Order)[1]["Order"]
    sent = schema_of(Order, output=True)[1]["Order"]
    assert (set(taken["properties"]), taken["required"]) == ({"orderNumber", "note"}, ["orderNumber"])
    assert set(sent["properties"]) == {"number", "note"}


def test_both_forms_of_a_model_can_be_in_one_document_and_one_will_do_where_they_are_the_same() -> None:
    class Price(pydantic.BaseModel):
        amount: decimal.Decimal

    components = Components()
    assert components.adopt(describe(Price)) == {"$ref": "#/components/schemas/Price"}
    assert components.adopt(describe(Price, output=True)) == {"$ref": "#/components/schemas/Price_2"}
    assert components.adopt(describe(list[Price]))["items"] == {"$ref": "#/components/schemas/Price"}
    assert components.adopt(describe(Sub)) == components.adopt(describe(Sub, output=True))
    assert set(components.schemas) == {"Price", "Price_2", "Sub"}


def test_a_generic_model_is_there_once_however_it_is_reached() -> None:
    class Page(pydantic.BaseModel, Generic[T]):
        items: list[T]

    class Album(pydantic.BaseModel):
        model_config = pydantic.ConfigDict(title="An album")
        pages: Page[Page[int]]

    class Shelf:
        album: Album
        page: Page[int]

    Shelf.__annotations__ = {"album": Album, "page": Page[int], "pages": Page[Page[int]]}
    components = Components()
    components.adopt(describe(Album))
    components.adopt(describe(Shelf))
    assert set(components.schemas) == {"Album", "Page_Page_int", "Page_int", "Shelf"}


def test_a_slot_is_no_default() -> None:
    class Slim:
        __slots__ = ("x",)
        x: int

    assert schema_of(Slim)[1]["Slim"]["required"] == ["x"]


def make_thing(annotation: Any) -> type:
    return type("Thing", (), {"__annotations__": {"value": annotation}, "__module__": __name__})


def test_two_classes_of_one_name_stay_apart() -> None:
    components = Components()
    assert components.adopt(describe(make_thing(int))) == {"$ref": "#/components/schemas/Thing"}
    assert components.adopt(describe(make_thing(str))) == {"$ref": "#/components/schemas/Thing_2"}
    assert components.adopt(describe(make_thing(int))) == {"$ref": "#/components/schemas/Thing"}
    one, other = make_thing(int), make_thing(str)
    assert components.adopt(describe(dict[str, one] | list[other])) == {  # type: ignore[valid-type]
        "anyOf": [
            {"type": "object", "additionalProperties": {"$ref": "#/components/schemas/Thing"}},
            {"type": "array", "items": {"$ref": "#/components/schemas/Thing_2"}},
        ]
    }


def test_classes_that_differ_only_in_what_they_refer_to_stay_apart() -> None:
    def make_order(address: Any) -> type:
        place = type("Address", (), {"__annotations__": {"code": address}, "__module__": __name__})
        return type("Order", (), {"__annotations__": {"address": place}, "__module__": __name__})

    components = Components()
    for kind in (int, str, int):
        components.adopt(describe(make_order(kind)))
    assert set(components.schemas) == {"Order", "Order_2", "Address", "Address_2"}
    assert components.schemas["Order_2"]["properties"]["address"] == {"$ref": "#/components/schemas/Address_2"}


def test_a_class_inside_a_function_may_refer_to_itself() -> None:
    class Local:
        following: Local | None

    assert set(schema_of(Local)[1]) == {"Local"}


@pytest.mark.parametrize(
    ("annotation", "message"),
    [
        (make_thing("Nowhere"), r"Thing: an annotation names 'Nowhere'.*at the top level"),
        (make_thing(Callable[[], int]), r"Thing\.value: Callable has no JSON form"),
        (make_thing(complex), r"Thing\.value: complex has no JSON form"),
        (make_thing("1 +"), r"Thing: an annotation does not resolve"),
        (list["User"], r"'User'\).*use a class|'User' has no JSON schema: use a class"),
        (type[int], r"type has no JSON form"),
    ],
    ids=repr,
)
def test_what_cannot_be_described_is_an_error_that_says_where(annotation: Any, message: str) -> None:
    with pytest.raises(SchemaError, match=message):
        describe(annotation)


def test_what_pydantic_cannot_describe_is_an_error_that_names_the_model() -> None:
    class Odd(pydantic.BaseModel):
        model_config = pydantic.ConfigDict(arbitrary_types_allowed=True)
        thing: Doc

    with pytest.raises(SchemaError, match=r"Odd: pydantic cannot describe it"):
        describe(Odd)


class Vowel(enum.Enum):
    """One with a docstring, and one member alone."""

    A = "a"


class Painted(pydantic.BaseModel):
    colour: Colour
    size: Size
    mixed: Mixed
    vowel: Vowel = Vowel.A


class Repainted(pydantic.BaseModel):
    colour: Colour = Colour.RED
    sizes: list[Size]


@dataclass
class Varnished:
    colour: Colour
    size: Size
    mixed: Mixed
    vowel: Vowel


def test_an_enum_is_there_once_whatever_it_is_used_in() -> None:
    components = Components()
    for annotation in (Painted, Varnished, Repainted, Colour):
        for output in (True, False):
            components.adopt(describe(annotation, output=output))
    names = {"Colour", "Size", "Mixed", "Vowel"}
    assert {name for name in components.schemas if name.partition("_")[0] in names} == names
    assert components.schemas["Colour"] == {
        "type": "string",
        "enum": ["red", "blue"],
        "description": "What a pet looks like.",
    }
