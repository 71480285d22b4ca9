"""`serve()` arguments: the argument over the variable over the default, each checked."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from slimeweb._secret_keys import SecretKeys
from slimeweb._settings import DEV_GRACE, Settings, mistyped, resolve, usable_cpus
from slimeweb.errors import ConfigError
from slimeweb.options import ServeOption
from slimeweb.routing import BODY_SIZE
from slimeweb.tls import SlimeTls

VARIABLES = {"workers": "SLIME_WORKER"}
SAMPLES: dict[str, tuple[Any, str, Any]] = {
    "host": ("a.example", "b.example", "b.example"),
    "port": (1, "2", 2),
    "unix_socket": ("/run/a", "/run/b", "/run/b"),
    "unix_socket_mode": (0o660, "600", 0o600),
    "workers": (3, "4", 4),
    "dev": (True, "yes", True),
    "trusted_proxies": (["10.0.0.1"], "10.0.0.2, 10.1.0.0/16", ("10.0.0.2", "10.1.0.0/16")),
    "root_path": ("/app", "/x", "/x"),
    "head_size": (4096, "8192", 8192),
    "header_count": (10, "20", 20),
    "head_timeout": (1, "2.5", 2.5),
    "idle_timeout": (1.5, "2", 2.0),
    "body_timeout": (1, "2", 2.0),
    "body_rate": (0, "100", 100),
    "send_timeout": (1, "2", 2.0),
    "max_connections": (10, "20", 20),
    "pool_threads": (10, "20", 20),
    "pool_idle_timeout": (1, "2.5", 2.5),
    "worker_queue_size": (10, "20", 20),
    "form_fields": (0, "20", 20),
    "form_parts": (0, "20", 20),
    "form_field_size": (0, "20", 20),
    "upload_memory": (0, "20", 20),
    "upload_dir": ("/a", "/b", "/b"),
    "shutdown_grace": (0, "0", 0.0),
}
TLS = {"tls_cert", "tls_key"}


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("SLIME_WORKERS", "SLIME_WORKER"),
        ("SLIME_PROT", "SLIME_PORT"),
        ("SLIME_HEAD_TIMOUT", "SLIME_HEAD_TIMEOUT"),
        ("SLIME_MAX_ROOM", "SLIME_MAX_ROOMS"),
        ("SLIME_TLS_CERTS", "SLIME_TLS_CERT"),
    ],
)
def test_a_variable_that_is_nearly_a_setting_is_told(name: str, meant: str) -> None:
    options = {"max_rooms": ServeOption("max_rooms", default=1, validate=int)}
    assert mistyped({name: "1"}, options) == [f"the variable {name} is no setting: did you mean {meant}?"]


@pytest.mark.parametrize(
    "name", ["SLIME_PORT", "SLIME_MAX_ROOMS", "SLIME_TLS_KEY", "SLIME_SHOP_NAME", "WORKERS", "SLIME_"]
)
def test_settings_and_what_others_call_theirs_are_not_told(name: str) -> None:
    assert mistyped({name: "1"}, {"max_rooms": ServeOption("max_rooms", default=1, validate=int)}) == []


def test_every_setting_of_the_server_can_be_given() -> None:
    assert {field.name for field in fields(Settings)} - TLS == set(SAMPLES)


@pytest.mark.parametrize("name", SAMPLES)
def test_an_argument_counts_over_the_variable_over_the_default(name: str) -> None:
    argument, text, read = SAMPLES[name]
    variable = VARIABLES.get(name, f"SLIME_{name.upper()}")
    default = getattr(resolve({}, {}).server, name)
    assert getattr(resolve({}, {variable: text}).server, name) == read
    given = getattr(resolve({name: argument}, {variable: text}).server, name)
    assert given == (tuple(argument) if isinstance(argument, list) else argument)
    assert getattr(resolve({name: None}, {variable: ""}).server, name) == default


def test_the_defaults() -> None:
    config = resolve({}, {})
    assert config.server == Settings(workers=usable_cpus())
    assert (config.body_size, config.access_log, config.secret_key) == (BODY_SIZE, False, None)
    assert resolve({"dev": True}, {}).server.workers == 1
    assert resolve({"dev": True}, {}).access_log is True
    assert resolve({"dev": True}, {}).server.shutdown_grace == DEV_GRACE
    assert resolve({"dev": True}, {"SLIME_SHUTDOWN_GRACE": "7"}).server.shutdown_grace == 7.0
    assert resolve({"dev": False}, {}).server.shutdown_grace == Settings().shutdown_grace
    assert resolve({"dev": True, "access_log": False}, {}).access_log is False


@pytest.mark.parametrize(
    ("variable", "text"),
    [
        ("SLIME_PORT", "http"),
        ("SLIME_PORT", "65536"),
        ("SLIME_PORT", "-1"),
        ("SLIME_WORKER", "0"),
        ("SLIME_WORKER", "2.5"),
        ("SLIME_DEV", "maybe"),
        ("SLIME_HEAD_TIMEOUT", "0"),
        ("SLIME_IDLE_TIMEOUT", "inf"),
        ("SLIME_BODY_SIZE", "10MB"),
        ("SLIME_HEAD_SIZE", "10"),
    ],
)
def test_a_bad_variable_is_named_with_its_value(variable: str, text: str) -> None:
    with pytest.raises(ConfigError) as caught:
        resolve({}, {variable: text})
    assert f"{variable}={text!r}: use " in str(caught.value)


@pytest.mark.parametrize(
    "arguments",
    [
        {"port": "x"},
        {"port": True},
        {"workers": 1.5},
        {"host": ""},
        {"host": 1},
        {"trusted_proxies": 1},
        {"secret_key": ""},
        {"secret_key": []},
        {"secret_key": ["a", ""]},
        {"app_state": [1]},
        {"https": ("cert", "key")},
        {"head_timeout": None, "body_timeout": "soon"},
        {"body_size": 2**63},
        {"max_connections": 10**30},
        {"worker_queue_size": 10**30},
        {"idle_timeout": 1e30},
        {"shutdown_grace": 1e30},
    ],
)
def test_a_bad_argument_is_named(arguments: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=f"serve\\({list(arguments)[-1]}="):
        resolve(arguments, {})


def test_a_bad_secret_is_not_repeated() -> None:
    with pytest.raises(ConfigError) as caught:
        resolve({"secret_key": ["hunter2", 5]}, {})
    assert "hunter2" not in str(caught.value)


def test_tls_comes_from_an_argument_or_two_variables(tmp_path: Path) -> None:
    cert, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    with pytest.raises(ConfigError, match="is not a file"):
        SlimeTls(cert, key)
    cert.touch()
    key.touch()
    by_argument = resolve({"https": SlimeTls(cert, key)}, {}).server
    by_variable = resolve({}, {"SLIME_TLS_CERT": str(cert), "SLIME_TLS_KEY": str(key)}).server
    assert (by_argument.tls_cert, by_argument.tls_key) == (str(cert), str(key))
    assert (by_variable.tls_cert, by_variable.tls_key) == (str(cert), str(key))
    with pytest.raises(ConfigError, match="belong together"):
        resolve({}, {"SLIME_TLS_CERT": str(cert)})


def test_options_of_plugins() -> None:
    options = {"depth": ServeOption("depth", default=3, validate=int)}
    assert resolve({}, {}, options).options == {"depth": 3}
    assert resolve({}, {"SLIME_DEPTH": "4"}, options).options == {"depth": 4}
    assert resolve({}, {"SLIME_DEPTH": "4"}, options, {"depth": 5}).options == {"depth": 5}
    with pytest.raises(ConfigError, match="SLIME_DEPTH='deep'"):
        resolve({}, {"SLIME_DEPTH": "deep"}, options)


def test_a_launch_does_not_show_its_keys() -> None:
    config = resolve({"secret_key": ["a-very-secret-key", "an-older-one"]}, {}, {}, {})
    assert config.secret_key == ("a-very-secret-key", "an-older-one")
    for text in (repr(config), str(config)):
        assert "a-very-secret-key" not in text
        assert "an-older-one" not in text


def test_a_key_that_will_not_do_is_not_shown() -> None:
    with pytest.raises(ConfigError) as caught:
        resolve({"secret_key": b"a-very-secret-key"}, {}, {}, {})
    assert "a-very-secret-key" not in str(caught.value)
    with pytest.raises(ConfigError, match="secret_key is a bytes") as caught:
        SecretKeys([b"a-very-secret-key"])  # type: ignore[list-item]
    assert "a-very-secret-key" not in str(caught.value)


@pytest.mark.parametrize("given", ["abc", "0o888", "66", 660, 0o440, True, 1.5])
def test_a_mode_of_a_socket_that_will_not_do_is_refused(given: object) -> None:
    with pytest.raises(ConfigError, match="permissions in octal, such as 0o660"):
        resolve({"unix_socket_mode": given}, {})
