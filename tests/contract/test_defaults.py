"""A default is stated once in the code; what docs/ and the READMEs say of it is compared with that, line by line."""

from __future__ import annotations

import inspect
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import pytest

from slimeweb import Slime, SlimeTls
from slimeweb._compiled import FILTER_LIMIT
from slimeweb._settings import SETTINGS, ServeConfig, Setting, Settings, resolve, usable_cpus
from slimeweb.errors import ConfigError
from slimeweb.routing import BODY_SIZE
from slimeweb_compress.options import LEVEL, THRESHOLD
from slimeweb_stream.asynchronous import BACKLOG
from slimeweb_stream.base import KEEP_ALIVE
from slimeweb_ws import WebSocketOptions
from slimeweb_ws.rooms import Room

ROOT = Path(__file__).resolve().parents[2]
DEPLOYMENT = ROOT / "docs/deployment.md"
RUST = ROOT / "rust/slimeweb-core/src/settings.rs"


def lines(page: Path) -> Iterator[tuple[str, str]]:
    """Each line of a page, with where it is: `docs/deployment.md:24`."""
    for number, line in enumerate(page.read_text("utf-8").splitlines(), 1):
        yield f"{page.relative_to(ROOT)}:{number}", line


# The settings of serve().


def documented() -> Iterator[tuple[str, str, str]]:
    """The rows of the table in deployment.md: argument, where it is, and the whole line."""
    for where, line in lines(DEPLOYMENT):
        if row := re.match(r"\| `(\w+)` \| ", line):
            yield row[1], where, line


def row(setting: Setting) -> str:
    """A setting's row, as docs have to have it."""
    variables = ", ".join(f"`{variable}`" for variable in setting.variables) or "\N{EN DASH}"
    default = f'"{setting.default}"' if isinstance(setting.default, str) else repr(setting.default)
    return f"| `{setting.name}` | {variables} | {setting.shown or f'`{default}`'} | {setting.meaning} |"


def value_of(config: ServeConfig, argument: str) -> Any:
    return getattr(config.server if hasattr(config.server, argument) else config, argument)


def by_one_variable() -> list[Setting]:
    return [setting for setting in SETTINGS.values() if len(setting.variables) == 1]


def parametrized(settings: list[Setting]) -> Any:
    return pytest.mark.parametrize("setting", settings, ids=lambda setting: setting.name)


def test_the_arguments_of_serve_are_those_of_the_table_and_have_no_default_of_their_own() -> None:
    parameters = inspect.signature(Slime.serve).parameters.values()
    arguments = [each for each in parameters if each.name != "self" and each.kind is not each.VAR_KEYWORD]
    assert sorted(each.name for each in arguments) == sorted(SETTINGS)
    assert [each.name for each in arguments if each.default is not None] == []


def test_rust_reads_the_fields_of_the_table_and_has_no_default_of_its_own() -> None:
    source = RUST.read_text("utf-8")
    (body,) = re.findall(r"struct Settings \{\n(.*?)\n\}", source, re.DOTALL)
    read = re.findall(r"^    (?:pub\(crate\) )?(\w+): ", body, re.MULTILINE)
    # `dev` is Python's alone.
    assert sorted([*read, "dev"]) == sorted(field.name for field in fields(Settings))
    assert "Default" not in source
    assert "default()" not in source


def test_every_argument_of_serve_is_documented_once() -> None:
    assert sorted(name for name, _, _ in documented()) == sorted(SETTINGS)


@parametrized(list(SETTINGS.values()))
def test_a_setting_is_documented_as_the_table_has_it(setting: Setting) -> None:
    for name, where, line in documented():
        if name == setting.name:
            assert line == row(setting), f"change {where} to:\n{row(setting)}"


def test_a_variable_belongs_to_one_setting() -> None:
    variables = [variable for setting in SETTINGS.values() for variable in setting.variables]
    assert len(variables) == len(set(variables))


def test_without_arguments_and_variables_each_setting_has_its_default() -> None:
    config, dev = resolve({}, {}), resolve({"dev": True}, {})
    for name, setting in SETTINGS.items():
        assert value_of(config, name) == setting.default
        if name != "dev":
            assert value_of(dev, name) == (setting.default if setting.dev is None else setting.dev)
    assert config.server.workers == usable_cpus()


SAMPLES: dict[str, tuple[str, Any]] = {
    # A text for the variable of a setting, and what it becomes. None stands for the text itself.
    "host": ("localhost", None),
    "port": ("8080", 8080),
    "unix_socket": ("/run/app.sock", None),
    "unix_socket_mode": ("660", 0o660),
    "dev": ("1", True),
    "workers": ("7", 7),
    "secret_key": ("hunter2", None),
    "static_path": ("assets", None),
    "trusted_proxies": ("10.0.0.0/8,unix", ("10.0.0.0/8", "unix")),
    "root_path": ("/app", "/app"),
    "access_log": ("yes", True),
    "upload_dir": ("/var/tmp", None),
}


@parametrized(by_one_variable())
def test_a_variable_sets_its_argument_and_the_argument_counts_over_it(setting: Setting) -> None:
    argument, (variable,) = setting.name, setting.variables
    text, expected = SAMPLES.get(argument, ("2345", 2345))
    expected = text if expected is None else expected
    assert value_of(resolve({}, {variable: text}), argument) == expected
    assert value_of(resolve({}, {variable: ""}), argument) == value_of(resolve({}, {}), argument)
    other = value_of(resolve({}, {}), argument)
    if other not in (None, ()):
        assert value_of(resolve({argument: other}, {variable: text}), argument) == other


def test_tls_comes_from_its_two_variables(tmp_path: Path) -> None:
    cert, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    cert.touch()
    key.touch()
    config = resolve({}, {"SLIME_TLS_CERT": str(cert), "SLIME_TLS_KEY": str(key)})
    assert (config.server.tls_cert, config.server.tls_key) == (os.fspath(cert), os.fspath(key))
    assert resolve({"https": SlimeTls(cert, key)}, {}).server.tls_key == os.fspath(key)
    with pytest.raises(ConfigError, match="belong together"):
        resolve({}, {"SLIME_TLS_CERT": str(cert)})


@parametrized([setting for setting in by_one_variable() if setting.name not in SAMPLES or setting.name == "port"])
@pytest.mark.parametrize("bad", ["many", "-1", "nan"])
def test_a_number_that_will_not_do_is_named_with_where_it_came_from(setting: Setting, bad: str) -> None:
    argument, (variable,) = setting.name, setting.variables
    with pytest.raises(ConfigError, match=f"{variable}='{bad}': use a (whole )?number"):
        resolve({}, {variable: bad})
    with pytest.raises(ConfigError, match=rf"serve\({argument}='{bad}'\)"):
        resolve({argument: bad}, {})


# Other defaults.


def size(count: int) -> str:
    """As text has it: `10 MiB`, `64 KiB`, else the number of bytes."""
    for unit, each in (("MiB", 1024 * 1024), ("KiB", 1024)):
        if count >= each and count % each == 0:
            return f"{count // each} {unit}"
    return str(count)


@dataclass(frozen=True)
class Stated:
    """What a page has to say of a default: the one line that matches `pattern`, with `values` as its groups."""

    name: str
    page: str
    pattern: str
    values: tuple[str, ...]


WS = WebSocketOptions()
QUEUE_SIZE = inspect.signature(Room.broadcast).parameters["queue_size"].default
STATED = [
    Stated("filter_limit", "docs/plugins.md", r"bodies of (.+?) or more are taken to a thread", (size(FILTER_LIMIT),)),
    Stated("compress_level", "packages/slimeweb-compress/README.md", r"^- `comp_level` is (\d+) unless", (str(LEVEL),)),
    Stated(
        "compress_threshold",
        "packages/slimeweb-compress/README.md",
        r"^- `comp_threshold`, in bytes, is (\d+) unless",
        (str(THRESHOLD),),
    ),
    Stated(
        "Compress",
        "packages/slimeweb-compress/README.md",
        r"^- `Compress\(.*, level=(\d+), threshold=(\d+)\)`",
        (str(LEVEL), str(THRESHOLD)),
    ),
    Stated("reference_level", "docs/reference/compression.md", r"^\| `comp_level` .* else (\d+) \|$", (str(LEVEL),)),
    Stated(
        "reference_threshold",
        "docs/reference/compression.md",
        r"^\| `comp_threshold` .* else (\d+) \|$",
        (str(THRESHOLD),),
    ),
    Stated(
        "stream_keep_alive",
        "packages/slimeweb-stream/README.md",
        r"^\| `resp\.keep_alive` \| .* sends a comment: (\d+);",
        (f"{KEEP_ALIVE:g}",),
    ),
    Stated("stream_backlog", "packages/slimeweb-stream/README.md", r"may have (.+?) waiting", (size(BACKLOG),)),
    Stated("ws_queue_size", "packages/slimeweb-ws/README.md", r"`queue_size` bytes \((.+?)\)", (size(QUEUE_SIZE),)),
    *(
        Stated(
            f"ws_{names[0]}",
            "packages/slimeweb-ws/README.md",
            rf"^\| {', '.join(f'`{name}`' for name in names)} \| ([^|]+) \|",
            (", ".join(values),),
        )
        for names, values in [
            (("body_size", "max_message_size"), (size(BODY_SIZE),)),
            (("subprotocols",), ("none" if WS.subprotocols == () else repr(WS.subprotocols),)),
            (("origins",), ("anyone" if WS.origins is None else repr(WS.origins),)),
            (("ping_interval", "ping_timeout"), (f"{WS.ping_interval:g}", f"{WS.ping_timeout:g}")),
            (("idle_timeout",), ("never" if WS.idle_timeout is None else f"{WS.idle_timeout:g}",)),
            (("close_timeout",), (f"{WS.close_timeout:g}",)),
            (("send_buffer",), (size(WS.send_buffer),)),
            (
                ("deflate", "deflate_level", "deflate_threshold"),
                (str(WS.deflate), str(WS.deflate_level), str(WS.deflate_threshold)),
            ),
            (("context_takeover",), (str(WS.context_takeover),)),
        ]
    ),
]


@pytest.mark.parametrize("stated", STATED, ids=lambda stated: stated.name)
def test_what_a_page_says_of_a_default_is_so(stated: Stated) -> None:
    found = [
        (where, match.groups())
        for where, line in lines(ROOT / stated.page)
        if (match := re.search(stated.pattern, line))
    ]
    assert len(found) == 1, f"{stated.page} has to have one line like {stated.pattern!r}"
    (where, said), expected = found[0], stated.values
    assert said == expected, f"{where} says {', '.join(said)}: change that to {', '.join(expected)}"


def test_every_option_of_a_websocket_route_is_documented() -> None:
    readme = (ROOT / "packages/slimeweb-ws/README.md").read_text("utf-8")
    for field in fields(WebSocketOptions):
        if field.init:
            assert re.search(rf"^\| .*`{field.name}`.* \| [^|]+ \|", readme, re.MULTILINE), field.name
