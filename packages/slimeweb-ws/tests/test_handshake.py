"""The opening handshake (RFC 6455, section 4.2)."""

from __future__ import annotations

import contextvars

import pytest

from slimeweb import SlimeMiddleware
from slimeweb.errors import InvalidHandler, MethodException
from slimeweb_ws.handshake import accept_key


@pytest.fixture
def served(app, serve):
    @app.websocket(
        path="/open",
        subprotocols=["chat.v2", "chat.v1"],
        origins=["https://Good.example:443", "https://*.many.example"],
    )
    def opened(req, resp):
        resp.send(resp.subprotocol)

    @app.route(path="/flag", ws=True)
    async def flag(req, resp):
        resp.set_header("X-Tour", "yes")
        resp.set_cookie("seen", "1")
        await resp.send(req.query["q"])

    @app.websocket(path="/refused")
    def refused(req, resp):
        return resp.plain("members only", status=403)

    @app.websocket(path="/status")
    def status(req, resp):
        resp.set_status(401)

    @app.websocket(path="/broken")
    def broken(req, resp):
        raise RuntimeError("secret")

    return serve(app)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"origins": ["shop.example"]}, "'shop.example' is not an origin"),
        ({"origins": ["https://shop.example/"]}, "is not an origin"),
        ({"origins": ["*"]}, "leave origins out to let everyone in"),
        ({"origins": []}, "lets nobody in"),
        ({"deflate": "no"}, "has to be True or False"),
        ({"context_takeover": 1}, "has to be True or False"),
        ({"max_message_size": 10**30}, "at most"),
        ({"pinginterval": 5}, r"app.websocket\(\) has no option 'pinginterval': did you mean 'ping_interval'"),
        ({"origin": ["https://shop.example"]}, "did you mean 'origins'"),
        ({"method": "POST"}, "opened by GET"),
    ],
)
def test_options_that_would_have_no_effect_are_refused(app, options, message):
    with pytest.raises((TypeError, ValueError, MethodException), match=message):
        app.websocket(path="/", **options)


def test_the_key_of_the_rfc():
    assert accept_key("dGhlIHNhbXBsZSBub25jZQ==") == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="


def test_an_upgrade(served):
    client = served.connect("/open", Connection="keep-alive, UPGRADE", Upgrade="WebSocket")
    assert client.status == 101
    assert client.headers["upgrade"] == "websocket"
    assert client.headers["connection"].lower() == "upgrade"
    assert client.headers["sec-websocket-accept"] == accept_key("MDEyMzQ1Njc4OWFiY2RlZg==")
    assert "sec-websocket-extensions" not in client.headers
    assert client.message() == "null"


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Upgrade": None}, 426),
        ({"Upgrade": "h2c"}, 426),
        ({"Connection": "keep-alive"}, 426),
        ({"Sec_WebSocket_Version": "8"}, 426),
        ({"Sec_WebSocket_Version": None}, 426),
        ({"Sec_WebSocket_Key": None}, 400),
        ({"Sec_WebSocket_Key": "short"}, 400),
        ({"Sec_WebSocket_Key": "MDEyMzQ1Njc4OWFiY2Rl"}, 400),
        ({"Sec_WebSocket_Key": "MDEyMzQ1Njc4OWFiY2RlZg==\r\nSec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg=="}, 400),
        ({"Origin": "https://evil.example"}, 403),
        ({"Origin": "https://good.example"}, 101),
        ({"Origin": "https://good.example:443"}, 101),
        ({"Origin": "https://good.example:80"}, 403),
        ({"Origin": "http://good.example:443"}, 403),
        ({"Origin": "https://good.example:8443"}, 403),
        ({"Origin": "https://a.many.example"}, 101),
        ({"Origin": "https://a.many.example:443"}, 101),
        ({"Origin": "https://a.b.many.example"}, 101),
        ({"Origin": "https://many.example"}, 403),
        ({"Origin": "https://amany.example"}, 403),
        ({"Origin": "http://good.example"}, 403),
        ({"Origin": "null"}, 403),
    ],
)
def test_what_is_refused(served, headers, status):
    client = served.connect("/open", **headers)
    assert client.status == status
    if status == 426:
        assert client.headers["sec-websocket-version"] == "13"
        assert client.headers["upgrade"] == "websocket"
        assert client.headers["connection"].lower() == "upgrade"


def test_a_plain_get(served):
    response = served.http.get("/open")
    assert response.status_code == 426
    assert response.headers["upgrade"] == "websocket"


@pytest.mark.parametrize(
    ("offered", "chosen"),
    [("chat.v1, chat.v2", "chat.v1"), ("other,chat.v2", "chat.v2"), ("other", None)],
)
def test_the_first_subprotocol_of_the_client_that_is_known(served, offered, chosen):
    client = served.connect("/open", Sec_WebSocket_Protocol=offered)
    assert client.headers.get("sec-websocket-protocol") == chosen


def test_headers_of_the_handler_go_out_with_the_101(served):
    client = served.connect("/flag?q=hello")
    assert client.status == 101
    assert client.headers["x-tour"] == "yes"
    assert client.headers["set-cookie"].startswith("seen=1")
    assert client.message() == "hello"


def test_a_handler_may_refuse(served):
    assert served.connect("/refused").status == 403
    assert served.http.get("/refused").status_code == 426
    assert served.connect("/status").status == 401


def test_a_handler_that_raises_is_a_500_without_its_text(served):
    client = served.connect("/broken")
    assert client.status == 500
    assert b"secret" not in client._unread


def test_middleware_runs_before_the_101(app, serve):
    user = contextvars.ContextVar("user", default="nobody")

    class Auth(SlimeMiddleware):
        def middle_before(self, req, resp):
            user.set(req.query.get("token", ""))
            if not user.get():
                resp.plain("who are you?", status=401)

    @app.websocket(path="/private", plugin=Auth())
    def private(req, resp):
        resp.on_message(lambda message: resp.send(user.get()))

    served = serve(app)
    assert served.connect("/private").status == 401
    client = served.connect("/private?token=ada")
    client.send("who am I?")
    assert client.message() == "ada"


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"subprotocols": "chat"}, r"use \['chat'\]"),
        ({"subprotocols": ["not a name"]}, "not a name"),
        ({"ping_interval": 0}, "ping_interval=0"),
        ({"max_message_size": -1}, "max_message_size=-1"),
        ({"deflate_level": 10}, "at most 9"),
        ({"pingg": 1}, "pingg"),
    ],
)
def test_options_that_will_not_do(app, options, said):
    with pytest.raises((TypeError, ValueError), match=said):
        app.websocket(path="/", **options)
    with pytest.raises(TypeError, match="ws='yes'"):
        app.route(path="/", ws="yes")


def test_a_websocket_decorator_without_parentheses_is_refused(app):
    def chat(req, resp):
        pass

    with pytest.raises(InvalidHandler, match=r"@app.websocket needs parentheses above .*chat"):
        app.websocket(chat)
