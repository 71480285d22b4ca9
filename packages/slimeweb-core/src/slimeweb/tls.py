"""HTTPS."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from slimeweb.errors import ConfigError

__all__ = ["SlimeTls"]


@dataclass(frozen=True, slots=True)
class SlimeTls:
    """`cert`, a certificate chain, and `key`, its private key: paths of PEM files, for
    `app.serve(https=SlimeTls("cert.pem", "key.pem"))`.

    HTTP/2 is offered by ALPN (RFC 7301). `ConfigError` when a file is not there.
    """

    cert: str | os.PathLike[str]
    key: str | os.PathLike[str]

    def __post_init__(self) -> None:
        for role, path in (("cert", self.cert), ("key", self.key)):
            if not Path(path).is_file():
                raise ConfigError(
                    f"SlimeTls: {role} is {os.fspath(path)!r}, which is not a file: give the path of a PEM file"
                )
