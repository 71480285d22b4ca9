"""The grammar of names and values in HTTP's header."""

from __future__ import annotations

import re

__all__ = ["FIELD_VALUE", "TOKEN"]

TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
"""A token (RFC 9110, section 5.6.2): what methods, header fields and cookies are named with."""

FIELD_VALUE = re.compile(r"[^\x00-\x08\x0a-\x1f\x7f]*")
"""The value of a header field (RFC 9110, section 5.5): no control characters but tabs."""
