"""Runs an application as `__main__` in its own interpreter: `program.py main.py …` or `program.py -m shop.main …`.

It does what the interpreter itself would do, and two things more: the module is also known under its own name, so that
modules that import it get the one that runs, and an application that nobody has served by the end of the program is.

`slime` starts this file by its path, in an interpreter that may know nothing of slimeweb-cli: it needs nothing but the
standard library.
"""

import sys

if __name__ == "__main__" and not sys.flags.safe_path:
    # Python puts the folder of this file there, whose modules must not be mistaken for the application's.
    sys.path.pop(0)

import dis
import importlib.machinery
import importlib.util
import io
import os
import threading
from collections.abc import Iterator
from types import CodeType, FunctionType, ModuleType, TracebackType
from typing import Any, NoReturn


def main() -> int:
    """Run the program that `sys.argv` names; give the exit code of one that ended by itself."""
    sys.excepthook = show
    if sys.argv[1] == "-m":
        module, name, code = of_module(sys.argv[2])
        arguments = sys.argv[3:]
    else:
        module, name, code = of_file(os.path.abspath(sys.argv[1]))
        arguments = sys.argv[2:]
    file = str(module.__file__)
    sys.argv[:] = [file if sys.argv[1] == "-m" else sys.argv[1], *arguments]
    sys.modules["__main__"] = module
    if name not in sys.modules:
        sys.modules[name] = module
        package, _, child = name.rpartition(".")
        if package:
            setattr(sys.modules[package], child, module)
    exec(code, module.__dict__)
    return finish(module, code, arguments)


def of_file(path: str) -> tuple[ModuleType, str, CodeType]:
    """Give the module that runs a file, the name that others import it by, and its code."""
    if not sys.flags.safe_path:
        sys.path.insert(0, os.path.dirname(os.path.realpath(path)))
    try:
        with io.open_code(path) as file:
            source = file.read()
    except OSError as error:
        fail(f"{path} cannot be read: {error.strerror}", exit_code=2)
    loader = importlib.machinery.SourceFileLoader("__main__", path)
    module = ModuleType("__main__")
    module.__file__ = path
    module.__loader__ = loader
    module.__package__ = None
    return module, os.path.splitext(os.path.basename(path))[0], compile(source, path, "exec", dont_inherit=True)


def of_module(name: str) -> tuple[ModuleType, str, CodeType]:
    """Give the module that runs a dotted module, its name, and its code. A package is run by its `__main__`."""
    if not sys.flags.safe_path:
        sys.path.insert(0, os.getcwd())
    spec = importlib.util.find_spec(name)
    if spec is not None and spec.submodule_search_locations is not None:
        spec = importlib.util.find_spec(f"{name}.__main__")
    # Loaders of extension modules, and of namespace packages, have no code to give.
    load: Any = getattr(spec.loader, "get_code", None) if spec is not None else None
    code = load(spec.name) if spec is not None and load is not None else None
    if spec is None or code is None:
        fail(f"{name} is no module that can be run", exit_code=2)
    module = ModuleType("__main__")
    module.__file__ = spec.origin
    module.__loader__ = spec.loader
    module.__package__ = spec.parent
    module.__spec__ = spec
    return module, spec.name, code


def finish(module: ModuleType, code: CodeType, arguments: list[str]) -> int:
    """Serve the application of a program that has come to its end without doing so; give the exit code.

    A program that has no application, whose threads or child processes go on, or that has served one, is left alone.
    So is one with arguments that calls `serve()` in other cases. Everything else that serves nothing is a mistake, a
    function that would make an application, and that nothing calls, among it.
    """
    apps = applications(module)
    if any(app.was_served for app in apps.values()) or goes_on():
        return 0
    file = os.path.basename(str(module.__file__))
    if not apps:
        factory = uncalled(module, code)
        if factory is not None:
            fail(f"{file} has no application, since nothing calls its {factory.__name__}(): end it with{call(factory)}")
        return 0
    name, app = next(iter(apps.items()))
    advice = f'end it with\n    if __name__ == "__main__":\n        {name}.serve()'
    if "serve" in names(code):
        if arguments:
            return 0
        fail(
            f"{file} has ended without serving: it has a call of serve(), which was not reached. To serve, {advice}\n"
            "A program that is meant to end like this ends with sys.exit(0)"
        )
    if len(apps) > 1:
        fail(f"{file} has several applications ({', '.join(apps)}) and serves none of them: {advice}")
    if arguments:
        fail(
            f"{file} calls no serve(), so nothing reads the arguments {' '.join(arguments)}: settings are variables, "
            f"such as SLIME_PORT=8000, or {advice.replace('.serve()', '.serve(port=8000)')}"
        )
    say(f"{file} calls no serve(): serving its application {name!r}, with the settings of SLIME_* variables")
    app.serve()
    return 0


def applications(module: ModuleType) -> dict[str, Any]:
    """Give the applications among a module's names, each under the first name that it has."""
    slimeweb = sys.modules.get("slimeweb.app")
    if slimeweb is None:
        return {}
    found: dict[int, str] = {}
    for name, value in list(vars(module).items()):
        if isinstance(value, slimeweb.Slime):
            found.setdefault(id(value), name)
    return {name: getattr(module, name) for name in found.values()}


def uncalled(module: ModuleType, code: CodeType) -> FunctionType | None:
    """Give the first function of a module that makes an application, where none of them is used by what has run."""
    functions = {
        name: value
        for name, value in vars(module).items()
        if isinstance(value, FunctionType) and value.__module__ == module.__name__
    }
    makers = {name: function for name, function in functions.items() if "Slime" in names(function.__code__)}
    bodies = [function.__code__ for function in functions.values()]
    reached, unread = set[str](), [code]
    while unread:
        for name in used(unread.pop(), bodies):
            if name in functions and name not in reached:
                reached.add(name)
                unread.append(functions[name].__code__)
    return None if reached & makers.keys() else next(iter(makers.values()), None)


def call(factory: FunctionType) -> str:
    """Give the lines that call a function which makes an application, and serve that where the function does not."""
    code = factory.__code__
    required = code.co_argcount - len(factory.__defaults__ or ())
    called = f"{factory.__name__}({'…' if required > 0 else ''})"
    if "serve" in names(code):
        return f'\n    if __name__ == "__main__":\n        {called}'
    return f'\n    app = {called}\n    if __name__ == "__main__":\n        app.serve()'


def used(code: CodeType, bodies: list[CodeType]) -> Iterator[str]:
    """Give the names that some code reads, and that classes and the like in it read, but for function bodies."""
    for instruction in dis.get_instructions(code):
        value = instruction.argval
        if isinstance(value, CodeType) and not any(value is each for each in bodies):
            yield from used(value, bodies)
        elif instruction.opname.startswith("LOAD_") and isinstance(value, str):
            yield value


def goes_on() -> bool:
    """Say whether the program has threads or child processes that it waits for at its end."""
    if any(thread is not threading.main_thread() and not thread.daemon for thread in threading.enumerate()):
        return True
    multiprocessing = sys.modules.get("multiprocessing")
    return multiprocessing is not None and bool(multiprocessing.active_children())


def names(code: CodeType) -> Iterator[str]:
    """Give all names that some code and its functions use."""
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from names(constant)


def show(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """Print an exception that ended the program, as the interpreter does, without the frames of this file."""
    # Not `__file__`: from 3.13 on the interpreter has taken it away before it calls this.
    here = show.__code__.co_filename
    while trace is not None and trace.tb_frame.f_code.co_filename == here:
        trace = trace.tb_next
    if isinstance(error, ImportError) and error.name == "__main__":
        error.add_note(
            f"{error.path} is still being run here: make the application above the imports of modules that import it"
        )
    sys.__excepthook__(kind, error.with_traceback(trace), trace)


def say(text: str) -> None:
    print(f"slime: {text}", file=sys.stderr, flush=True)


def fail(text: str, exit_code: int = 1) -> NoReturn:
    say(text)
    raise SystemExit(exit_code)


if __name__ == "__main__":
    sys.exit(main())
