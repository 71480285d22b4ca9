"""Drop: a page where files are left and fetched. `slime run main`, then open http://127.0.0.1:3000/."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from secrets import token_hex
from typing import Any

from slimeweb import HttpError, Slime, SlimeRequest, SlimeResponse

app = Slime(__file__)

LARGEST = 10 * 1024**3
"""The most bytes that a file may have."""


class Drop:
    """A directory of files, and what is being sent to it."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        directory.mkdir(parents=True, exist_ok=True)
        self._lock = threading.Lock()
        self._uploads: dict[str, list[Any]] = {}

    def files(self) -> list[Path]:
        """Those that are there as a whole, by name."""
        return sorted(each for each in self.directory.iterdir() if each.is_file() and not each.name.startswith("."))

    def uploads(self) -> list[dict[str, Any]]:
        """What is being sent: name, bytes so far, and bytes in all where the client has said that."""
        with self._lock:
            found = list(self._uploads.values())
        return [{"name": name, "received": received, "size": size} for name, received, size in found]

    def path(self, name: str) -> Path:
        """Where the file of that name is, or is to be. 400 for a name that leads elsewhere or hides a file."""
        if not name or name.startswith(".") or any(each in name for each in "/\\\0") or len(name.encode()) > 200:
            raise HttpError(400, f"{name!r} is no name of a file")
        return self.directory / name

    def receive(self, name: str, pieces: Iterator[bytes], size: int | None) -> int:
        """Keeps a file, and gives its bytes. It is there once it is whole: what breaks off leaves nothing."""
        place = self.path(name)
        part = self.directory / f".{token_hex(8)}.part"
        with self._listed(name, size) as upload:
            try:
                with part.open("wb") as file:
                    for piece in pieces:
                        file.write(piece)
                        upload[1] += len(piece)
                part.replace(place)
            finally:
                part.unlink(missing_ok=True)
        return int(upload[1])

    @contextmanager
    def _listed(self, name: str, size: int | None) -> Iterator[list[Any]]:
        key, upload = token_hex(8), [name, 0, size]
        with self._lock:
            self._uploads[key] = upload
        try:
            yield upload
        finally:
            with self._lock:
                del self._uploads[key]


@app.resource(scope="app")
def drop(app: Slime) -> Drop:
    """Where files are kept: `DROP_DIRECTORY`, `files` beside the application unless it is set."""
    return Drop(app.root / os.environ.get("DROP_DIRECTORY", "files"))


@app.get("/")
def page(req: SlimeRequest, resp: SlimeResponse) -> SlimeResponse:
    files = [(file.name, file.stat().st_size) for file in req.resources[drop].files()]
    return resp.html(req.render("page.html", files=files, uploads=req.resources[drop].uploads()))


@app.get("/uploads")
def uploads(req: SlimeRequest, resp: SlimeResponse) -> list[dict[str, Any]]:
    """How far what is being sent has come."""
    return req.resources[drop].uploads()


@app.put("/files/{name}", stream_body=True, body_size=LARGEST)
def put(req: SlimeRequest, resp: SlimeResponse) -> SlimeResponse:
    """Takes a file as it comes, however large: memory holds a piece of it."""
    length = req.header.get("content-length")
    name = req.params["name"]
    size = req.resources[drop].receive(name, req.chunks(), None if length is None else int(length))
    resp.set_header("Location", req.url_for("get", name=name))
    return resp.json({"name": name, "size": size}, status=201)


@app.post("/files")
def post(req: SlimeRequest, resp: SlimeResponse) -> SlimeResponse:
    """The page's form, for browsers without scripts."""
    for file in req.file:
        place = req.resources[drop].path(file.original_filename)
        file.save(place.name, directory=str(place.parent))
    return resp.redirect(req.url_for("page"), status=303)


@app.get("/files/{name}")
def get(req: SlimeRequest, resp: SlimeResponse) -> SlimeResponse:
    """A file, or the part of it that the client asks for."""
    return resp.file(_existing(req), filename=req.params["name"])


@app.delete("/files/{name}")
def delete(req: SlimeRequest, resp: SlimeResponse) -> SlimeResponse:
    """Deletes it."""
    _existing(req).unlink(missing_ok=True)
    return resp.empty()


def _existing(req: SlimeRequest) -> Path:
    place = req.resources[drop].path(req.params["name"])
    if not place.is_file():
        raise HttpError(404, "no such file")
    return place


if __name__ == "__main__":
    app.serve()
