"""Failures of all kinds. The transport prints."""

import asyncio
import json

from slimeweb import HttpError, Slime
from slimeweb_error_tracking import ErrorTracking


def send(event):
    print("event", json.dumps(event), flush=True)
    if event["message"] == "lose me":
        raise ConnectionError("the tracker is away")


app = Slime(__file__, plugins=[ErrorTracking(send, release="1.2")])


@app.route(path="/plain")
def plain(req, resp):
    raise LookupError("plain")


@app.route(path="/coroutine")
async def coroutine(req, resp):
    raise LookupError("coroutine")


@app.route(path="/lost")
def lost(req, resp):
    raise LookupError("lose me")


@app.route(path="/missing")
def missing(req, resp):
    raise HttpError(404)


@app.stream(path="/stream", content="text/plain")
def stream(req, resp):
    resp.start_stream()
    resp.send("a piece")
    raise LookupError("stream")


@app.websocket(path="/socket")
def socket(req, resp):
    def read(message):
        raise LookupError("socket")

    resp.on_message(read)


@app.route(path="/background")
async def background(req, resp):
    async def fail():
        raise LookupError("background")

    task = asyncio.ensure_future(fail())
    await asyncio.wait([task])
    return "ok"


@app.error(LookupError)
def answer(req, resp, exc):
    return resp.plain("answered", status=503)


@app.start()
def start():
    import os

    if "FAIL_AT_START" in os.environ:
        raise OSError("start")


if __name__ == "__main__":
    app.serve()
