"""slimeweb finds the plugin and its names, and declarations that will not do are refused where they are made."""

from __future__ import annotations

from importlib.metadata import entry_points
from importlib.resources import files
from typing import Any

import pytest

import slimeweb
from slimeweb import RouteSpec, Slime, SlimeCompression, SlimeError, SlimeRequest, SlimeResponse
from slimeweb_compress import Compress, LevelError, plugin


def answer(req: SlimeRequest, resp: SlimeResponse) -> str:
    return "x"


def test_slimeweb_finds_the_plugin() -> None:
    (entry_point,) = entry_points(group="slimeweb", name="compress")
    assert entry_point.load() is plugin
    assert entry_point.dist is not None
    assert entry_point.dist.name == "slimeweb-compress"


def test_slimeweb_exports_its_names() -> None:
    assert slimeweb.SlimeCompression is SlimeCompression
    assert slimeweb.Compress is Compress


def test_the_package_is_typed() -> None:
    assert files("slimeweb_compress").joinpath("py.typed").is_file()


@pytest.mark.parametrize(
    ("compression", "highest"),
    [
        (SlimeCompression.Gzip, 9),
        (SlimeCompression.Brotli, 11),
        (SlimeCompression.Zstd, 22),
        (SlimeCompression.All, 9),
    ],
)
def test_a_level_out_of_range_is_refused_at_the_declaration(compression: SlimeCompression, highest: int) -> None:
    app = Slime(__file__)
    for level in (1, highest):
        app.route(path=f"/{level}", compression=compression, comp_level=level)(answer)
    for level in (0, highest + 1):
        with pytest.raises(ValueError, match=f"{compression} takes 1 to {highest}"):
            app.route(path=f"/refused/{level}", compression=compression, comp_level=level)(answer)
        with pytest.raises(ValueError, match=f"{compression} takes 1 to {highest}"):
            Compress(compression, level=level)


def test_a_level_that_does_not_fit_is_slimewebs_own_kind_of_error() -> None:
    with pytest.raises(
        LevelError, match=r"^comp_level=10 is out of range: SlimeCompression.Gzip takes 1 to 9$"
    ) as raised:
        Slime(__file__).route(compression=SlimeCompression.Gzip, comp_level=10)(answer)
    assert isinstance(raised.value, SlimeError)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        (
            {"compression": "gzip"},
            TypeError,
            "compression='gzip' is not a SlimeCompression: use one of SlimeCompression",
        ),
        ({"compression": True}, TypeError, "compression=True is not a SlimeCompression"),
        ({"comp_level": "9"}, TypeError, "comp_level='9' is not a whole number"),
        ({"comp_level": True}, TypeError, "comp_level=True is not a whole number"),
        ({"comp_level": 23}, ValueError, "comp_level=23 is out of range"),
        ({"comp_threshold": -1}, ValueError, "comp_threshold=-1 is not a length in bytes"),
        ({"comp_threshold": 1.5}, TypeError, "comp_threshold=1.5 is not a whole number"),
    ],
)
def test_options_that_will_not_do(options: dict[str, Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        Slime(__file__).route(**options)(answer)


def test_compress_says_what_it_was_made_with() -> None:
    assert repr(Compress()) == "Compress(SlimeCompression.All, level=1, threshold=1024)"
    for arguments in ({"compression": "all"}, {"level": 0}, {"threshold": -1}):
        with pytest.raises((TypeError, ValueError), match=next(iter(arguments))):
            Compress(**arguments)  # type: ignore[arg-type]


def test_nothing_is_put_in_the_way_of_routes_that_are_not_compressed() -> None:
    app = Slime(__file__)
    app.route(path="/plain")(answer)
    app.route(path="/off", compression=SlimeCompression.NoCompression, comp_level=5)(answer)
    app.route(path="/other")(answer)
    app.use(Compress(), path="/other")
    filters = {route.path: plugin.slime_body_filter(app, route) for route in app.routes}
    assert filters["/plain"] is None
    assert filters["/off"] is None
    assert filters["/other"] is not None


def _options(app: Slime, path: str, method: str = "GET") -> tuple[SlimeCompression, int, int] | None:
    (route,) = (each for each in app.routes if each.path == path)
    found = plugin.slime_body_filter(app, route)
    options = found and found.by_method.get(method, found.default)
    return options and (options.compression, options.level, options.threshold)


def test_the_nearest_compress_counts() -> None:
    app = Slime(__file__)
    app.route(path="/wide")(answer)
    app.route(path="/own", plugin=[Compress(SlimeCompression.Brotli)])(answer)
    app.route(path="/near", plugin=Compress(SlimeCompression.Brotli))(answer)
    app.route(path="/option", compression=SlimeCompression.Zstd, comp_level=22)(answer)
    app.route(path="/off", compression=SlimeCompression.NoCompression)(answer)
    app.route(path="/adjusted", comp_level=3, comp_threshold=0)(answer)
    app.use(Compress(SlimeCompression.All, level=2, threshold=10))
    app.use(Compress(SlimeCompression.Gzip, level=7), path="/near")
    assert _options(app, "/wide") == (SlimeCompression.All, 2, 10)
    assert _options(app, "/own") == (SlimeCompression.Brotli, 1, 1024)
    assert _options(app, "/near") == (SlimeCompression.Gzip, 7, 1024)
    assert _options(app, "/option") == (SlimeCompression.Zstd, 22, 1024)
    assert _options(app, "/off") is None
    assert _options(app, "/adjusted") == (SlimeCompression.All, 3, 0)


def test_compress_for_some_methods() -> None:
    app = Slime(__file__)
    app.route(path="/two", method=["GET", "POST"])(answer)
    app.route(path="/any", method="*")(answer)
    app.use(Compress(SlimeCompression.Gzip), method="GET")
    app.use(Compress(SlimeCompression.Zstd), method=["PUT"], path="/any")
    gzip = (SlimeCompression.Gzip, 1, 1024)
    assert _options(app, "/two") == _options(app, "/two", "HEAD") == gzip
    assert _options(app, "/two", "POST") is None
    assert _options(app, "/any") == gzip
    assert _options(app, "/any", "PUT") == (SlimeCompression.Zstd, 1, 1024)
    assert _options(app, "/any", "DELETE") is None


def test_a_level_that_does_not_fit_the_compress_it_adjusts() -> None:
    app = Slime(__file__)
    app.route(path="/", comp_level=11)(answer)
    app.use(Compress(SlimeCompression.Gzip))
    (route,) = app.routes
    assert isinstance(route, RouteSpec)
    with pytest.raises(LevelError, match=r"comp_level=11 is out of range: SlimeCompression.Gzip takes 1 to 9"):
        plugin.slime_body_filter(app, route)
