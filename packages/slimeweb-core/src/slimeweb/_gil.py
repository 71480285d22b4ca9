"""Whether the GIL is on, and what keeps it on."""

from __future__ import annotations

import os
import re
import sys
import sysconfig

__all__ = ["describe_gil", "gil_advice", "is_gil_enabled"]

_ENABLED_BY = re.compile(r"has been enabled to load module '([^']+)'")


def is_gil_enabled() -> bool:
    """Whether one thread at a time runs Python code, now."""
    probe = getattr(sys, "_is_gil_enabled", None)
    return True if probe is None else bool(probe())


def describe_gil() -> str:
    """`GIL disabled` or `GIL enabled`."""
    return "GIL enabled" if is_gil_enabled() else "GIL disabled"


def gil_advice() -> str | None:
    """Why the GIL is on and what would turn it off; `None` when it is off."""
    if not is_gil_enabled():
        return None
    if not sysconfig.get_config_var("Py_GIL_DISABLED"):
        return "this Python has a GIL: handlers take turns; a free-threaded build (3.14t) runs them in parallel"
    if os.environ.get("PYTHON_GIL") == "1" or getattr(sys.flags, "gil", None) == 1:
        return "the GIL is enabled by PYTHON_GIL=1 or -X gil=1: handlers take turns"
    modules = _modules_that_enabled_it()
    by = f"the import of {', '.join(modules)}" if modules else "an import of an extension module that needs it"
    return f"the GIL was enabled by {by}: handlers take turns; PYTHON_GIL=0 keeps it off, at that module's risk"


def _modules_that_enabled_it() -> list[str]:
    """The modules that the interpreter has warned about, as far as a warning about them was recorded.

    The `warnings` module remembers what it has shown in `__warningregistry__` of the module that was running; nothing
    else does.
    """
    found = set()
    for module in list(sys.modules.values()):
        registry = getattr(module, "__dict__", {}).get("__warningregistry__", {})
        for key in list(registry):
            match = _ENABLED_BY.search(str(key[0])) if isinstance(key, tuple) and key else None
            if match:
                found.add(match[1])
    return sorted(found)
