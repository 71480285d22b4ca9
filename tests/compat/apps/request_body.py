from slimeweb import Slime

app = Slime(__file__)


@app.route(path="/test", method="POST")
def hello(req, resp):
    print("query", req.query)
    print("params", req.params)
    print("body", req.body)
    print("json", req.json)
    print("form", req.form)
    print("text", req.text)
    print("bytes", req.bytes)
    print("file", req.file)
    return resp.json({"status": "ok"})


@app.route(path="/large", method="POST", body_size=1024 * 1024 * 30)
def large(req, resp):
    return resp.json({"size": len(req.body)})


if __name__ == "__main__":
    app.serve()
