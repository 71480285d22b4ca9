"""The files of a project, and whether any of them changed."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

__all__ = ["Tree"]

# What an application reads once, at its start. Logs, uploads and databases are not among these: an application that
# writes files must not restart itself.
SUFFIXES = frozenset(
    {
        ".py",
        ".toml",
        ".ini",
        ".cfg",
        ".yaml",
        ".yml",
        ".json",
        ".env",
        ".html",
        ".htm",
        ".xml",
        ".j2",
        ".jinja",
        ".jinja2",
    }
)
IGNORED = frozenset({"__pycache__", "node_modules", "dist", "logs"})

Stamp = tuple[int, int, int]


@dataclass(slots=True)
class Tree:
    """A folder watched by looking: no notifications, so that it works on every file system and sees atomic renames."""

    root: Path
    _seen: dict[str, Stamp] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        self._seen = dict(self._look())

    def changed(self) -> list[Path]:
        """Give the files that are new, gone or different since the last call, in order."""
        before, self._seen = self._seen, dict(self._look())
        names = {name for name in before.keys() | self._seen.keys() if before.get(name) != self._seen.get(name)}
        return [Path(name) for name in sorted(names)]

    def _look(self) -> Iterator[tuple[str, Stamp]]:
        folders = [str(self.root)]
        # Linked folders count as well, each real folder once: links may lead in a circle.
        visited = set()
        while folders:
            folder = folders.pop()
            real = os.path.realpath(folder)
            if real in visited:
                continue
            visited.add(real)
            for entry in listing(folder):
                if is_folder(entry):
                    if is_source_folder(entry):
                        folders.append(entry.path)
                elif os.path.splitext(entry.name)[1] in SUFFIXES or entry.name == ".env":
                    # A file that went away since the listing shows as gone in the next round.
                    with contextlib.suppress(OSError):
                        status = entry.stat()
                        # The inode tells a file that was replaced by one of the same size and time.
                        yield entry.path, (status.st_mtime_ns, status.st_size, status.st_ino)


def listing(folder: str) -> list[os.DirEntry[str]]:
    """Give what is in a folder; nothing when it is gone or closed to us."""
    try:
        with os.scandir(folder) as entries:
            return list(entries)
    except OSError:
        return []


def is_folder(entry: os.DirEntry[str]) -> bool:
    """Say whether it is a folder, or a link to one."""
    try:
        return entry.is_dir()
    except OSError:
        return False


def is_source_folder(entry: os.DirEntry[str]) -> bool:
    """Say whether a folder may hold sources: no cache, no hidden folder, no virtual environment under any name."""
    if entry.name.startswith(".") or entry.name in IGNORED or entry.name.endswith(".egg-info"):
        return False
    return not os.path.exists(os.path.join(entry.path, "pyvenv.cfg"))
