"""The module that a program is run as, which Python knows as `__main__` and would import a second time by its name."""

from __future__ import annotations

import importlib.machinery
import logging
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

from slimeweb.errors import ConfigError

if TYPE_CHECKING:
    from slimeweb.app import Slime

__all__ = ["check_one_module", "name_main_module"]

_logger = logging.getLogger("slimeweb")


def name_main_module(file: Path) -> None:
    """Makes `import main` give the running module, where `file` is that of the running module `main.py`.

    Without this, modules that import the application would get another one, made by a second run of the file.
    """
    main = sys.modules.get("__main__")
    if main is None or _file(main) != file:
        return
    spec = main.__spec__
    name = spec.name if spec is not None else file.stem
    if name in sys.modules:
        return
    package, _, child = name.rpartition(".")
    if package:
        parent = sys.modules.get(package)
        if parent is None:
            return
        setattr(parent, child, main)
    else:
        # Only where the import would lead to this file.
        found = importlib.machinery.PathFinder.find_spec(name)
        if found is None or found.origin is None or Path(found.origin).resolve() != file:
            return
    sys.modules[name] = main


def check_one_module(app: Slime) -> None:
    """Looks whether the module that made the application has been run a second time under another name, as `__main__`
    or by another way to it on `sys.path`, which made another application.

    `ConfigError` where that one has routes which this one lacks: nobody would serve them. A line in the log otherwise.
    """
    twins = list(_modules_of(app.file))
    if len(twins) < 2:
        return
    others = {
        id(value): (name, value)
        for name, module in twins
        if all(value is not app for value in vars(module).values())
        for value in list(vars(module).values())
        if isinstance(value, type(app)) and value.file == app.file
    }
    served = {(route.path, method) for route in app.routes for method in route.methods}
    for name, other in others.values():
        what = f"{app.file} was run a second time, by an import of {name!r}, and so there are two applications"
        advice = "make the application above the imports of the modules that use it, or in a module of its own"
        if all(each != "__main__" for each, _ in twins):
            names = " and ".join(repr(each) for each, _ in twins)
            advice = f"import it by one name everywhere, not by {names}"
        elif "." in name:
            advice = f"run it by `python -m {name}`, or {advice}"
        for route in other.routes:
            if not served.issuperset((route.path, method) for method in route.methods):
                raise ConfigError(f"{what}: {route} is declared on the one that is not served: {advice}")
        _logger.warning("%s, of which one is served: %s", what, advice)


def _modules_of(file: Path) -> Iterator[tuple[str, ModuleType]]:
    """Every module of that file once, `__main__` first."""
    seen: set[int] = set()
    modules = sorted(sys.modules.items(), key=lambda item: item[0] != "__main__")
    for name, module in modules:
        # Compared as text first: resolving asks the file system, and there may be thousands.
        text = getattr(module, "__file__", None)
        if isinstance(text, str) and text.endswith(file.name) and id(module) not in seen and _file(module) == file:
            seen.add(id(module))
            yield name, module


def _file(module: ModuleType) -> Path | None:
    file = getattr(module, "__file__", None)
    return Path(file).resolve() if isinstance(file, str) else None
