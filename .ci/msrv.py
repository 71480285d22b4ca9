"""Checks that the Rust dependencies build with a given Rust: python .ci/msrv.py 1.88

What this workspace itself uses of the standard library is checked by clippy's `incompatible_msrv`, in `make lint`. Here
`rust-version` of every crate in Cargo.lock is compared. Where rustup has that very toolchain, the workspace is also
compiled with it.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

MANIFEST = Path(__file__).parents[1] / "rust" / "Cargo.toml"


def version(text: str) -> tuple[int, ...]:
    """`1.88` and `1.88.0` as numbers that compare."""
    numbers = [int(part) for part in text.split("-")[0].split(".")]
    return tuple([*numbers, 0, 0][:3])


def too_new(metadata: dict[str, Any], oldest: str) -> list[str]:
    """The crates that say they need a newer Rust than `oldest`, one line each."""
    return [
        f"{crate['name']} {crate['version']} needs Rust {crate['rust_version']}"
        for crate in metadata["packages"]
        if crate["rust_version"] and version(crate["rust_version"]) > version(oldest)
    ]


def has_toolchain(name: str) -> bool:
    """Whether rustup has a toolchain of this version."""
    if shutil.which("rustup") is None:
        return False
    listed = subprocess.run(["rustup", "toolchain", "list"], capture_output=True, text=True, check=True).stdout
    return any(line.startswith((f"{name}-", f"{name}.")) for line in listed.splitlines())


def main(oldest: str) -> int:
    command = ["cargo", "metadata", "--locked", "--format-version", "1", "--manifest-path", str(MANIFEST)]
    metadata = json.loads(subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout)
    found = too_new(metadata, oldest)
    if found:
        print(*found, sep="\n", file=sys.stderr)
        print(
            f"rust/Cargo.toml says rust-version = {oldest!r}: raise it, or take older releases of these crates with "
            "`cargo update --precise`",
            file=sys.stderr,
        )
        return 1
    print(f"{len(metadata['packages'])} crates, none needs more than Rust {oldest}")
    if not has_toolchain(oldest):
        print(f"not compiled with Rust {oldest}, which is not installed: rustup toolchain install {oldest}")
        return 0
    check = ["cargo", f"+{oldest}", "check", "--locked", "--workspace", "--manifest-path", str(MANIFEST)]
    return subprocess.run(check, check=False).returncode


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1]))
