"""Names in a table, added by handlers of all kinds."""

from sqlalchemy import String, event, func, select
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from slimeweb import HttpError, Slime
from slimeweb_sqlalchemy import Database


class Base(DeclarativeBase):
    pass


class User(Base):
    __tablename__ = "users"
    name: Mapped[str] = mapped_column(String, primary_key=True)


app = Slime(__file__, plugins=[Database("sqlite:///names.db", "sqlite+aiosqlite:///names.db")])


@app.start()
def start():
    Base.metadata.create_all(app.state["engine"])
    event.listen(app.state["engine"], "engine_disposed", lambda engine: print("disposed", flush=True))


@app.route(path="/plain/{name}", method="POST")
def plain(req, resp):
    req.db.add(User(name=req.params["name"]))
    return finish(req, resp)


@app.route(path="/coroutine/{name}", method="POST")
async def coroutine(req, resp):
    req.db.add(User(name=req.params["name"]))
    await req.db.flush()
    return finish(req, resp)


def finish(req, resp):
    end = req.query.get("end")
    if end == "error":
        raise HttpError(409)
    return resp.plain(end or "added", status=422 if end == "refused" else 201)


@app.route(path="/names")
def names(req, resp):
    return list(req.db.scalars(select(User.name).order_by(User.name)))


@app.route(path="/count")
async def count(req, resp):
    return str(await req.db.scalar(select(func.count()).select_from(User)))


@app.route(path="/pool")
def pool(req, resp):
    return str(req.state["engine"].pool.checkedout())


if __name__ == "__main__":
    app.serve()
