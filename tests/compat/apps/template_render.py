from slimeweb import Slime

app = Slime(__file__)


@app.route(path="/", method="GET")
def land(req, resp):
    html = req.render("hello.html", name="abilash", slimeVersion="0.0.1")
    return resp.html(html)


@app.route(path="/logic", method="GET")
def logic(req, resp):
    return resp.html(req.render("logic.html", {"user": req.query.get("user"), "items": ["a", "b"]}))


if __name__ == "__main__":
    app.serve()
