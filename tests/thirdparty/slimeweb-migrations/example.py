"""Users in a database that migrations make."""

import sqlite3

from slimeweb import Slime

app = Slime(__file__)


@app.start()
def start():
    # Migrations are done by now.
    with sqlite3.connect(app.root / app.serve_options["database"]) as connection:
        connection.execute("INSERT INTO users (name) VALUES ('Ada')")
    connection.close()


@app.route(path="/users")
def users(req, resp):
    connection = sqlite3.connect(app.root / app.serve_options["database"])
    try:
        return [list(row) for row in connection.execute("SELECT name, mail FROM users")]
    finally:
        connection.close()


if __name__ == "__main__":
    app.serve()
