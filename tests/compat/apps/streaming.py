from slimeweb import Slime

app = Slime(__file__)


@app.route(path="/stream", method="GET", stream="text/plain")
def stream_me(req, resp):
    resp.start_stream()
    for i in range(5):
        resp.send(i)
    resp.close()


# OR you can use @app.stream
@app.stream(path="/stream/too", method="GET", content="text/plain")
def stream_me_too(req, resp):
    resp.set_header("X-Before", "start")
    resp.start_stream()
    for i in range(5):
        resp.send(i)
    resp.close()


if __name__ == "__main__":
    app.serve()
