"""What a client can decode: Accept-Encoding (RFC 9110, section 12.5.3)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

__all__ = ["AcceptEncoding"]

_WEIGHT = re.compile(r"0(?:\.[0-9]{0,3})?|1(?:\.0{0,3})?")

_MOST = 64
"""Browsers name five codings. A list beyond this is read no further: no header is to cost more than the body."""

_IDENTITY, _ANY = "identity", "*"


@dataclass(frozen=True, slots=True)
class AcceptEncoding:
    """A client's weights for content codings, in thousandths: 0 is what it refuses."""

    weights: Mapping[str, int]

    @classmethod
    def parse(cls, field: str | None) -> AcceptEncoding:
        """Reads the field's value, `None` where there is no such field.

        A coding whose weight cannot be understood is one that is refused, and one that is named twice has the lower
        weight: a client that gets no compression can read the answer, one that gets what it cannot decode has nothing.
        """
        weights: dict[str, int] = {}
        for member in (field or "").split(",", _MOST)[:_MOST]:
            name, *parameters = member.split(";")
            coding = name.strip(" \t").lower()
            if not coding:
                continue
            # RFC 9110, section 8.4.1.3: x-gzip is an old name of gzip.
            coding = "gzip" if coding == "x-gzip" else coding
            weight = _weight(parameters)
            weights[coding] = min(weight, weights.get(coding, weight))
        return cls(weights)

    @property
    def refuses_identity(self) -> bool:
        """Whether the client does not want a body as it is."""
        return self._identity == 0

    def choose(self, offered: tuple[str, ...]) -> str | None:
        """The coding that the client likes best, of equals the one offered first; `None` to send the body as it is."""
        best, highest = None, 0
        for coding in offered:
            weight = self.weights.get(coding, self.weights.get(_ANY, 0))
            if weight > highest:
                best, highest = coding, weight
        identity = self._identity
        return None if identity is not None and identity > highest else best

    @property
    def _identity(self) -> int | None:
        """The weight of the body as it is; `None` where the client does not say: if there is nothing better."""
        return self.weights.get(_IDENTITY, self.weights.get(_ANY))


def _weight(parameters: list[str]) -> int:
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name.strip(" \t").lower() == "q":
            value = value.strip(" \t")
            return round(float(value) * 1000) if _WEIGHT.fullmatch(value) else 0
    return 1000
