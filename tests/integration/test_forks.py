"""Processes that handlers fork: they have the system's signals and nothing of the server's."""

from __future__ import annotations

import json
import os
import signal
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.certificate import tls_variables
from support.condition import eventually
from support.process import ServerProcess

APP = """
import asyncio, multiprocessing, os, signal, socket, subprocess, sys, time
from slimeweb import Slime

app = Slime(__file__)
ports = []
fork = multiprocessing.get_context("fork")


def square(number):
    return number * number


def rest():
    time.sleep(600)


def report(pipe):
    try:
        asyncio.get_running_loop()
        has_loop = True
    except RuntimeError:
        has_loop = False

    async def answer():
        await asyncio.sleep(0)
        return 42

    served = 0
    for name in os.listdir("/proc/self/fd"):
        try:
            if os.readlink(f"/proc/self/fd/{name}").startswith("socket:"):
                file = socket.socket(fileno=int(name))
                served += file.family == socket.AF_INET and file.getsockname()[1] == ports[-1]
                file.detach()
        except OSError:
            pass
    pipe.send({
        "has_loop": has_loop,
        "asyncio_run": asyncio.run(answer()),
        "served": served,
        "sigterm": signal.getsignal(signal.SIGTERM) is signal.SIG_DFL,
        "sigint": signal.getsignal(signal.SIGINT) is signal.default_int_handler,
        "wakeup": signal.set_wakeup_fd(-1),
    })
    pipe.close()


def ask_child(req):
    ports.append(int(req.query["port"]))
    here, there = fork.Pipe()
    child = fork.Process(target=report, args=(there,))
    child.start()
    there.close()
    found = here.recv()
    child.join()
    return found | {"exitcode": child.exitcode}


def ended_by_terminate():
    child = fork.Process(target=rest)
    child.start()
    child.terminate()
    child.join(10)
    alive = child.is_alive()
    if alive:
        child.kill()
    return {"exitcode": child.exitcode, "alive": alive}


def pooled():
    with fork.Pool(2) as pool:
        return pool.map(square, range(5))


def forked(code):
    pid = os.fork()
    if pid == 0:
        if code:
            sys.exit(code)
        return None
    return {"status": os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])}


def prepared():
    probe = "import signal; print(signal.getsignal(signal.SIGTERM) is signal.SIG_DFL)"
    command = [sys.executable, "-c", probe]
    return {"output": subprocess.run(command, preexec_fn=os.setsid, capture_output=True, text=True).stdout}


def outlives():
    child = fork.Process(target=rest)
    child.start()
    return {"pid": child.pid}


KINDS = {"report": ask_child, "terminate": lambda req: ended_by_terminate(), "pool": lambda req: pooled(),
         "exit": lambda req: forked(3), "return": lambda req: forked(0), "preexec": lambda req: prepared(),
         "outlives": lambda req: outlives()}


@app.route("/plain/{kind}")
def plain(req, resp):
    return resp.json(KINDS[req.params["kind"]](req))


@app.route("/coroutine/{kind}")
async def coroutine(req, resp):
    return resp.json(KINDS[req.params["kind"]](req))


@app.route("/thread/{kind}")
async def thread(req, resp):
    return resp.json(await asyncio.to_thread(KINDS[req.params["kind"]], req))


@app.route("/callback/{kind}")
async def callback(req, resp):
    loop = asyncio.get_running_loop()
    done = loop.create_future()
    loop.call_later(0.001, lambda: done.set_result(KINDS[req.params["kind"]](req)))
    return resp.json(await done)


@app.route("/task/{kind}")
async def task(req, resp):
    async def work():
        await asyncio.sleep(0)
        return KINDS[req.params["kind"]](req)

    return resp.json(await asyncio.create_task(work()))


@app.websocket("/chat/plain")
def chat(req, resp):
    resp.on_message(lambda kind: resp.send(KINDS[kind](req)))


@app.websocket("/chat/coroutine")
async def async_chat(req, resp):
    async def answer(kind):
        await resp.send(KINDS[kind](req))

    resp.on_message(answer)


@app.route("/ok")
def ok(req, resp):
    return "ok"


@app.end()
def end(error):
    print("ended", flush=True)
    # multiprocessing joins its children at the exit of their parent.
    if os.environ.get("LEAVE"):
        os._exit(0)


app.serve()
"""


@pytest.fixture(scope="module")
def script(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("forks") / "main.py"
    path.write_text(APP)
    return path


@pytest.fixture(scope="module")
def server(script: Path) -> Iterator[ServerProcess]:
    env = tls_variables(script.parent)
    with ServerProcess(script, env=env) as process:
        yield process.wait_until_serving()


def ask(server: ServerProcess, target: str, version: str = "1.1") -> object:
    answer = server.ask(target, version=version, timeout=30)
    assert answer.status == 200, (answer, server.output)
    assert server.ask("/ok").text == "ok"
    return answer.json()


sides = [
    pytest.mark.parametrize("where", ["plain", "coroutine", "thread"]),
    pytest.mark.parametrize("version", ["1.1", "2"]),
]


def on_all_sides(test):  # type: ignore[no-untyped-def]
    for mark in sides:
        test = mark(test)
    return test


@on_all_sides
def test_a_forked_child_has_no_socket_loop_or_signal_handler_of_the_servers(
    server: ServerProcess, where: str, version: str
) -> None:
    for _ in range(3):
        assert ask(server, f"/{where}/report?port={server.port}", version) == {
            "has_loop": False,
            "asyncio_run": 42,
            "served": 0,
            "sigterm": True,
            "sigint": True,
            "wakeup": -1,
            "exitcode": 0,
        }


@on_all_sides
def test_a_forked_process_ends_when_it_is_terminated(server: ServerProcess, where: str, version: str) -> None:
    assert ask(server, f"/{where}/terminate", version) == {"exitcode": -signal.SIGTERM, "alive": False}


@on_all_sides
def test_a_pool_of_forked_processes_works_and_ends_in_a_handler(
    server: ServerProcess, where: str, version: str
) -> None:
    assert ask(server, f"/{where}/pool", version) == [0, 1, 4, 9, 16]


@on_all_sides
@pytest.mark.parametrize(("kind", "code"), [("exit", 3), ("return", 0)])
def test_a_child_that_comes_back_from_its_handler_ends(
    server: ServerProcess, where: str, version: str, kind: str, code: int
) -> None:
    # More than once: later requests run where they are cheapest, on the worker's own thread too.
    for _ in range(3):
        assert ask(server, f"/{where}/{kind}", version) == {"status": code}


@pytest.mark.parametrize("where", ["callback", "task"])
@pytest.mark.parametrize(("kind", "code"), [("exit", 3), ("return", 0)])
def test_a_child_that_comes_back_from_a_callback_of_the_loop_ends(
    server: ServerProcess, where: str, kind: str, code: int
) -> None:
    assert ask(server, f"/{where}/{kind}", "1.1") == {"status": code}
    assert server.ask("/ok").text == "ok"


@pytest.mark.parametrize("where", ["plain", "coroutine"])
@pytest.mark.parametrize(("kind", "code"), [("exit", 3), ("return", 0)])
def test_a_child_that_comes_back_from_a_websocket_callback_ends(
    server: ServerProcess, where: str, kind: str, code: int
) -> None:
    with server.wire() as wire:
        key = {"Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA==", "Sec-WebSocket-Version": "13"}
        wire.request("GET", f"/chat/{where}", headers={"Connection": "Upgrade", "Upgrade": "websocket", **key})
        assert wire.answer().status == 101
        for _ in range(3):
            wire.send(bytes([0x81, 0x80 | len(kind), 0, 0, 0, 0]) + kind.encode())
            _, length = wire.exactly(2)
            # An exit is for the callback to answer: whoever catches it, the child ends.
            assert json.loads(wire.exactly(length))["status"] in (code, 0)


@on_all_sides
def test_a_program_started_with_a_preexec_function_has_the_systems_signals(
    server: ServerProcess, where: str, version: str
) -> None:
    assert ask(server, f"/{where}/preexec", version) == {"output": "True\n"}


@pytest.mark.parametrize("where", ["plain", "coroutine"])
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=["SIGTERM", "SIGINT"])
def test_a_child_that_outlives_the_server_leaves_it_the_port(script: Path, where: str, number: signal.Signals) -> None:
    with ServerProcess(script, env={"LEAVE": "1"}) as server:
        server.wait_until_serving()
        with server.wire() as kept:
            kept.request("GET", f"/{where}/outlives")
            child = kept.answer().json()["pid"]
            try:
                server.send_signal(number)
                assert kept.is_closed_by_server(), "the child does not hold the connection"
                eventually(lambda: "ended" in server.output, what="the server has ended")
                os.kill(child, 0)
                with socket.socket() as successor:
                    successor.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                    successor.bind(("127.0.0.1", server.port))
                    successor.listen()
            finally:
                os.kill(child, signal.SIGKILL)
        assert server.wait() == 0, server.output
