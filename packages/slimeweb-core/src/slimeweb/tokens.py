"""The grammar of names in HTTP."""

from __future__ import annotations

import re

__all__ = ["TOKEN"]

TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
"""A token (RFC 9110, section 5.6.2): what methods, header fields and cookies are named with."""
