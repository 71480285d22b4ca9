"""The settings of `serve()`: one table, and what it makes of arguments and variables.

A setting is stated once, as a field of `Settings` or of `ServeConfig`: its name, type, default, how it is read (with
its bounds) and what it means. An argument of `serve()` counts over its variable (`SLIME_` and the name in capitals
unless the table says otherwise), that over the default. `rust/slimeweb-core/src/settings.rs` reads the fields of
`Settings` by name; `Slime.serve` and the table of `docs/deployment.md` are compared with this one by
`tests/contract/test_defaults.py`.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import MISSING, Field, dataclass, field, fields
from types import MappingProxyType
from typing import Any

from slimeweb._plugin_manager import DISABLE_VARIABLE, TRACE_VARIABLE
from slimeweb._setting_readers import (
    Invalid,
    Reader,
    flag,
    grace,
    keys,
    mapping,
    mode,
    peers,
    prefix,
    seconds,
    text,
    tls,
    whole,
)
from slimeweb.errors import ConfigError
from slimeweb.options import ServeOption
from slimeweb.routing import BODY_SIZE
from slimeweb.spelling import closest
from slimeweb.tls import SlimeTls

__all__ = ["SETTINGS", "ServeConfig", "Setting", "Settings", "mistyped", "resolve", "usable_cpus"]

DEV_GRACE = 2.0
"""The default of `shutdown_grace` with `dev`, in seconds: restarts are frequent there."""

_BYTES = " of bytes"
_TLS_VARIABLES = ("SLIME_TLS_CERT", "SLIME_TLS_KEY")


def usable_cpus() -> int:
    """How many CPUs this process may use."""
    count = getattr(os, "process_cpu_count", None)
    if count is not None:
        return count() or 1
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0)) or 1
    return os.cpu_count() or 1


def _setting(
    default: Any,
    read: Reader,
    meaning: str,
    *,
    dev: Any = None,
    variables: tuple[str, ...] | None = None,
    shown: str | None = None,
    secret: bool = False,
) -> Any:
    """A field that is a setting. See `Setting`; a `default` that can be called is, each time."""
    about = {"read": read, "meaning": meaning, "dev": dev, "variables": variables, "shown": shown, "secret": secret}
    if callable(default):
        return field(default_factory=default, metadata=about, repr=not secret)
    return field(default=default, metadata=about, repr=not secret)


@dataclass(frozen=True, slots=True)
class Settings:
    """What the server in Rust needs, and `dev`. Sizes in bytes, times in seconds."""

    host: str = _setting("127.0.0.1", text, "address or name to listen on; `0.0.0.0` or `::` for every one")
    port: int = _setting(3000, whole(0, 65535), "TCP port; 0 for any that is free")
    unix_socket: str | None = _setting(None, text, "path of a Unix socket to listen on instead")
    unix_socket_mode: int | None = _setting(
        None, mode, "permissions of its file, such as `0o660` (variable: `660`); none: the umask's"
    )
    dev: bool = _setting(
        False,
        flag,
        "development: one worker, access log, tracebacks shown to the client, a short `shutdown_grace`",
    )
    workers: int = _setting(
        usable_cpus,
        whole(1, 1024),
        "threads for the network, each with an event loop; one with `dev`, else one per CPU that the process may use",
        dev=1,
        variables=("SLIME_WORKER",),
        shown="*CPUs*",
    )
    tls_cert: str | None = None
    """Of `https`, as `tls_key`."""
    tls_key: str | None = None
    trusted_proxies: tuple[str, ...] = _setting(
        (),
        peers,
        "addresses, networks, `unix` or `*` whose `X-Forwarded-For` and `X-Forwarded-Proto` count; as a variable with "
        "commas between",
    )
    root_path: str = _setting(
        "",
        prefix,
        "where a proxy has the application, such as `/app`: stands before the paths of `url_for`, and is taken off the "
        "paths of requests that begin with it",
    )
    body_timeout: float = _setting(30.0, seconds, "seconds to wait for more of a request body (408)")
    body_rate: int = _setting(
        240,
        whole(0),
        "least bytes of a request body for each second that the server has waited for it, after the first "
        "`body_timeout` (408); `0` for any",
    )
    send_timeout: float = _setting(
        30.0,
        seconds,
        "seconds that a client may take nothing of what is sent to it; then its connection is cut",
    )
    head_size: int = _setting(
        64 * 1024,
        whole(1024, unit=_BYTES),
        "bytes of request line and header fields; more is a 431; a target of more than 65534 is a 414, where so much "
        "is allowed",
    )
    header_count: int = _setting(
        100,
        whole(1, 24_000),
        "header fields that a request may have, over HTTP/1.1 and HTTP/2; more are a 431",
    )
    head_timeout: float = _setting(
        10.0,
        seconds,
        "seconds for a request head (408), for the first byte, and for a TLS handshake",
    )
    idle_timeout: float = _setting(75.0, seconds, "seconds that a connection may be idle between two requests")
    max_connections: int = _setting(16_384, whole(1), "connections open at a time; more wait in the system's backlog")
    pool_threads: int = _setting(
        128,
        whole(1, 4096),
        "most threads for plain handlers, those that wait for their clients not counted",
    )
    pool_idle_timeout: float = _setting(
        30.0,
        seconds,
        "seconds without work after which one of these threads ends, beyond two for each worker",
    )
    worker_queue_size: int = _setting(1024, whole(1), "requests that may wait for one of these threads; more are a 503")
    form_fields: int = _setting(10_000, whole(0), "fields that a urlencoded form may have; more are a 400")
    form_parts: int = _setting(
        1000, whole(0), "fields and files together that a multipart form may have; more are a 400"
    )
    form_field_size: int = _setting(
        1024 * 1024,
        whole(0, unit=_BYTES),
        "bytes that the names and values of a multipart form's fields may have together, its files not counted; more "
        "are a 400",
    )
    upload_memory: int = _setting(
        64 * 1024,
        whole(0, unit=_BYTES),
        "bytes of an uploaded file that are kept in memory; a longer one goes to disk",
    )
    upload_dir: str | None = _setting(
        None,
        text,
        "where uploads lie until they are saved or their request ends; `None`: the system's directory for temporary "
        "files",
    )
    shutdown_grace: float = _setting(
        30.0,
        grace,
        f"seconds that requests in flight get to finish when the server stops; {DEV_GRACE:g} with `dev`",
        dev=DEV_GRACE,
    )


@dataclass(frozen=True, slots=True)
class ServeConfig:
    """The arguments of `serve()`, resolved: the settings of the server in Rust, and those that Python itself needs."""

    server: Settings
    body_size: int = _setting(
        BODY_SIZE,
        whole(0, unit=_BYTES),
        "bytes that a request body may have, where its route does not say; more is a 400",
    )
    secret_key: str | tuple[str, ...] | None = _setting(
        None,
        keys,
        "signs cookies; a list signs with its first and verifies with all; `None`: made up, lost with the process",
        secret=True,
    )
    app_state: Mapping[str, Any] = _setting(dict, mapping, "what `req.state` holds at first", variables=())
    static_path: str | None = _setting(
        None,
        text,
        "directory served below `/static`, beside the application's file or absolute; `None`: `static/` if there is "
        "one",
    )
    https: SlimeTls | None = _setting(  # noqa: RUF009 - it makes a field
        None, tls, "`SlimeTls(cert, key)`, two PEM files", variables=_TLS_VARIABLES
    )
    access_log: bool = _setting(
        False, flag, "a line per request to the logger `slimeweb.access`; on with `dev`", dev=True
    )
    options: Mapping[str, Any] = field(default_factory=dict)
    """The values of what plugins add."""


@dataclass(frozen=True, slots=True)
class Setting:
    """A row of the table.

    `dev` is the default with `dev=True` where that is another one, else `None`. `meaning` is one line of Markdown with
    the unit. `shown` is how docs show a default that is not the same everywhere. A `secret` is in no error and no log.
    """

    name: str
    declared: Field[Any]
    variables: tuple[str, ...]
    read: Reader
    meaning: str
    dev: Any
    shown: str | None
    secret: bool

    @property
    def default(self) -> Any:
        """The default without `dev`."""
        factory = self.declared.default_factory
        return self.declared.default if factory is MISSING else factory()

    def given(self, argument: Any, environ: Mapping[str, str]) -> Any:
        """The value that the argument has, else the variable where there is just one; `None` when neither was given.

        `ConfigError` names which of them it was, the value, and what to use instead.
        """
        if argument is not None:
            value, source = argument, f"serve({self.name}={'…' if self.secret else repr(argument)})"
        elif len(self.variables) == 1 and environ.get(self.variables[0]):
            # An empty variable is how shells and service files unset one.
            (variable,) = self.variables
            value, source = environ[variable], variable if self.secret else f"{variable}={environ[variable]!r}"
        else:
            return None
        try:
            return self.read(value)
        except Invalid as error:
            raise ConfigError(f"{source}: use {error}") from error


def _table(kind: type) -> Iterator[Setting]:
    for each in fields(kind):
        if each.metadata:
            about = dict(each.metadata)
            variables = about.pop("variables")
            if variables is None:
                variables = (f"SLIME_{each.name.upper()}",)
            yield Setting(name=each.name, declared=each, variables=variables, **about)


_OF_SERVER = tuple(_table(Settings))
_OF_PYTHON = tuple(_table(ServeConfig))

SETTINGS: Mapping[str, Setting] = MappingProxyType({each.name: each for each in (*_OF_SERVER, *_OF_PYTHON)})
"""Every argument of `serve()` by its name, but those of plugins."""


def resolve(
    arguments: Mapping[str, Any],
    environ: Mapping[str, str],
    options: Mapping[str, ServeOption] | None = None,
    given_options: Mapping[str, Any] | None = None,
) -> ServeConfig:
    """The arguments of `serve()`, checked. An argument that is `None` was not given.

    `ConfigError` names the argument or the variable, the value, and what to use instead. `options` are those that
    plugins add, `given_options` the values for them.
    """
    found = {
        name: value
        for name, setting in SETTINGS.items()
        if (value := setting.given(arguments.get(name), environ)) is not None
    }
    if "https" not in found:
        found["https"] = _tls_of_variables(environ)
    if found.get("dev", SETTINGS["dev"].default):
        for name, setting in SETTINGS.items():
            if setting.dev is not None:
                found.setdefault(name, setting.dev)
    https = found["https"]
    return ServeConfig(
        server=Settings(
            **_those(_OF_SERVER, found),
            tls_cert=os.fspath(https.cert) if https else None,
            tls_key=os.fspath(https.key) if https else None,
        ),
        **_those(_OF_PYTHON, found),
        options=_options(options or {}, given_options or {}, environ),
    )


def _those(settings: tuple[Setting, ...], found: Mapping[str, Any]) -> dict[str, Any]:
    return {each.name: found[each.name] for each in settings if each.name in found}


def setting_names() -> frozenset[str]:
    """The names that no option of a plugin can have: those of `serve()`, and of the variables that there are."""
    settings = (variable for setting in SETTINGS.values() for variable in setting.variables)
    variables = {DISABLE_VARIABLE, TRACE_VARIABLE, *settings}
    return frozenset((*SETTINGS, *(variable.removeprefix("SLIME_").lower() for variable in variables)))


def mistyped(environ: Mapping[str, str], options: Mapping[str, ServeOption]) -> list[str]:
    """What to say about variables that no setting has and that are nearly called like one, a line each."""
    known = {
        *(variable for setting in SETTINGS.values() for variable in setting.variables),
        *(option.variable for option in options.values()),
        DISABLE_VARIABLE,
        TRACE_VARIABLE,
    }
    # Without what all of them begin with, which would make any two alike.
    bare = {name.removeprefix("SLIME_"): name for name in known}
    lines = []
    for name in sorted(environ):
        if name.startswith("SLIME_") and name not in known:
            meant = closest(name.removeprefix("SLIME_"), bare, cutoff=0.75)
            if meant is not None:
                lines.append(f"the variable {name} is no setting: did you mean {bare[meant]}?")
    return lines


def _tls_of_variables(environ: Mapping[str, str]) -> SlimeTls | None:
    cert, key = (environ.get(variable) for variable in _TLS_VARIABLES)
    if bool(cert) != bool(key):
        raise ConfigError(f"{' and '.join(_TLS_VARIABLES)} belong together: set both, or neither")
    return SlimeTls(cert, key) if cert and key else None


def _options(
    options: Mapping[str, ServeOption], given: Mapping[str, Any], environ: Mapping[str, str]
) -> Mapping[str, Any]:
    values = {}
    for name, option in options.items():
        if name in given:
            value, source = given[name], f"serve({name}={given[name]!r})"
        elif environ.get(option.variable):
            value, source = environ[option.variable], f"{option.variable}={environ[option.variable]!r}"
        else:
            values[name] = option.default
            continue
        try:
            values[name] = option.read(value)
        except (TypeError, ValueError) as error:
            raise ConfigError(f"{source}: {error}") from error
    return MappingProxyType(values)
