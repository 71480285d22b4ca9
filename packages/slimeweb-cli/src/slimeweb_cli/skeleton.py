"""The files of a new project."""

from __future__ import annotations

from importlib.metadata import version

__all__ = ["skeleton"]

MAIN = """\
from slimeweb import Slime

app = Slime(__file__)


@app.route(path="/", method="GET")
def home(req, resp):
    return resp.plain("Hello World from slime")


if __name__ == "__main__":
    app.serve(dev=True)
"""

PYPROJECT = """\
[project]
name = "{name}"
version = "0.1.0"
description = "A web application on slimeweb"
readme = "README.md"
requires-python = ">=3.11"
dependencies = ["slimeweb>={slimeweb}"]
"""

README = """\
# {name}

    slime run main      # without the GIL, on http://127.0.0.1:3000
    slime runw main     # the same, and again on every change

`slime add PACKAGE` adds a library, `slime rung main` runs with the GIL.
"""

GITIGNORE = """\
.venv/
__pycache__/
*.log
.env
"""


def skeleton(name: str, python: str) -> dict[str, str]:
    """Give the text of each file of a project, by its path. A path that ends in "/" is a folder.

    :param python: what .python-version pins, such as "3.14t".
    """
    return {
        "main.py": MAIN,
        "pyproject.toml": PYPROJECT.format(name=name, slimeweb=version("slimeweb-core")),
        "README.md": README.format(name=name),
        ".gitignore": GITIGNORE,
        ".python-version": f"{python}\n",
        "static/": "",
        "templates/": "",
    }
