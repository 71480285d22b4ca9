"""The schemas of one document, each under a name of its own."""

from __future__ import annotations

from collections.abc import Iterable

from slimeweb_docs.definitions import Described, Schema, fingerprint, with_refs

__all__ = ["Components"]


class Components:
    """Gathers what `#/components/schemas` of a document holds (OpenAPI 3.1, section 4.8.7).

    A type keeps its class's name; another one of the same name gets a number behind it. What says the same is there
    once.
    """

    def __init__(self, reserved: Iterable[str] = ()) -> None:
        """`reserved` are names that plugins give to schemas of their own."""
        self._reserved = frozenset(reserved)
        self._names: dict[str, str] = {}
        self.schemas: dict[str, Schema] = {}

    def adopt(self, described: Described) -> Schema:
        """Takes in all that a schema refers to, and returns the schema with references into the document."""
        names: dict[str, str] = {}
        new: list[str] = []
        for key, definition in described.definitions.items():
            said = fingerprint(key, described.definitions)
            if said not in self._names:
                self._names[said] = self._free(definition.name)
                new.append(key)
            names[key] = self._names[said]

        def rename(key: str) -> str:
            return f"#/components/schemas/{names[key]}"

        for key in new:
            self.schemas[names[key]] = with_refs(described.definitions[key].schema, rename)
        adopted: Schema = with_refs(described.schema, rename)
        return adopted

    def _free(self, wanted: str) -> str:
        taken = self._reserved.union(self._names.values())
        name, number = wanted, 1
        while name in taken:
            number += 1
            name = f"{wanted}_{number}"
        return name
