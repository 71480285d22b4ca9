"""Requirements on the core, compared with what `packaging` says about them."""

from __future__ import annotations

import pytest
from packaging.specifiers import SpecifierSet

from slimeweb._requirements import refused_by

VERSIONS = [
    *("0.2", "0.3.0.dev1", "0.3.0a1", "0.3.0rc2", "0.3", "0.3.0", "0.3.0.post1", "0.3.1", "0.3.9", "0.4.0.dev0"),
    *("0.4.0-rc.1", "0.4.0a1", "0.4.0", "0.4.0.post2", "0.10", "1.0", "1.0.1", "10.0"),
]
SPECIFIERS = [
    *(f"{operator}{version}" for operator in ("==", "!=", "<", ">", "<=", ">=", "~=") for version in VERSIONS),
    *("==0.3.*", "!=0.3.*", "==0.*", "==0.4.0.*", ">=0.3,<0.4", ">=0.3, <0.4, !=0.3.1", ""),
]


@pytest.mark.parametrize("specifier", SPECIFIERS)
def test_a_version_is_admitted_as_pip_does(specifier: str) -> None:
    for version in VERSIONS:
        admitted = SpecifierSet(specifier).contains(version, prereleases=True)
        refused = refused_by(f"slimeweb-core{specifier}", "slimeweb-core", version)
        assert refused == (None if admitted else specifier), version


@pytest.mark.parametrize(
    "requirement", ["slimeweb-core>nonsense", "slimeweb-core ? 1", "slimeweb-core<1; extra == 'x'"]
)
def test_what_cannot_be_read_refuses_nothing(requirement: str) -> None:
    assert refused_by(requirement, "slimeweb-core", "2.0") is None
    assert refused_by("slimeweb-core<1", "slimeweb-core", "1!2.0") is None
