"""Applications of several files, and programs that do not serve: what `slime run` makes of them, as processes."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest

SLIME = [sys.executable, "-m", "slimeweb_cli"]
HEAD = "from slimeweb import Slime\napp = Slime(__file__)\n"
SERVE = 'if __name__ == "__main__":\n    app.serve()\n'
HOME = '@app.route("/")\ndef home(req, resp):\n    return "home"\n'


def write(folder: Path, files: Mapping[str, str]) -> None:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, "utf-8")


def environment() -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("SLIME_")}
    return {**kept, "SLIME_HOST": "127.0.0.1", "SLIME_PORT": "0", "SLIME_WORKER": "1", "PYTHONUNBUFFERED": "1"}


def ended(*command: str, cwd: Path) -> tuple[int, str]:
    done = subprocess.run(
        [*SLIME, *command], cwd=cwd, env=environment(), capture_output=True, text=True, timeout=100, check=False
    )
    # The line that this Python has the GIL is no matter here.
    return done.returncode, re.sub(r"slime: Python .* with the GIL: .*\n", "", done.stderr)


class Running:
    """A command that serves: its output, and answers of the server that it started last."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self.lines: list[str] = []
        self.port = 0

    def read_until(self, text: str) -> str:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.append(line)
            if text in line:
                return line
        raise AssertionError(f"{text!r} never came: {''.join(self.lines)}")

    def wait_until_serving(self) -> Running:
        found = re.search(r"serving on http://127\.0\.0\.1:(\d+)", self.read_until("serving on http"))
        assert found is not None
        self.port = int(found[1])
        return self

    def get(self, path: str) -> str:
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=60) as answer:
            return str(answer.read().decode())

    def stop(self) -> int:
        self.process.terminate()
        return self.process.wait(60)


Started = Callable[..., AbstractContextManager[Running]]


@pytest.fixture(name="started")
def running(started: Callable[..., AbstractContextManager[subprocess.Popen[str]]]) -> Started:
    @contextmanager
    def start(*command: str, cwd: Path) -> Iterator[Running]:
        with started(*command, cwd=cwd, env=environment()) as process:
            yield Running(process)

    return start


def views(module: str) -> str:
    return f'from {module} import app\n@app.route("/view")\ndef view(req, resp):\n    return __name__\n'


@pytest.mark.parametrize(
    ("command", "files"),
    [
        (("rung", "main"), {"main.py": f"{HEAD}import views\n{HOME}{SERVE}", "views.py": views("main")}),
        (("run", "web/main"), {"web/main.py": f"{HEAD}import views\n{HOME}{SERVE}", "web/views.py": views("main")}),
        (
            ("run", "shop.main"),
            {
                "shop/__init__.py": "",
                "shop/main.py": f"{HEAD}from . import views\n{HOME}{SERVE}",
                "shop/views.py": views(".main"),
            },
        ),
        (
            ("run", "shop"),
            {
                "shop/__init__.py": "",
                "shop/__main__.py": f"{HEAD}import shop.views\n{HOME}{SERVE}",
                "shop/views.py": views("shop.__main__"),
            },
        ),
        # No call of serve(): it is the application of the program, wherever that was made.
        (
            ("run", "main"),
            {
                "main.py": "from factory import make\napp = make()\nimport views\n",
                "factory.py": "from slimeweb import Slime\ndef make():\n    app = Slime(__file__)\n"
                "    app.route('/')(lambda req, resp: 'home')\n    return app\n",
                "views.py": views("main"),
            },
        ),
    ],
    ids=["file", "file in a folder", "module", "package", "factory"],
)
def test_modules_that_import_the_program_have_its_application(
    tmp_path: Path, started: Started, command: tuple[str, ...], files: dict[str, str]
) -> None:
    write(tmp_path, files)
    with started(*command, cwd=tmp_path) as running:
        running.wait_until_serving()
        assert running.get("/") == "home"
        assert running.get("/view").endswith("views")
        assert running.stop() == 0


def test_a_watched_program_of_several_files_starts_anew_with_its_application(tmp_path: Path, started: Started) -> None:
    write(tmp_path, {"main.py": f"{HEAD}import views\n{HOME}{SERVE}", "views.py": views("main")})
    with started("rungw", "main", cwd=tmp_path) as running:
        running.wait_until_serving()
        assert running.get("/view") == "views"
        write(tmp_path, {"views.py": views("main").replace("__name__", "'changed'")})
        running.read_until("views.py changed: starting anew")
        assert running.wait_until_serving().get("/view") == "changed"
        assert running.stop() == 0


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_processes_of_a_program_find_its_functions(tmp_path: Path, started: Started, method: str) -> None:
    write(
        tmp_path,
        {
            "main.py": f"import multiprocessing, os\n{HEAD}import views\n"
            "def work(queue):\n    queue.put(os.getppid())\n"
            f'@app.route("/")\ndef home(req, resp):\n    context = multiprocessing.get_context("{method}")\n'
            "    queue = context.SimpleQueue()\n    child = context.Process(target=work, args=(queue,))\n"
            f"    child.start()\n    child.join()\n    return str(queue.get() == os.getpid())\n{SERVE}",
            "views.py": views("main"),
        },
    )
    with started("rung", "main", cwd=tmp_path) as running:
        running.wait_until_serving()
        assert running.get("/") == "True"
        assert running.get("/view") == "views"
        assert running.stop() == 0


@pytest.mark.parametrize("command", ["run", "rungw"])
def test_an_application_without_a_call_of_serve_is_served(tmp_path: Path, started: Started, command: str) -> None:
    write(tmp_path, {"main.py": f"{HEAD}{HOME}"})
    with started(command, "main", cwd=tmp_path) as running:
        line = running.read_until("calls no serve()")
        assert line.startswith("slime: main.py calls no serve(): serving its application 'app'")
        assert running.wait_until_serving().get("/") == "home"
        assert running.stop() == 0


@pytest.mark.parametrize(
    ("source", "arguments", "said"),
    [
        (f"{HEAD}admin = Slime(__file__)\n", (), "several applications (app, admin) and serves none of them"),
        (f"{HEAD}def main():\n    app.serve()\n", (), "a call of serve(), which was not reached"),
        (HEAD, ("--port", "8000"), "nothing reads the arguments --port 8000"),
    ],
)
def test_a_program_that_ends_without_serving_is_told_what_to_type(
    tmp_path: Path, source: str, arguments: tuple[str, ...], said: str
) -> None:
    write(tmp_path, {"main.py": source})
    code, output = ended("run", "main", *arguments, cwd=tmp_path)
    assert code == 1
    assert output.startswith("slime: main.py ")
    assert said in output
    assert '    if __name__ == "__main__":\n        app.serve(' in output


FACTORY = "from slimeweb import Slime\n\ndef create_app({}):\n    app = Slime(__file__)\n    return app\n"


@pytest.mark.parametrize(
    ("source", "advice"),
    [
        (FACTORY.format(""), ["app = create_app()", 'if __name__ == "__main__":', "    app.serve()"]),
        (FACTORY.format("settings"), ["app = create_app(…)", 'if __name__ == "__main__":', "    app.serve()"]),
        (FACTORY.format("") + 'if __name__ == "main":\n    pass\n', ["app = create_app()"]),
        (
            "import slimeweb\n\ndef create_app() -> slimeweb.Slime:\n    return slimeweb.Slime(__file__)\n",
            ["app = create_app()"],
        ),
        ("def create_app():\n    from slimeweb import Slime\n    return Slime(__file__)\n", ["app = create_app()"]),
        (
            "from slimeweb import Slime\n\ndef main():\n    Slime(__file__).serve()\n",
            ['if __name__ == "__main__":', "    main()"],
        ),
        (FACTORY.format("") + "def main():\n    create_app().serve()\n", ["app = create_app()"]),
    ],
    ids=["factory", "with an argument", "a guard that is wrong", "attribute", "import inside", "main", "two"],
)
def test_a_program_whose_application_nobody_makes_is_told_what_to_type(
    tmp_path: Path, source: str, advice: list[str]
) -> None:
    write(tmp_path, {"main.py": source})
    code, output = ended("run", "main", cwd=tmp_path)
    assert code == 1
    assert output.startswith("slime: main.py has no application, since nothing calls its ")
    assert "".join(f"\n    {line}" for line in advice) in output


@pytest.mark.parametrize(
    ("source", "arguments"),
    [
        ("", ()),
        ("def create_app():\n    return None\n", ()),
        (f"{FACTORY.format('')}\ndef check():\n    assert create_app()\n\ncheck()\n", ()),
        (f"{FACTORY.format('')}\ncheck = lambda: create_app()\ncheck()\n", ()),
        ("import slimeweb\n", ()),
        (f"import sys\n{HEAD}sys.exit(0)\n", ()),
        (f"import sys\n{HEAD}if sys.argv[1] == 'migrate':\n    pass\nelse:\n    app.serve()\n", ("migrate",)),
        (f"{HEAD}from slimeweb.testing import TestClient\nwith TestClient(app):\n    pass\n", ()),
        (f"import threading, time\n{HEAD}threading.Thread(target=time.sleep, args=(1,)).start()\n", ()),
        (f"{HEAD}import threading\nthreading.Timer(1, app.shutdown).start()\napp.serve()\n", ()),
    ],
    ids=[
        "empty",
        "another factory",
        "called",
        "called by a lambda",
        "no application",
        "sys.exit",
        "another use",
        "test client",
        "thread",
        "served",
    ],
)
def test_a_program_that_is_none_to_serve_is_left_alone(tmp_path: Path, source: str, arguments: tuple[str, ...]) -> None:
    write(tmp_path, {"main.py": source})
    code, output = ended("run", "main", *arguments, cwd=tmp_path)
    assert code == 0
    assert "slime: main.py" not in output


@pytest.mark.parametrize("code", [0, 7])
def test_the_watcher_waits_for_a_change_however_the_program_ended(tmp_path: Path, started: Started, code: int) -> None:
    write(tmp_path, {"main.py": f"raise SystemExit({code})\n"})
    with started("rungw", "main", cwd=tmp_path) as running:
        line = running.read_until("waiting for a change")
        assert (
            line == f"slime: the application ended{f' with exit code {code}' if code else ''}: waiting for a change\n"
        )
        write(tmp_path, {"main.py": f"{HEAD}{HOME}{SERVE}"})
        assert running.wait_until_serving().get("/") == "home"
        assert running.stop() == 0


def test_an_application_made_below_the_import_of_its_users_is_told_where_it_goes(tmp_path: Path) -> None:
    write(tmp_path, {"main.py": f"import views\n{HEAD}{SERVE}", "views.py": views("main")})
    code, output = ended("run", "main", cwd=tmp_path)
    assert code == 1
    assert "ImportError: cannot import name 'app'" in output
    assert output.endswith("make the application above the imports of modules that import it\n")


@pytest.mark.parametrize(
    ("source", "last"),
    [
        ("def f():\n    raise ValueError('no')\nf()\n", "ValueError: no"),
        ("def broken(:\n", "SyntaxError: invalid syntax"),
        ("import nowhere\n", "ModuleNotFoundError: No module named 'nowhere'"),
    ],
)
def test_a_traceback_is_that_of_the_program_alone(tmp_path: Path, source: str, last: str) -> None:
    write(tmp_path, {"grüße.py": source})
    code, output = ended("run", "grüße", cwd=tmp_path)
    assert code == 1
    assert output.splitlines()[-1] == last
    files = re.findall(r'File "(.*?)"', output)
    assert set(files) == {str(tmp_path / "grüße.py")}


def test_a_program_sees_what_python_itself_would_show_it(tmp_path: Path) -> None:
    show = (
        "import sys\nprint(sys.argv, sys.path[0], __file__, __package__, __spec__ and __spec__.name, __name__,"
        " __doc__, sys.modules['__main__'].sys is sys)\n"
    )
    write(tmp_path, {"main.py": f'"""Shows."""\n{show}', "shop/__init__.py": "", "shop/main.py": show})
    for name, python in (("main", ["main.py"]), ("shop/main", ["shop/main.py"]), ("shop.main", ["-m", "shop.main"])):
        outputs = [
            subprocess.run(
                [*command, "x"], cwd=tmp_path, capture_output=True, text=True, timeout=100, check=True
            ).stdout
            for command in ([sys.executable, *python], [*SLIME, "rung", name])
        ]
        assert outputs[0] == outputs[1]


def test_a_program_may_have_the_name_of_a_module_of_the_command(tmp_path: Path) -> None:
    write(tmp_path, {"main.py": "import watch, uv\nprint(watch.here, uv.here)\n"})
    write(tmp_path, {"watch.py": "here = 1\n", "uv.py": "here = 2\n"})
    done = subprocess.run(
        [*SLIME, "rung", "main"], cwd=tmp_path, capture_output=True, text=True, timeout=100, check=True
    )
    assert done.stdout == "1 2\n"
