from slimeweb import Slime

app = Slime(__file__)


@app.route(path="/")
def count(req, resp):
    req.update_state("counter", req.get_state("counter") + 1)
    return resp.json({"counter": req.get_state("counter")})


if __name__ == "__main__":
    app.serve(app_state={"counter": 0})
