"""Writes the licences of the Rust crates that a package's extension module holds: python .ci/licences.py slimeweb-core

They go into packages/NAME/THIRD-PARTY-LICENSES.txt, which maturin puts into the wheel beside our own. What only builds
or tests the module is left out: its code is not in the wheel. A second argument names another file to write to.
"""

from __future__ import annotations

import json
import subprocess
import sys
import textwrap
from collections import defaultdict
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
TEXTS = ("license", "licence", "notice", "unlicense")


def linked(metadata: dict[str, Any], name: str) -> list[dict[str, Any]]:
    """The crates from elsewhere whose code is linked into the crate `name`, by name."""
    crates = {crate["id"]: crate for crate in metadata["packages"]}
    nodes = {node["id"]: node for node in metadata["resolve"]["nodes"]}
    pending = [crate["id"] for crate in metadata["packages"] if crate["name"] == name and crate["source"] is None]
    found: set[str] = set()
    while pending:
        node = pending.pop()
        if node in found or any("proc-macro" in target["kind"] for target in crates[node]["targets"]):
            continue
        found.add(node)
        pending += [
            dependency["pkg"]
            for dependency in nodes[node]["deps"]
            if any(kind["kind"] is None for kind in dependency["dep_kinds"])
        ]
    theirs = (crates[each] for each in found if crates[each]["source"] is not None)
    return sorted(theirs, key=lambda crate: (crate["name"], crate["version"]))


def texts(folder: Path) -> list[str]:
    """The licences that a crate's package holds, those of C sources that it brings too."""
    files = [path for path in sorted(folder.rglob("*")) if path.is_file() and path.name.lower().startswith(TEXTS)]
    return [path.read_text(errors="replace").strip() for path in files if path.suffix != ".rs"]


def document(crates: list[dict[str, Any]]) -> str:
    """One text for all: each licence once, under the crates that have it."""
    holders: dict[str, list[str]] = defaultdict(list)
    texts_by_words: dict[str, str] = {}
    lines = ["The compiled module of this package holds code of these Rust crates:", ""]
    for crate in crates:
        label = f"{crate['name']} {crate['version']}"
        found = dict.fromkeys(texts(Path(crate["manifest_path"]).parent))
        lines.append(f"  {label} ({crate['license']})" + ("" if found else ", whose package holds no text of it"))
        # Many are the same but for the breaks of their lines.
        for words, text in {" ".join(text.split()): text for text in found}.items():
            texts_by_words.setdefault(words, text)
            holders[words].append(label)
    for words, labels in holders.items():
        lines += [
            "",
            "=" * 80,
            *textwrap.wrap(", ".join(labels), 80, break_on_hyphens=False),
            "-" * 80,
            "",
            texts_by_words[words],
        ]
    return "\n".join(lines) + "\n"


def main(name: str, target: str | None = None) -> None:
    host = next(line for line in _run("rustc", "-vV").splitlines() if line.startswith("host: "))[6:]
    command = ["cargo", "metadata", "--locked", "--all-features", "--format-version", "1", "--filter-platform", host]
    metadata = json.loads(_run(*command, "--manifest-path", str(ROOT / "rust" / "Cargo.toml")))
    path = Path(target) if target else ROOT / "packages" / name / "THIRD-PARTY-LICENSES.txt"
    path.write_text(document(linked(metadata, name)))


def _run(*command: str) -> str:
    return subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout


if __name__ == "__main__":
    main(*sys.argv[1:])
