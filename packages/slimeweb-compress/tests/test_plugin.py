"""slimeweb finds this plugin by its entry point, and the plugin promises nothing that it does not do."""

from importlib.metadata import entry_points
from importlib.resources import files

from slimeweb_compress import plugin


def test_slimeweb_finds_the_plugin() -> None:
    (entry_point,) = entry_points(group="slimeweb", name="compress")
    assert entry_point.load() is plugin
    assert entry_point.dist is not None
    assert entry_point.dist.name == "slimeweb-compress"


def test_no_hook_is_implemented_yet() -> None:
    assert [name for name in vars(plugin) if name.startswith("slime_")] == []


def test_the_package_is_typed() -> None:
    assert files("slimeweb_compress").joinpath("py.typed").is_file()
