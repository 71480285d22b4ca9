"""`serve()` arguments resolved: an argument counts over its `SLIME_*` variable, that over the default."""

from __future__ import annotations

import ipaddress
import math
import os
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from slimeweb._plugin_manager import DISABLE_VARIABLE
from slimeweb.errors import ConfigError
from slimeweb.options import ServeOption
from slimeweb.routing import BODY_SIZE
from slimeweb.spelling import closest
from slimeweb.tls import SlimeTls

__all__ = ["ServeConfig", "Settings", "mistyped", "resolve", "usable_cpus"]

_TRUE = ("1", "true", "yes", "on")
_FALSE = ("0", "false", "no", "off", "")


@dataclass(frozen=True, slots=True)
class Settings:
    """Every `serve()` argument that the server itself needs, resolved. Sizes in bytes, times in seconds."""

    host: str = "127.0.0.1"
    port: int = 3000
    unix_socket: str | None = None
    unix_socket_mode: int | None = None
    workers: int = 1
    dev: bool = False
    tls_cert: str | None = None
    tls_key: str | None = None
    trusted_proxies: tuple[str, ...] = ()
    head_size: int = 64 * 1024
    header_count: int = 100
    head_timeout: float = 10.0
    idle_timeout: float = 75.0
    body_timeout: float = 30.0
    body_rate: int = 240
    send_timeout: float = 30.0
    max_connections: int = 16_384
    pool_threads: int = 128
    pool_idle_timeout: float = 30.0
    worker_queue_size: int = 1024
    form_fields: int = 10_000
    form_parts: int = 1000
    form_field_size: int = 1024 * 1024
    upload_memory: int = 64 * 1024
    upload_dir: str | None = None
    shutdown_grace: float = 30.0


@dataclass(frozen=True, slots=True)
class ServeConfig:
    """The arguments of `serve()`, resolved: the settings of the server in Rust, and those that Python itself needs."""

    server: Settings
    body_size: int = BODY_SIZE
    secret_key: str | tuple[str, ...] | None = field(default=None, repr=False)
    static_path: str | None = None
    access_log: bool = False
    app_state: Mapping[str, Any] = field(default_factory=dict)
    options: Mapping[str, Any] = field(default_factory=dict)


_MOST = 2**63 - 1
_LONGEST = 1_000_000_000


class _Invalid(Exception):
    """A value that is not valid; the message says what would be."""


Reader = Callable[[Any], Any]


def _text(value: Any) -> str:
    if not isinstance(value, str | os.PathLike) or not os.fspath(value):
        raise _Invalid("text that is not empty")
    return os.fspath(value)


def _flag(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    if isinstance(value, str) and value.strip().lower() in _TRUE + _FALSE:
        return value.strip().lower() in _TRUE
    raise _Invalid("True or False (as a variable: 1 or 0)")


def _whole(lowest: int, highest: int = _MOST, unit: str = "") -> Reader:
    allowed = f"a whole number{unit}, {lowest} " + ("or more" if highest == _MOST else f"to {highest}")
    too_many = f"a whole number{unit} below 2**63" if highest == _MOST else allowed

    def read(value: Any) -> int:
        try:
            number = int(value) if isinstance(value, str) else value
        except ValueError as error:
            raise _Invalid(allowed) from error
        if isinstance(number, bool) or not isinstance(number, int) or number < lowest:
            raise _Invalid(allowed)
        if number > highest:
            raise _Invalid(too_many)
        return number

    return read


def _mode(value: Any) -> int:
    """Permissions; text is octal, as for chmod."""
    allowed = "permissions in octal, such as 0o660 (as a variable or text: 660)"
    if isinstance(value, str):
        digits = value.strip().removeprefix("0o")
        if not re.fullmatch("[0-7]{3,4}", digits):
            raise _Invalid(allowed)
        value = int(digits, 8)
    if isinstance(value, bool) or not isinstance(value, int) or not 0o600 <= value <= 0o777 or value & 0o600 != 0o600:
        # 660 without its 0o is 0o1224.
        raise _Invalid(f"{allowed}; whoever owns it has to be able to read and write")
    return value


def _seconds(value: Any) -> float:
    try:
        number = float(value)
    except (TypeError, ValueError) as error:
        raise _Invalid("a number of seconds above 0") from error
    if isinstance(value, bool) or not math.isfinite(number) or number <= 0:
        raise _Invalid("a number of seconds above 0")
    if number > _LONGEST:
        raise _Invalid(f"a number of seconds up to {_LONGEST}, which is some thirty years")
    return number


def _grace(value: Any) -> float:
    return 0.0 if value in (0, "0") and not isinstance(value, bool) else _seconds(value)


def _peers(value: Any) -> tuple[str, ...]:
    allowed = (
        "addresses and networks such as ['10.0.0.7', '10.0.0.0/8'], 'unix' or '*' (as a variable: with commas between)"
    )
    entries = value.split(",") if isinstance(value, str) else value
    if not isinstance(entries, Iterable):
        raise _Invalid(allowed)
    peers = tuple(_text(entry).strip() for entry in entries if entry != "")
    for peer in peers:
        if peer not in ("unix", "*"):
            try:
                ipaddress.ip_network(peer, strict=False)
            except ValueError as error:
                raise _Invalid(allowed) from error
    return peers


def _keys(value: Any) -> str | tuple[str, ...]:
    keys = (value,) if isinstance(value, str) else tuple(value) if isinstance(value, list | tuple) else ()
    if not keys or not all(isinstance(key, str) and key for key in keys):
        raise _Invalid("text that is not empty, or a list of such, the newest first")
    return value if isinstance(value, str) else keys


DEV_GRACE = 2.0
"""The shutdown grace with `dev`, in seconds: restarts are frequent there."""

_BYTES = " of bytes"

# Each argument with its variable and how it is read, whether it comes from the one or from the other.
_FIELDS: Mapping[str, tuple[str, Reader]] = MappingProxyType(
    {
        "host": ("SLIME_HOST", _text),
        "port": ("SLIME_PORT", _whole(0, 65535)),
        "unix_socket": ("SLIME_UNIX_SOCKET", _text),
        "unix_socket_mode": ("SLIME_UNIX_SOCKET_MODE", _mode),
        "dev": ("SLIME_DEV", _flag),
        "workers": ("SLIME_WORKER", _whole(1, 1024)),
        "secret_key": ("SLIME_SECRET_KEY", _keys),
        "static_path": ("SLIME_STATIC_PATH", _text),
        "access_log": ("SLIME_ACCESS_LOG", _flag),
        "trusted_proxies": ("SLIME_TRUSTED_PROXIES", _peers),
        "body_size": ("SLIME_BODY_SIZE", _whole(0, unit=_BYTES)),
        "head_size": ("SLIME_HEAD_SIZE", _whole(1024, unit=_BYTES)),
        "header_count": ("SLIME_HEADER_COUNT", _whole(1, 24_000)),
        "head_timeout": ("SLIME_HEAD_TIMEOUT", _seconds),
        "idle_timeout": ("SLIME_IDLE_TIMEOUT", _seconds),
        "body_timeout": ("SLIME_BODY_TIMEOUT", _seconds),
        "body_rate": ("SLIME_BODY_RATE", _whole(0)),
        "send_timeout": ("SLIME_SEND_TIMEOUT", _seconds),
        "max_connections": ("SLIME_MAX_CONNECTIONS", _whole(1)),
        "pool_threads": ("SLIME_POOL_THREADS", _whole(1, 4096)),
        "pool_idle_timeout": ("SLIME_POOL_IDLE_TIMEOUT", _seconds),
        "worker_queue_size": ("SLIME_WORKER_QUEUE_SIZE", _whole(1)),
        "form_fields": ("SLIME_FORM_FIELDS", _whole(0)),
        "form_parts": ("SLIME_FORM_PARTS", _whole(0)),
        "form_field_size": ("SLIME_FORM_FIELD_SIZE", _whole(0, unit=_BYTES)),
        "upload_memory": ("SLIME_UPLOAD_MEMORY", _whole(0, unit=_BYTES)),
        "upload_dir": ("SLIME_UPLOAD_DIR", _text),
        "shutdown_grace": ("SLIME_SHUTDOWN_GRACE", _grace),
    }
)
_PYTHON_SIDE = frozenset({"secret_key", "static_path", "access_log", "body_size"})


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
    found: dict[str, Any] = {}
    for name, (variable, read) in _FIELDS.items():
        value, source = _source(name, variable, arguments.get(name), environ)
        if value is not None:
            found[name] = _read(source, value, read)
    tls = _tls(arguments.get("https"), environ)
    dev = found.get("dev", False)
    found.setdefault("workers", 1 if dev else usable_cpus())
    if dev:
        found.setdefault("shutdown_grace", DEV_GRACE)
    app_state = arguments.get("app_state") or {}
    if not isinstance(app_state, Mapping):
        raise ConfigError(f"serve(app_state={app_state!r}): use a dict")
    return ServeConfig(
        server=Settings(
            **{name: value for name, value in found.items() if name not in _PYTHON_SIDE},
            tls_cert=os.fspath(tls.cert) if tls else None,
            tls_key=os.fspath(tls.key) if tls else None,
        ),
        body_size=found.get("body_size", BODY_SIZE),
        secret_key=found.get("secret_key"),
        static_path=found.get("static_path"),
        access_log=found.get("access_log", dev),
        app_state=app_state,
        options=_options(options or {}, given_options or {}, environ),
    )


_OTHERS = frozenset({"SLIME_TLS_CERT", "SLIME_TLS_KEY", DISABLE_VARIABLE})


def mistyped(environ: Mapping[str, str], options: Mapping[str, ServeOption]) -> list[str]:
    """What to say about variables that no setting has and that are nearly called like one, a line each."""
    known = {
        *(variable for variable, _ in _FIELDS.values()),
        *(option.variable for option in options.values()),
        *_OTHERS,
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


def usable_cpus() -> int:
    """How many CPUs this process may use."""
    count = getattr(os, "process_cpu_count", None)
    if count is not None:
        return count() or 1
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0)) or 1
    return os.cpu_count() or 1


def _source(name: str, variable: str, argument: Any, environ: Mapping[str, str]) -> tuple[Any, str]:
    if argument is not None:
        return argument, f"serve({name}={argument!r})" if name != "secret_key" else "serve(secret_key=…)"
    text = environ.get(variable)
    # An empty variable is how shells and service files unset one.
    return text or None, f"{variable}={text!r}" if name != "secret_key" else variable


def _read(source: str, value: Any, read: Reader) -> Any:
    try:
        return read(value)
    except _Invalid as error:
        raise ConfigError(f"{source}: use {error}") from error


def _tls(https: Any, environ: Mapping[str, str]) -> SlimeTls | None:
    if isinstance(https, SlimeTls):
        return https
    if https is not None:
        raise ConfigError(f"serve(https={https!r}): use SlimeTls(cert, key)")
    cert, key = environ.get("SLIME_TLS_CERT"), environ.get("SLIME_TLS_KEY")
    if bool(cert) != bool(key):
        raise ConfigError("SLIME_TLS_CERT and SLIME_TLS_KEY belong together: set both, or neither")
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
            values[name] = option.validate(value)
        except (TypeError, ValueError) as error:
            raise ConfigError(f"{source}: {error}") from error
    return MappingProxyType(values)
