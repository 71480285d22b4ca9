"""Schemas of pydantic's types, which it makes itself. pydantic is imported only where there is such a type."""

from __future__ import annotations

from typing import Any

from slimeweb_docs.definitions import REF, Definition, component_name, with_refs
from slimeweb_docs.errors import SchemaError

__all__ = ["define", "is_pydantic"]


def is_pydantic(cls: type) -> bool:
    """Whether it is a pydantic model or a pydantic dataclass."""
    return hasattr(cls, "__pydantic_validator__")


def define(cls: type, key: str, output: bool) -> dict[str, Definition]:
    """The definition of a type under `key`, and of those it refers to under keys that begin with it.

    With `output` as `resp.json` sends it, else as `req.validate` takes it. `SchemaError` when pydantic cannot say.
    """
    from pydantic import TypeAdapter
    from pydantic.errors import PydanticUserError

    # A response is made by `model_dump(mode="json")`, which uses fields' own names unless the model says otherwise.
    by_alias = not output or bool(getattr(cls, "model_config", {}).get("serialize_by_alias"))
    try:
        adapter: TypeAdapter[Any] = TypeAdapter(cls)
        schema = adapter.json_schema(mode="serialization" if output else "validation", by_alias=by_alias)
    except (PydanticUserError, NameError) as error:
        # Its own message goes on for lines, with an address to read more at.
        reason = str(error).splitlines()[0]
        raise SchemaError(f"{cls.__module__}.{cls.__qualname__}: pydantic cannot describe it: {reason}") from error
    inner = schema.pop("$defs", {})
    own = schema.get("$ref", "").removeprefix(REF)

    def rename(name: str) -> str:
        # A model that refers to itself is among its own definitions.
        return f"{REF}{key if name == own else f'{key}:{name}'}"

    definitions = {
        key: Definition(component_name(cls.__name__), with_refs(inner.get(own, schema), rename)),
    }
    for name, each in inner.items():
        if name != own:
            # Two models of one name have their modules' names before theirs, with underscores between.
            plain = component_name(name.rpartition("__")[2] or name)
            if each.get("title") == plain and not each.keys().isdisjoint(("enum", "const")):
                # An enum says the same wherever it is used: as that of a dataclass does, which pydantic does not see.
                del each["title"]
                if len(each.get("enum", ())) == 1:
                    each["const"] = each.pop("enum")[0]
            definitions[f"{key}:{name}"] = Definition(plain, with_refs(each, rename))
    return definitions
