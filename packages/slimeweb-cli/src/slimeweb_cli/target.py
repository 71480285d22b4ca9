"""What `slime run NAME` runs: a file, a dotted module, or the project of that name."""

from __future__ import annotations

import re
import shlex
import tomllib
from dataclasses import dataclass
from pathlib import Path

from slimeweb_cli.errors import CommandError

__all__ = ["Target"]


@dataclass(frozen=True, slots=True)
class Target:
    """A program to run as `__main__`: what follows the interpreter on its command line, and the folder it lives in."""

    arguments: tuple[str, ...]
    folder: Path

    @classmethod
    def find(cls, name: str, cwd: Path) -> Target:
        """Find what `name` means in the folder `cwd`.

        In this order: a file (`main` is `main.py`, and a path works too), a dotted module (`shop.main`, or a package
        with a `__main__`), the project's own name, which stands for its `main.py`.

        :raises CommandError: there is no such thing; the message lists where it was looked for.
        """
        files = [Path(name)] if name.endswith(".py") else [Path(f"{name}.py")]
        for file in files:
            if (cwd / file).is_file():
                return cls((str(file),), (cwd / file).parent)
        looked = [str(file) for file in files]
        if not name.endswith(".py") and "/" not in name:
            path = Path(*name.split("."))
            modules = [path.with_name(f"{path.name}.py"), path / "__main__.py"] if path.name else []
            if any((cwd / module).is_file() for module in modules):
                return cls(("-m", name), cwd)
            looked += [str(module) for module in modules if str(module) not in looked]
            if same_project(name, cwd) and (cwd / "main.py").is_file():
                return cls(("main.py",), cwd)
            looked.append(f"main.py of a project {name!r}")
        if (cwd / name / "main.py").is_file() and name.strip("./"):
            raise CommandError(
                f"{name} is a folder, which holds a main.py: cd {shlex.quote(name)} && slime run main", exit_code=2
            )
        raise CommandError(
            f"nothing to run for {name!r} in {cwd}: looked for {', '.join(looked)}. "
            "Type `slime run main` in the folder that holds main.py, or give a path such as app/main.py",
            exit_code=2,
        )


def same_project(name: str, folder: Path) -> bool:
    """Say whether `folder` is the project `name`, by its pyproject.toml or by its own name."""
    return normalised(name) in {normalised(folder.name), normalised(project_name(folder) or "")} - {""}


def project_name(folder: Path) -> str | None:
    """Give the name in the folder's pyproject.toml; None where there is none to read."""
    try:
        project = tomllib.loads((folder / "pyproject.toml").read_text("utf-8")).get("project", {})
    except (OSError, ValueError):
        return None
    found = project.get("name") if isinstance(project, dict) else None
    return found if isinstance(found, str) else None


def normalised(name: str) -> str:
    """Give the name as packaging compares it (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()
