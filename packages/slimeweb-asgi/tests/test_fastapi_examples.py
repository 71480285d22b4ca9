"""What the pages of FastAPI's documentation show, each page as a small route: it needs a server that keeps its part of
ASGI. Mounted at a path, with two workers.
"""

# Annotations are values here, as FastAPI needs them for what is defined in a function.

import base64
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Annotated, Any

import pytest
from websockets.sync.client import connect

from slimeweb import Slime
from slimeweb.testing import TestClient
from support.condition import eventually

EVENTS: list[str] = []


@pytest.fixture(autouse=True)
def _no_events() -> None:
    EVENTS.clear()


def happens(event: str) -> None:
    eventually(lambda: event in EVENTS, within=20, what=f"the event {event!r}")


def client_of(application: Any) -> TestClient:
    app = Slime(__file__)
    app.mount("/api", asgi=application)
    return TestClient(app, workers=2)


def fastapi() -> Any:
    pytest.importorskip("fastapi")
    pytest.importorskip("python_multipart")
    from fastapi import (
        APIRouter,
        Cookie,
        Depends,
        FastAPI,
        File,
        Form,
        Header,
        HTTPException,
        Request,
        Response,
        UploadFile,
        WebSocket,
        WebSocketDisconnect,
        status,
    )
    from fastapi.responses import StreamingResponse
    from fastapi.security import HTTPBasic, HTTPBasicCredentials, OAuth2PasswordBearer, OAuth2PasswordRequestForm
    from pydantic import BaseModel

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[dict[str, Any]]:
        EVENTS.append("start")
        yield {"model": "loaded"}
        EVENTS.append("end")

    app = FastAPI(title="Shop", lifespan=lifespan)

    class Item(BaseModel):
        name: str
        price: float

    def session() -> Iterator[str]:
        EVENTS.append("open")
        try:
            yield "session"
        finally:
            EVENTS.append("close")

    def items_read(item_id: int, q: str | None = None, tags: Annotated[str | None, Header()] = None) -> Any:
        return {"id": item_id, "q": q, "tags": tags}

    async def items_create(item: Item, ads: Annotated[str | None, Cookie()] = None) -> Any:
        return {"item": item.model_dump(), "ads": ads}

    async def login_form(
        username: Annotated[str, Form()], file: Annotated[bytes, File()], more: list[UploadFile]
    ) -> Any:
        return {"user": username, "size": len(file), "more": [each.filename for each in more]}

    def with_session(found: Annotated[str, Depends(session)]) -> Any:
        return {"has": found}

    def with_session_failing(found: Annotated[str, Depends(session)]) -> Any:
        raise HTTPException(409, {"why": "conflict"})

    def who(credentials: Annotated[HTTPBasicCredentials, Depends(HTTPBasic())]) -> Any:
        return {"user": credentials.username}

    def token(form: Annotated[OAuth2PasswordRequestForm, Depends()]) -> Any:
        return {"access_token": form.username, "token_type": "bearer"}

    def me(given: Annotated[str, Depends(OAuth2PasswordBearer(tokenUrl="token"))]) -> Any:
        return {"me": given}

    async def model(request: Request) -> Any:
        return {"model": request.state.model, "root": request.scope["root_path"]}

    def legacy(response: Response) -> Any:
        response.set_cookie("seen", "yes")
        response.status_code = status.HTTP_202_ACCEPTED
        return None

    def rows() -> Any:
        return StreamingResponse((f"{number}\n" for number in range(1000)), media_type="text/csv")

    for path, function in {
        "/items/{item_id}": items_read,
        "/session": with_session,
        "/session/fails": with_session_failing,
        "/who": who,
        "/me": me,
        "/model": model,
        "/legacy": legacy,
        "/rows": rows,
    }.items():
        app.add_api_route(path, function, methods=["GET"], response_model=None)
    for path, function in {"/items": items_create, "/login": login_form, "/token": token}.items():
        app.add_api_route(path, function, methods=["POST"], response_model=None, status_code=201)

    router = APIRouter(prefix="/users")
    router.add_api_route("/{name}", lambda name: {"name": name}, methods=["GET"], name="user")
    app.include_router(router)

    class Room:
        def __init__(self) -> None:
            self.open: list[WebSocket] = []

        async def tell(self, text: str) -> None:
            for each in self.open:
                await each.send_text(text)

    room = Room()

    async def chat(websocket: WebSocket, name: str) -> None:
        await websocket.accept()
        room.open.append(websocket)
        try:
            await room.tell(f"{name} came")
            while True:
                await room.tell(f"{name}: {await websocket.receive_text()}")
        except WebSocketDisconnect:
            room.open.remove(websocket)
            await room.tell(f"{name} left")

    app.add_api_websocket_route("/chat/{name}", chat)

    async def add_header(request: Request, call_next: Any) -> Any:
        response = await call_next(request)
        response.headers["x-process"] = "1"
        return response

    app.middleware("http")(add_header)
    inner = FastAPI()
    inner.add_api_route("/sub", lambda: {"message": "inner"}, methods=["GET"])
    app.mount("/inner", inner)
    return app


@pytest.fixture(scope="module")
def fast() -> Iterator[TestClient]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SLIME_DISABLE_PLUGINS", "ws,stream,compress,docs,templates")
        with client_of(fastapi()) as client:
            yield client


def test_path_query_and_header_parameters(fast: TestClient) -> None:
    assert fast.get("/api/items/5?q=x", headers={"tags": "t"}).json() == {"id": 5, "q": "x", "tags": "t"}
    wrong = fast.get("/api/items/five")
    assert wrong.status_code == 422
    assert wrong.json()["detail"][0]["loc"] == ["path", "item_id"]


def test_bodies_and_cookie_parameters(fast: TestClient) -> None:
    sent = {"name": "cup", "price": 2.5}
    answer = fast.post("/api/items", json=sent, headers={"Cookie": "ads=no"})
    assert (answer.status_code, answer.json()) == (201, {"item": sent, "ads": "no"})
    assert fast.post("/api/items", json={"name": "cup"}).json()["detail"][0]["loc"] == ["body", "price"]
    assert fast.post("/api/items", content=b"{", headers={"Content-Type": "application/json"}).status_code == 422


def test_forms_and_files(fast: TestClient) -> None:
    files: Any = [("file", ("a", b"abc")), ("more", ("b.txt", b"b")), ("more", ("c.txt", b"c" * 2_000_000))]
    answer = fast.post("/api/login", data={"username": "ada"}, files=files)
    assert answer.json() == {"user": "ada", "size": 3, "more": ["b.txt", "c.txt"]}


@pytest.mark.parametrize(("path", "status"), [("/api/session", 200), ("/api/session/fails", 409)])
def test_dependencies_with_yield_are_closed(fast: TestClient, path: str, status: int) -> None:
    assert fast.get(path).status_code == status
    happens("close")
    assert EVENTS == ["open", "close"]


def test_security(fast: TestClient) -> None:
    assert fast.get("/api/who").headers["www-authenticate"] == "Basic"
    basic = base64.b64encode(b"ada:secret").decode()
    assert fast.get("/api/who", headers={"Authorization": f"Basic {basic}"}).json() == {"user": "ada"}
    token = fast.post("/api/token", data={"username": "ada", "password": "x", "grant_type": "password"}).json()
    assert fast.get("/api/me", headers={"Authorization": f"Bearer {token['access_token']}"}).json() == {"me": "ada"}
    assert fast.get("/api/me").status_code == 401


def test_lifespan_state_and_root_path(fast: TestClient) -> None:
    assert fast.get("/api/model").json() == {"model": "loaded", "root": "/api"}


def test_the_response_as_a_parameter_and_middleware(fast: TestClient) -> None:
    answer = fast.get("/api/legacy")
    assert (answer.status_code, answer.cookies, answer.headers["x-process"]) == (202, {"seen": "yes"}, "1")


def test_streaming_of_a_plain_generator(fast: TestClient) -> None:
    assert fast.get("/api/rows").text == "".join(f"{number}\n" for number in range(1000))


def test_documentation_pages_find_the_mount(fast: TestClient) -> None:
    assert "/api/openapi.json" in fast.get("/api/docs").text
    document = fast.get("/api/openapi.json").json()
    assert document["info"]["title"] == "Shop"
    assert document["servers"] == [{"url": "/api"}]
    assert fast.get("/api/inner/sub").json() == {"message": "inner"}
    assert fast.get("/api/inner/openapi.json").json()["servers"] == [{"url": "/api/inner"}]
    assert fast.get("/api/users/ada").json() == {"name": "ada"}


def test_a_chat(fast: TestClient) -> None:
    url = f"ws://127.0.0.1:{fast.port}/api/chat"
    with connect(f"{url}/ada", open_timeout=20) as ada:
        assert ada.recv(timeout=20) == "ada came"
        with connect(f"{url}/bob", open_timeout=20) as bob:
            assert ada.recv(timeout=20) == bob.recv(timeout=20) == "bob came"
            bob.send("hi")
            assert ada.recv(timeout=20) == bob.recv(timeout=20) == "bob: hi"
        assert ada.recv(timeout=20) == "bob left"


def test_a_lifespan_starts_and_ends_once() -> None:
    with client_of(fastapi()) as client:
        assert client.get("/api/model").status_code == 200
        assert EVENTS == ["start"]
    assert EVENTS == ["start", "end"]
