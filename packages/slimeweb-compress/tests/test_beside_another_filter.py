"""Compression beside a third party's filter, which removes white space from HTML."""

from __future__ import annotations

import gzip
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from slimeweb import Slime, SlimeRequest, SlimeResponse, hookimpl
from slimeweb_compress import Compress
from support.versions import VERSIONS, served

PAGE = "<html>\n  <body>\n" + "    <p>a paragraph</p>\n" * 200 + "  </body>\n</html>\n"
SMALL = re.sub(r"\s*\n\s*", "", PAGE)


class Minifier:
    """Takes the whole page, and gives it back at its end."""

    def __init__(self) -> None:
        self.page = bytearray()

    def push(self, data: bytes) -> bytes:
        self.page += data
        return b""

    def flush(self) -> bytes:
        return b""

    def finish(self) -> bytes:
        return re.sub(rb"\s*\n\s*", b"", bytes(self.page))


class Minify:
    stage = "content"

    def begin(self, request: SlimeRequest, response: SlimeResponse, length: int | None) -> Minifier | None:
        if not response.content_type.startswith("text/html"):
            return None
        response.add_header("Vary", "Save-Data")
        return Minifier() if request.header.get("save-data") == "on" else None


class Minifying:
    """A plugin that is called after compression's."""

    @hookimpl
    def slime_body_filter(self) -> Minify:
        return Minify()


def pages() -> Slime:
    app = Slime(__file__, plugins=[Minifying()])

    def whole(req: SlimeRequest, resp: SlimeResponse) -> SlimeResponse:
        resp.set_header("ETag", '"page"')
        resp.set_header("Accept-Ranges", "bytes")
        return resp.html(PAGE)

    async def whole_async(req: SlimeRequest, resp: SlimeResponse) -> SlimeResponse:
        return whole(req, resp)

    def stream(req: SlimeRequest, resp: Any) -> None:
        writer = resp.writer()
        resp.set_header("Content-Type", "text/html")
        resp.set_header("ETag", '"page"')
        writer.start()
        for line in PAGE.splitlines(keepends=True):
            writer.write(line)
        writer.close()

    async def stream_async(req: SlimeRequest, resp: Any) -> None:
        writer = resp.writer()
        resp.set_header("Content-Type", "text/html")
        resp.set_header("ETag", '"page"')
        writer.start()
        for line in PAGE.splitlines(keepends=True):
            while not writer.try_write(line):
                await writer.drain()
        writer.close()

    handlers: list[Callable[..., Any]] = [whole, whole_async, stream, stream_async]
    for handler in handlers:
        app.route(path=f"/{handler.__name__}")(handler)
    app.use(Compress())
    return app


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("path", ["/whole", "/whole_async", "/stream", "/stream_async"])
def test_a_third_partys_filter_of_content_runs_before_compression(path: str, version: str, tmp_path: Path) -> None:
    with served(pages(), version, tmp_path) as ask:
        for is_small in (True, False):
            for coding in ("gzip", "identity"):
                asked = {"Accept-Encoding": coding} | ({"Save-Data": "on"} if is_small else {})
                answer = ask("GET", path, headers=asked)
                body = gzip.decompress(answer.body) if coding == "gzip" else answer.body
                assert body.decode() == (SMALL if is_small else PAGE)
                is_changed = is_small or coding == "gzip"
                assert answer.header("content-encoding") == (coding if coding == "gzip" else None)
                assert answer.header("etag") == ('W/"page"' if is_changed else '"page"')
                vary = ", ".join(answer.header_all("vary")).lower()
                assert "save-data" in vary
                assert "accept-encoding" in vary
                if path.startswith("/whole"):
                    assert answer.header("content-length") == str(len(answer.body))
                    assert answer.header("accept-ranges") == (None if is_changed else "bytes")
                    head = ask("HEAD", path, headers=asked)
                    assert head.header("content-length") == str(len(answer.body))
