"""Which Python runs an application, and whether its GIL can be switched."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from slimeweb_cli.errors import CommandError

__all__ = ["Interpreter"]

PROBE = (
    "import sys, sysconfig;"
    "print('%d.%d.%d' % sys.version_info[:3], int(bool(sysconfig.get_config_var('Py_GIL_DISABLED'))))"
)


@dataclass(frozen=True, slots=True)
class Interpreter:
    """One CPython: where it is, its version, and whether it was built free-threaded."""

    path: Path
    version: str
    free_threaded: bool

    @classmethod
    def current(cls) -> Interpreter:
        """Give the interpreter that runs `slime` itself."""
        version = "{}.{}.{}".format(*sys.version_info[:3])
        return cls(Path(sys.executable), version, bool(sysconfig.get_config_var("Py_GIL_DISABLED")))

    @classmethod
    def at(cls, path: Path) -> Interpreter:
        """Ask the interpreter at `path` what it is.

        :raises CommandError: it does not run.
        """
        try:
            done = subprocess.run([path, "-I", "-c", PROBE], capture_output=True, text=True, timeout=30, check=True)
            version, free_threaded = done.stdout.split()
        except (OSError, subprocess.SubprocessError, ValueError) as error:
            raise CommandError(
                f"{path} is not a Python that runs ({error}): remove its .venv and make it anew"
            ) from error
        return cls(path, version, free_threaded == "1")

    @classmethod
    def of_project(cls, folder: Path) -> Interpreter:
        """Give the interpreter of the project in `folder`: that of its .venv, else the one that runs `slime`."""
        python = folder / ".venv" / "bin" / "python"
        return cls.at(python) if python.exists() else cls.current()

    def environment(self, gil: bool, environ: Mapping[str, str] = os.environ) -> dict[str, str]:
        """Give the environment that starts this interpreter with the GIL on or off, where it leaves a choice.

        A build with the GIL refuses to start under PYTHON_GIL=0, so there the variable is taken out.
        """
        environment = {name: value for name, value in environ.items() if name != "PYTHON_GIL"}
        if self.free_threaded:
            environment["PYTHON_GIL"] = "1" if gil else "0"
        return environment
