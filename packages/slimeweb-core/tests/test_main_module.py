"""Programs whose modules import the file that runs: one application, or an error that says why there are two."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

VIEWS = "from {} import app\n@app.route('/view')\ndef view(req, resp):\n    return 'view'\n"
# Ends by itself once it serves.
SERVE = (
    "@app.start()\ndef stop():\n"
    "    print('routes', [route.path for route in app.routes], flush=True)\n    app.shutdown()\n"
    "if __name__ == '__main__':\n    app.serve(host='127.0.0.1', port=0, workers=1)\n"
)
HEAD = "from slimeweb import Slime\napp = Slime(__file__)\n"
HOME = "@app.route('/')\ndef home(req, resp):\n    return 'home'\n"


def run(folder: Path, files: Mapping[str, str], arguments: Sequence[str]) -> subprocess.CompletedProcess[str]:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    kept = {name: value for name, value in os.environ.items() if not name.startswith("SLIME_")}
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=folder,
        env={**kept, "PYTHONPATH": str(folder)},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )


@pytest.mark.parametrize(
    ("arguments", "files"),
    [
        (["main.py"], {"main.py": f"{HEAD}import views\n{HOME}{SERVE}", "views.py": VIEWS.format("main")}),
        (
            ["-m", "shop.main"],
            {
                "shop/__init__.py": "",
                "shop/main.py": f"{HEAD}import shop.views\n{HOME}{SERVE}",
                "shop/views.py": VIEWS.format("shop.main"),
            },
        ),
        (
            ["-m", "shop.main"],
            {
                "shop/__init__.py": "",
                "shop/main.py": f"{HEAD}import shop.views\n{HOME}{SERVE}",
                "shop/views.py": VIEWS.format("shop.main").replace(
                    "from shop.main import app", "import shop.main\napp = shop.main.app"
                ),
            },
        ),
    ],
)
def test_a_module_that_imports_the_running_one_has_its_application(
    tmp_path: Path, arguments: list[str], files: dict[str, str]
) -> None:
    done = run(tmp_path, files, arguments)
    assert "routes ['/view', '/']" in done.stdout, done.stderr
    assert done.returncode == 0


@pytest.mark.parametrize(
    ("arguments", "files", "advice"),
    [
        # Made below the import.
        (["main.py"], {"main.py": f"import views\n{HEAD}{HOME}{SERVE}", "views.py": VIEWS.format("main")}, "make the"),
        # Imported by another name than the file's own.
        (
            ["shop/main.py"],
            {"shop/main.py": f"{HEAD}import views\n{HOME}{SERVE}", "shop/views.py": VIEWS.format("shop.main")},
            "run it by `python -m shop.main`, or make the",
        ),
    ],
)
def test_routes_of_an_application_that_is_not_served_are_an_error(
    tmp_path: Path, arguments: list[str], files: dict[str, str], advice: str
) -> None:
    done = run(tmp_path, files, arguments)
    assert done.returncode == 1
    assert "routes" not in done.stdout
    error = done.stderr.splitlines()[-1]
    assert error.startswith(f"slimeweb.errors.ConfigError: {tmp_path / arguments[0]} was run a second time"), (
        done.stderr
    )
    assert "GET /view (views.view (" in error or "GET /view (shop.views.view (" in error
    assert f"is declared on the one that is not served: {advice}" in error


def test_two_applications_that_lose_no_route_are_a_line_in_the_log(tmp_path: Path) -> None:
    files = {"main.py": f"import tools\n{HEAD}{HOME}{SERVE}", "tools.py": "import main\n"}
    done = run(tmp_path, files, ["main.py"])
    assert done.returncode == 0
    (line,) = [line for line in done.stderr.splitlines() if "WARNING" in line]
    assert "was run a second time, by an import of 'main'" in line


def test_a_module_that_makes_its_application_under_two_names_is_told_so(tmp_path: Path) -> None:
    files = {
        "main.py": f"import sys\nsys.path.append('shop')\nfrom shop.web import app\nimport shop.views\n{SERVE}",
        "shop/web.py": HEAD + HOME,
        "shop/views.py": VIEWS.format("web"),
    }
    done = run(tmp_path, files, ["main.py"])
    assert done.returncode == 1, done.stdout
    error = done.stderr.splitlines()[-1]
    assert f"ConfigError: {tmp_path / 'shop/web.py'} was run a second time, by an import of 'web'" in error
    assert "GET /view (shop.views.view (" in error
    assert "import it by one name everywhere, not by 'shop.web' and 'web'" in error


def test_two_applications_of_one_module_are_no_second_run(tmp_path: Path) -> None:
    files = {"main.py": f"{HEAD}{HOME}other = Slime(__file__)\nother.route('/other')(home)\n{SERVE}"}
    done = run(tmp_path, files, ["main.py"])
    assert (done.returncode, done.stdout) == (0, "routes ['/']\n"), done.stderr
    assert "second time" not in done.stderr


@pytest.mark.parametrize("name", ["json", "my-app"])
def test_a_file_whose_name_is_taken_or_none_is_left_alone(tmp_path: Path, name: str) -> None:
    (tmp_path / "elsewhere").mkdir()
    files = {f"elsewhere/{name}.py": f"import json\n{HEAD}{HOME}print(json.dumps([]))\n{SERVE}"}
    done = run(tmp_path, files, ["-P", f"elsewhere/{name}.py"])
    assert done.returncode == 0, done.stderr
    assert done.stdout == "[]\nroutes ['/']\n"
