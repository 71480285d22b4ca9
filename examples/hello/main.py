"""The smallest slimeweb application: `python main.py`, or `slime run main`, then open http://127.0.0.1:3000/."""

from slimeweb import Slime, SlimeRequest, SlimeResponse

app = Slime(__file__)


@app.route(path="/", method="GET")
def home(req: SlimeRequest, resp: SlimeResponse) -> SlimeResponse:
    return resp.plain("Hello World from slime")


@app.end()
def end(error: BaseException | None) -> None:
    print("hello has ended")


if __name__ == "__main__":
    app.serve()
