"""Handlers, as users write them: whether one is sync or async, what it can be called with, and what it is called in
messages.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

from slimeweb.errors import InvalidHandler

__all__ = [
    "Handler",
    "check_handler",
    "check_parentheses",
    "describe",
    "is_coroutine_function",
    "signature_of",
]

Handler = Callable[..., Any]
"""What answers a request: a plain function or a coroutine function of `(req, resp)`."""


def is_coroutine_function(function: Handler) -> bool:
    """Whether calling it gives a coroutine: an `async def`, a partial of one, or an object whose `__call__` is one."""
    if inspect.iscoroutinefunction(function):
        return True
    # A class's own __call__ is what makes its instances callable, not what calling the class does.
    return not inspect.isclass(function) and inspect.iscoroutinefunction(getattr(function, "__call__", None))  # noqa: B004


def _is_generator_function(function: object) -> bool:
    """Whether calling it gives a generator, plain or asynchronous: whether it has a `yield`."""
    return inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function)


def is_generator_function(function: Handler) -> bool:
    """Whether calling it gives a generator, as far as it can be told: a plain `def` with a `yield`, a partial of one,
    an object whose `__call__` is one, or what a decorator has made of one with `functools.wraps`.
    """
    return any(map(inspect.isgeneratorfunction, _forms(function)))


def is_async_generator_function(function: Handler) -> bool:
    """As `is_generator_function`, for an `async def` with a `yield`."""
    return any(map(inspect.isasyncgenfunction, _forms(function)))


def _forms(function: Handler) -> tuple[Any, ...]:
    call = None if inspect.isclass(function) else getattr(function, "__call__", None)  # noqa: B004
    return function, inspect.unwrap(function), call


def signature_of(handler: Handler) -> inspect.Signature:
    """A handler's own signature, annotations as they are written: not that of a function that it is wrapped around
    (`functools.wraps`), which it may call with other arguments. `ValueError` for some built-in callables, which have
    none.
    """
    return inspect.signature(handler, follow_wrapped=False)


def misfit(handler: Handler, role: str) -> str:
    """What is said of a handler that does not take `(req, resp)`."""
    return f"{_wanted(role, ('req', 'resp'))}; {describe(handler)} takes {signature_of(handler)}"


def check_callable(handler: object, role: str, arguments: tuple[str, ...] = ("req", "resp")) -> None:
    """`InvalidHandler` unless `handler` can be called, with whatever arguments, and is no class."""
    wanted = _wanted(role, arguments)
    if not callable(handler):
        raise InvalidHandler(f"{wanted}, not {handler!r}")
    if isinstance(handler, type):
        raise InvalidHandler(f"{wanted}, not the class {describe(handler)}: give one of its methods, or an instance")


def check_handler(
    handler: object, role: str, arguments: tuple[str, ...] = ("req", "resp"), *, generators: bool = False
) -> None:
    """`InvalidHandler` unless `handler` can be called with these positional arguments, and returns its answer: is no
    generator, unless `generators` may be.
    """
    check_callable(handler, role, arguments)
    assert callable(handler)
    wanted = _wanted(role, arguments)
    called = handler if inspect.isroutine(handler) else getattr(handler, "__call__")  # noqa: B004, B009
    if not generators and any(map(_is_generator_function, (handler, called))):
        raise InvalidHandler(
            f"{wanted} that returns its answer; {describe(handler)} is a generator: return resp.stream(…) of one"
        )
    try:
        signature = signature_of(handler)
    except ValueError:
        # Some built-in callables have no signature; a wrong one fails when it is called.
        return
    try:
        signature.bind(*arguments)
    except TypeError as error:
        raise InvalidHandler(f"{wanted}; {describe(handler)} takes {signature}") from error


def check_generator(function: object, role: str) -> None:
    """`InvalidHandler` unless `function` can be called with `(req, resp)`, and has a `yield`."""
    check_handler(function, role, generators=True)
    assert callable(function)
    if not (is_generator_function(function) or is_async_generator_function(function)):
        raise InvalidHandler(
            f"{role} needs a generator function; {describe(function)} has no yield: write yield once, between what "
            "runs before the handler and what runs after it"
        )


def check_parentheses(decorator: str, given: object, example: str) -> None:
    """`InvalidHandler` when a decorator was given the function itself, since its parentheses were forgotten.

    `given` is its first argument, which is never a function; `example` is what to type. What a decorator without
    parentheses returns takes the function's place and declares nothing.
    """
    if callable(given) and not (isinstance(given, type) and issubclass(given, BaseException)):
        raise InvalidHandler(f"@{decorator} needs parentheses above {describe(given)}: write @{example}")


def _wanted(role: str, arguments: tuple[str, ...]) -> str:
    count = ("no", "one", "two", "three")[len(arguments)]
    plural = "" if len(arguments) == 1 else "s"
    return f"{role} needs a function of {count} argument{plural} ({', '.join(arguments)})"


def describe(function: object) -> str:
    """A handler's name and where it is defined, for messages: `main.home (main.py:12)`."""
    function = inspect.unwrap(function) if callable(function) else function
    function = getattr(function, "func", function)
    module, name = getattr(function, "__module__", None), getattr(function, "__qualname__", None)
    if name is None:
        return repr(function)
    code = getattr(function, "__code__", None)
    place = f" ({code.co_filename}:{code.co_firstlineno})" if code is not None else ""
    return f"{module}.{name}{place}" if module else f"{name}{place}"
