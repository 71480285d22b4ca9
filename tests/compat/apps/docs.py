from slimeweb import BodySchema, QuerySchema, Slime, SlimeResponseType, SlimeSchema

app = Slime(__file__)


class SubItem:
    is_item: bool
    how_long: int


class User:
    name: str
    age: float
    sub: dict[str, SubItem]


@app.docs(
    title="just checking",
    description="Simple landing page",
    response_type=SlimeResponseType.PlainResponse,
    schema=SlimeSchema(body=BodySchema(schema_name=User), query=[QuerySchema(name="name", type=str)]),
)
@app.route("/", method=["GET", "POST"])
def land(req, resp):
    print(req.header)
    if req.method == "GET":
        resp.plain("hello" * 3000)
    else:
        resp.json({"status": "ok"})


if __name__ == "__main__":
    app.serve(dev=True)
