"""What is said about the GIL, and how many CPUs there are."""

from __future__ import annotations

import os
import sys
import sysconfig
import types

import pytest

from slimeweb import _gil
from slimeweb._settings import usable_cpus


def test_this_interpreter() -> None:
    free = bool(sysconfig.get_config_var("Py_GIL_DISABLED")) and not getattr(sys, "_is_gil_enabled", lambda: True)()
    assert _gil.is_gil_enabled() is not free
    assert _gil.describe_gil() == ("GIL disabled" if free else "GIL enabled")
    assert (_gil.gil_advice() is None) is free
    assert 1 <= usable_cpus() <= (os.cpu_count() or 1)


def test_the_module_that_enabled_the_gil_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    message = (
        "The global interpreter lock (GIL) has been enabled to load module 'old_extension', which has not "
        "declared that it can run safely without the GIL."
    )
    importer = types.ModuleType("importer")
    importer.__dict__["__warningregistry__"] = {"version": 1, (message, RuntimeWarning, 3): True}
    monkeypatch.setitem(sys.modules, "importer", importer)
    monkeypatch.setattr(sys, "_is_gil_enabled", lambda: True, raising=False)
    monkeypatch.setattr(sysconfig, "get_config_var", lambda name: 1)
    monkeypatch.delenv("PYTHON_GIL", raising=False)
    assert "the import of old_extension" in (_gil.gil_advice() or "")
    monkeypatch.setenv("PYTHON_GIL", "1")
    assert "PYTHON_GIL=1" in (_gil.gil_advice() or "")
    monkeypatch.setattr(sys, "_is_gil_enabled", lambda: False, raising=False)
    assert _gil.gil_advice() is None
