import os
import sys
from pathlib import Path

import pytest

from benchmarks.processes import Process, ServerFailed, free_port

SERVER = """
import http.server, subprocess, sys
child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Type", "text/plain")
        self.send_header("Content-Length", "13")
        self.end_headers()
        self.wfile.write(b"Hello, World!")
http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
"""


def start(script: str, folder: Path) -> Process:
    port = free_port()
    return Process([sys.executable, "-c", script, str(port)], port, folder / "log", cwd=folder, env=os.environ)


def test_a_server_with_a_child_is_ready_weighed_and_ended(tmp_path: Path) -> None:
    process = start(SERVER, tmp_path)
    try:
        assert 0 < process.wait_ready() < 20
        memory = process.memory()
        assert memory.rss >= memory.pss > 1024 * 1024
    finally:
        process.stop()
    assert not process.alive
    assert process.memory().rss == 0


def test_a_server_that_ends_is_quoted(tmp_path: Path) -> None:
    process = start("import sys; sys.exit('no such option')", tmp_path)
    with pytest.raises(ServerFailed, match="code 1: no such option"):
        process.wait_ready()
    process.stop()
