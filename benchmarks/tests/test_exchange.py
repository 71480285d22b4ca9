import io
import socket
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext

import pytest

from benchmarks.exchange import BadAnswer, EchoConnection, read_reply


def reply(*lines: str, body: bytes = b"") -> io.BytesIO:
    return io.BytesIO("".join(f"{line}\r\n" for line in (*lines, "")).encode() + body)


def test_a_body_of_known_length() -> None:
    stream = reply("HTTP/1.1 200 OK", "Content-Type: Text/Plain; charset=utf-8", "content-length: 3", body=b"yesnext")
    answer = read_reply(stream)
    assert (answer.status, answer.media_type, answer.body, answer.chunks) == (200, "text/plain", b"yes", None)
    assert stream.read() == b"next"


def test_chunks_are_counted_and_what_follows_is_left_alone() -> None:
    body = b"3\r\nabc\r\nA;name=value\r\n0123456789\r\n0\r\nTrailer: x\r\n\r\nnext"
    stream = reply("HTTP/1.1 200 OK", "Transfer-Encoding: chunked", body=body)
    answer = read_reply(stream)
    assert (answer.body, answer.chunks) == (b"abc0123456789", 2)
    assert stream.read() == b"next"


@pytest.mark.parametrize(
    ("stream", "complaint"),
    [
        (io.BytesIO(b""), "closed"),
        (io.BytesIO(b"HTTP/1.1 200 OK\n"), "without its end"),
        (reply("HTTP/1.0 200 OK"), "no HTTP/1.1 status line"),
        (reply("HTTP/1.1 200 OK"), "neither"),
        (reply("HTTP/1.1 200 OK", "content-length: 5", body=b"abc"), "3 bytes where 5"),
        (reply("HTTP/1.1 200 OK", "content-length: five"), "'five'"),
        (reply("HTTP/1.1 200 OK", "transfer-encoding: chunked", body=b"x\r\n"), "'x'"),
        (reply("HTTP/1.1 200 OK", "transfer-encoding: chunked", body=b"1\r\nab\r\n"), "longer than its size"),
    ],
)
def test_anything_else_is_refused(stream: io.BytesIO, complaint: str) -> None:
    with pytest.raises(BadAnswer, match=complaint):
        read_reply(stream)


@pytest.mark.parametrize(
    ("answer", "complaint"),
    [
        (b"HTTP/1.1 404 Not Found\r\n\r\n", "no WebSocket connection: HTTP/1.1 404"),
        (b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n\x81\x02hi", None),
        (b"HTTP/1.1 101 Switching Protocols\r\n\r\n\x81\x02ho", "echo"),
        (b"HTTP/1.1 101 Switching Protocols\r\n\r\n\x82\x02hi", "echo"),
        (b"HTTP/1.1 101 Switching Protocols\r\n\r\n\x81", "1 bytes where 4"),
    ],
)
def test_an_echo_is_what_was_said(answer: bytes, complaint: str | None) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener, ThreadPoolExecutor(1) as crew:
        served = crew.submit(answered, listener, answer)
        expected = pytest.raises(BadAnswer, match=complaint) if complaint else nullcontext()
        with expected, EchoConnection(listener.getsockname()[1]) as echo:
            echo.exchange(b"hi")
        # What was said comes masked, with a mask of zeros; a connection that was refused says nothing.
        assert served.result() == (b"" if complaint and "404" in complaint else b"\x81\x82\x00\x00\x00\x00hi")


def answered(listener: socket.socket, answer: bytes) -> bytes:
    """Gives `answer` to the first client, and what that one said after its request."""
    connection, _ = listener.accept()
    with connection, connection.makefile("rb") as stream:
        while stream.readline() != b"\r\n":
            pass
        connection.sendall(answer)
        connection.shutdown(socket.SHUT_WR)
        return stream.read()
