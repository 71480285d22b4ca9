import asyncio

from slimeweb import Slime

app = Slime(__file__)


@app.start()
async def start_app():
    await asyncio.sleep(0)
    print("app has been started")


@app.route(path="/")
async def home(req, resp):
    return resp.plain("alive")


if __name__ == "__main__":
    app.serve()
