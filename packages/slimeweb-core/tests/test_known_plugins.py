"""A name or option whose plugin is not installed says what to install."""

from __future__ import annotations

import re
from typing import Any

import pytest

import slimeweb
from slimeweb import Slime, _exports, _members
from slimeweb._known_plugins import KNOWN_PLUGINS


@pytest.fixture(autouse=True)
def no_plugins(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if core alone were installed."""
    monkeypatch.setattr(_exports, "entry_points", lambda group: ())


def entries(kind: str) -> list[tuple[str, str]]:
    return [(extra.name, name) for extra in KNOWN_PLUGINS for name in getattr(extra, kind)]


@pytest.mark.parametrize(("extra", "name"), entries("exports"))
def test_an_export(extra: str, name: str) -> None:
    advice = re.escape(f"pip install 'slimeweb[{extra}]'")
    with pytest.raises(ImportError, match=advice):
        exec(f"from slimeweb import {name}")
    with pytest.raises(AttributeError, match=advice):
        getattr(slimeweb, name)
    assert not hasattr(slimeweb, name)


def test_an_unknown_name_is_an_ordinary_error() -> None:
    with pytest.raises(ImportError, match="cannot import name 'Nonsense' from 'slimeweb'"):
        exec("from slimeweb import Nonsense")
    with pytest.raises(AttributeError, match="module 'slimeweb' has no attribute 'Nonsense'"):
        _ = slimeweb.Nonsense  # type: ignore[attr-defined]


@pytest.mark.parametrize(("extra", "name"), entries("app_members"))
def test_an_app_member(extra: str, name: str) -> None:
    app = Slime(__file__)
    with pytest.raises(AttributeError, match=re.escape(f"pip install 'slimeweb[{extra}]'")):
        getattr(app, name)
    assert not hasattr(app, name)


@pytest.mark.parametrize(("extra", "name"), entries("route_options"))
def test_a_route_option(extra: str, name: str) -> None:
    options: dict[str, Any] = {name: True}
    with pytest.raises(TypeError, match=re.escape(f"pip install 'slimeweb[{extra}]'")):
        Slime(__file__).route("/", **options)


@pytest.mark.parametrize(("extra", "name"), entries("serve_options"))
def test_a_serve_option(extra: str, name: str) -> None:
    with pytest.raises(TypeError, match=re.escape(f"pip install 'slimeweb[{extra}]'")):
        Slime(__file__).serve_config({name: True}, {})


@pytest.mark.parametrize(("extra", "name"), entries("request_members"))
def test_a_request_member(extra: str, name: str) -> None:
    error = _members.missing_attribute("SlimeRequest", name)
    assert f"pip install 'slimeweb[{extra}]'" in str(error)
    assert "pip" not in str(_members.missing_attribute("SlimeResponse", name))


def test_public_names_exist() -> None:
    assert all(hasattr(slimeweb, name) for name in slimeweb.__all__)
