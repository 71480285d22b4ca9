"""asgi_app.py, carried by slimeweb."""

import os

from asgi_app import app as carried

from slimeweb import Slime

app = Slime(__file__)
app.mount("", asgi=carried)

if __name__ == "__main__":
    app.serve(port=int(os.environ["PORT"]), workers=int(os.environ["WORKERS"]))
