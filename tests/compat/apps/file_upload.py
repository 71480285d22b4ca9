from slimeweb import Slime

app = Slime(__file__)


@app.route(path="/test", method="POST")
def hello(req, resp):
    file = req.file[0]  # use can upload multiple files
    print(file.filename)
    print(file.content_type)
    print(file.file_path)
    print(file.file_size)
    print(file.extension)
    file.save(f"testing_file.{file.extension}")
    return resp.json({"status": "ok"})


if __name__ == "__main__":
    app.serve()
