"""These tests see core and this plugin, whatever else is installed beside them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from slimeweb import Slime


@pytest.fixture(autouse=True)
def no_other_plugins(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLIME_DISABLE_PLUGINS", "ws,stream,compress,templates")


@pytest.fixture
def document_of() -> Callable[[Slime], dict[str, Any]]:
    """Gives the document of an application, which has to be a valid one."""

    def document(app: Slime) -> dict[str, Any]:
        found: dict[str, Any] = app.docs.document()
        try:
            # It needs extension modules that switch the GIL back on, so not every environment has it.
            from openapi_spec_validator import OpenAPIV31SpecValidator
        except ImportError:
            return found
        assert [error.message for error in OpenAPIV31SpecValidator(found).iter_errors()] == []
        return found

    return document


@pytest.fixture
def operations_of(document_of: Callable[[Slime], dict[str, Any]]) -> Callable[[Slime], dict[str, Any]]:
    """Gives the operations of a valid document, by id."""

    def operations(app: Slime) -> dict[str, Any]:
        items = document_of(app)["paths"].values()
        return {operation["operationId"]: operation for item in items for operation in item.values()}

    return operations
