from slimeweb import Slime

app = Slime(__file__)


@app.route(path="/", method=["GET", "POST"])
def index(req, resp):
    if req.method == "GET":
        return resp.plain("Hello from Slime")
    return resp.json({"status": "ok", "message": "Hello from Slime"})


if __name__ == "__main__":
    app.serve()
