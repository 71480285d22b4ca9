"""slimeweb finds this plugin by its entry point."""

from importlib.metadata import entry_points
from importlib.resources import files

import pytest

from slimeweb import Slime
from slimeweb_stream.plugin import StreamPlugin


def test_slimeweb_finds_the_plugin() -> None:
    (entry_point,) = entry_points(group="slimeweb", name="stream")
    assert entry_point.load() is StreamPlugin
    assert entry_point.dist is not None
    assert entry_point.dist.name == "slimeweb-stream"


@pytest.mark.parametrize("value", [True, "plain", "text/plain\r\nX: y", 7])
def test_a_content_type_that_is_none_is_refused_at_the_declaration(value: object) -> None:
    with pytest.raises(ValueError, match="has to be the stream's content type"):
        Slime(__file__).route(path="/", stream=value)


def test_the_package_is_typed() -> None:
    assert files("slimeweb_stream").joinpath("py.typed").is_file()


@pytest.mark.parametrize("name", ["contnt", "content_type", "stream"])
def test_a_mistyped_content_is_told(name: str) -> None:
    with pytest.raises(TypeError, match=f"has no option '{name}': did you mean 'content'"):
        Slime(__file__).stream("/", **{name: "text/plain"})
