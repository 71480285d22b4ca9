"""Sessions in signed cookies."""

from __future__ import annotations

import pytest

from support.process import ServerProcess
from support.wire import Answer

PLUGIN = "slimeweb-sessions"
SHARES_SERVER = True


def cookie(answer: Answer) -> str | None:
    line = answer.header("set-cookie")
    return None if line is None else line.partition(";")[0]


@pytest.mark.parametrize("path", ["/plain", "/coroutine", "/pieces", "/written"])
def test_what_a_handler_changes_is_there_the_next_time(server: ServerProcess, path: str) -> None:
    session = ""
    for count in "123":
        answer = server.ask(path, headers={"Cookie": session} if session else {})
        assert (answer.status, answer.text) == (200, count)
        assert "HttpOnly" in (answer.header("set-cookie") or "")
        session = cookie(answer) or ""
        assert session


def test_a_session_that_is_only_read_is_not_sent_again(server: ServerProcess) -> None:
    session = cookie(server.ask("/plain")) or ""
    answer = server.ask("/look", headers={"Cookie": session})
    assert (answer.text, cookie(answer)) == ("1", None)
    assert cookie(server.ask("/look")) is None
    assert cookie(server.ask("/nowhere", headers={"Cookie": session})) is None


def test_a_changed_cookie_is_no_session(server: ServerProcess) -> None:
    session = cookie(server.ask("/plain")) or ""
    name, _, value = session.partition("=")
    forged = f"{name}={'A' if value[0] != 'A' else 'B'}{value[1:]}"
    assert server.ask("/look", headers={"Cookie": forged}).text == "0"


def test_a_failure_keeps_the_change(server: ServerProcess) -> None:
    answer = server.ask("/failing")
    assert answer.status == 500
    assert server.ask("/look", headers={"Cookie": cookie(answer) or ""}).text == "1"


def test_an_empty_session_deletes_the_cookie(server: ServerProcess) -> None:
    session = cookie(server.ask("/plain")) or ""
    answer = server.ask("/logout", "POST", headers={"Cookie": session})
    assert "max-age=0" in (answer.header("set-cookie") or "").lower()
