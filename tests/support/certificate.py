"""A certificate for localhost, made on the spot."""

from __future__ import annotations

import subprocess
from pathlib import Path

from support.tools import tool

__all__ = ["self_signed", "tls_variables"]


def self_signed(directory: Path) -> tuple[Path, Path]:
    """Certificate and private key as PEM files, good for one day."""
    cert, key = directory / "cert.pem", directory / "key.pem"
    command = [tool("openssl"), "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    command += ["-days", "1", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"]
    subprocess.run([*command, "-keyout", str(key), "-out", str(cert)], check=True, capture_output=True, timeout=30)
    return cert, key


def tls_variables(directory: Path) -> dict[str, str]:
    """The variables with which a server speaks TLS, with a certificate of its own."""
    cert, key = self_signed(directory)
    return {"SLIME_TLS_CERT": str(cert), "SLIME_TLS_KEY": str(key)}
