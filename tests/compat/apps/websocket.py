from slimeweb import Slime

app = Slime(__file__)


@app.websocket(path="/chat", method="GET")
def chatty(req, resp):
    def read_me(msg):
        if not resp.is_closed():
            resp.send(msg)

    def close_me():
        print("Connection closed")

    def error_me(err):
        print("Got Error: ", err)

    resp.on_message(read_me)
    resp.on_close(close_me)
    resp.on_error(error_me)


if __name__ == "__main__":
    app.serve()
