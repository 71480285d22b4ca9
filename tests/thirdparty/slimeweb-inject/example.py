"""What handlers of all kinds get by parameter name or annotation."""

from __future__ import annotations

import functools

from slimeweb import HandlerWrapper, Slime, hookimpl


class Database:
    def __init__(self, path):
        self.path = path


class Shouting:
    """Another plugin, whose wrapper goes around every handler."""

    @hookimpl
    def slime_wrap_handler(self, route):
        return HandlerWrapper("shouting", self.wrap) if route.path.startswith("/shout") else None

    def wrap(self, route, handler):
        @functools.wraps(handler)
        def run(req, resp):
            return handler(req, resp).upper()

        async def run_async(req, resp):
            return (await handler(req, resp)).upper()

        return run_async if route.is_async else run


app = Slime(__file__, plugins=[Shouting()])


@app.provide(Database)
def database(req):
    return Database(req.path)


@app.provide("user")
async def user(req):
    return req.header.get("x-user", "nobody")


@app.provide("limit")
def limit(req):
    return int(req.query.get("limit", 10))


@app.route(path="/plain/{id:int}")
def plain(id: int, db: Database, *, limit):
    return {"id": id, "db": db.path, "limit": limit}


@app.route(path="/coroutine/{id:int}")
async def coroutine(db: Database, user, id, colour="red"):
    return {"id": id, "db": db.path, "user": user, "colour": colour}


@app.route(path="/both")
def both(req, resp, db: Database):
    return resp.plain(f"{req.method} {db.path}", status=201)


@app.route(path="/usual")
def usual(req, resp):
    return "as ever"


@app.route(path="/shout/plain")
def shout(db: Database):
    return db.path


@app.route(path="/shout/coroutine")
async def ashout(db: Database):
    return db.path


@app.stream(path="/stream/plain", content="text/plain")
def stream(resp, db: Database):
    resp.start_stream()
    for letter in db.path:
        resp.send(letter)


@app.stream(path="/stream/coroutine", content="text/plain")
async def astream(resp, db: Database, user):
    resp.start_stream()
    for letter in f"{db.path} {user}":
        await resp.send(letter)


@app.websocket(path="/echo/{name}")
def echo(resp, db: Database, name):
    resp.on_message(lambda message: resp.send(f"{name} {db.path}: {message}"))


def refusal(handler):
    try:
        app.route(path="/refused")(handler)
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return "not refused"


async def unknown(cache):
    return cache


app.state["refusals"] = [refusal(unknown), refusal(lambda user: user)]


@app.route(path="/refusals")
def refusals(req, resp):
    return req.state["refusals"]


if __name__ == "__main__":
    app.serve()
