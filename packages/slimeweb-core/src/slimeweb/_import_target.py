"""`MODULE` and `MODULE:NAME`, as arguments of commands."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

__all__ = ["TargetError", "import_target"]


class TargetError(LookupError):
    """There is no such module, or nothing of that name in it. The text is one line for the user."""


def import_target(target: str, folder: Path) -> tuple[ModuleType, Any]:
    """Imports the module that `target` means in `folder`, and finds what it names there: `None` where it names nothing.

    `main`, `app/main.py` and `shop.main` are modules: a file, or a dotted name. `main:app` is a name in one,
    `main:shop.app` an attribute of it, and `main:make_app()` what a call returns. The file's folder, for a dotted name
    `folder`, is where imports are looked for first from then on.

    `TargetError` for what is not there. What the module raises while it is imported, or the call, is passed on.
    """
    name, _, attribute = target.partition(":")
    path = folder / (name if name.endswith(".py") else f"{name}.py")
    module = _of_file(path) if path.is_file() else _of_name(name, folder)
    if not attribute:
        return module, None
    found: Any = module
    for part in attribute.removesuffix("()").split("."):
        found = getattr(found, part, None)
    if found is None:
        raise TargetError(f"{module.__file__ or name} has no {attribute!r}")
    return module, found() if attribute.endswith("()") else found


def _of_file(path: Path) -> ModuleType:
    sys.path.insert(0, str(path.parent))
    spec = importlib.util.spec_from_file_location(path.stem, path)
    if spec is None or spec.loader is None:
        raise TargetError(f"{path} cannot be imported")
    module = importlib.util.module_from_spec(spec)
    # Annotations given as text are looked up there, as with any import.
    sys.modules[path.stem] = module
    spec.loader.exec_module(module)
    return module


def _of_name(name: str, folder: Path) -> ModuleType:
    missing = f"there is no {name}.py and no module {name!r} in {folder}: give a file such as main.py, or a module"
    if not all(part.isidentifier() for part in name.split(".")):
        raise TargetError(missing)
    sys.path.insert(0, str(folder))
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{name}.".startswith(f"{error.name}."):
            raise
        raise TargetError(missing) from error
