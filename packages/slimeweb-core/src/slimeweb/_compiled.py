"""What an application becomes when it starts: immutable data that the server reads once."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from slimeweb._core import SlimeRequest, SlimeResponse
    from slimeweb._observers import SentResponse
    from slimeweb._resource_graph import ResourceGraph
    from slimeweb.body_filter import BodyFilter

__all__ = ["FILTER_LIMIT", "CompiledApp", "CompiledRoute", "StaticMount"]

FILTER_LIMIT = 64 * 1024
"""From how many bytes on a body is not filtered on an event loop's thread, where no filter has a `loop_limit`."""


@dataclass(frozen=True, slots=True)
class CompiledRoute:
    """One route, compiled: the handler inside of its middleware stack, and how to run it.

    `body_size` is in bytes. The coroutines of a route with `one_loop` run on the first worker's loop. The first
    `content_filters` of the `filters` change content, the others code it. Bodies of `filter_limit` bytes
    or more are not filtered on an event loop's thread.
    `refusal` answers where the body is not taken, so that the handler is not called; without it the server does.
    `wrong_method`, of the OPTIONS of a path, answers methods that the path does not have, with its middleware.
    `expecting` answers where the client waits with its body until it is asked for it (`Expect: 100-continue`): its
    endpoint waits for the body itself, once the middleware has let the request pass. Without it the body is there
    before the call. `on_head` is called just before status and headers go out. `made_by` names the plugins that have
    wrapped the handler, for what it returns and should not.
    """

    pattern: str
    methods: tuple[str, ...]
    endpoint: Callable[..., Any]
    is_async: bool
    body_size: int
    one_loop: bool = False
    stream_body: bool = False
    blocking: bool | None = None
    filters: tuple[BodyFilter, ...] = ()
    content_filters: int = 0
    filter_limit: int = FILTER_LIMIT
    refusal: CompiledRoute | None = None
    wrong_method: CompiledRoute | None = None
    expecting: CompiledRoute | None = None
    on_head: Callable[[SlimeRequest, SlimeResponse], None] | None = None
    made_by: str = ""


@dataclass(frozen=True, slots=True)
class StaticMount:
    """A directory whose files are served below a URL prefix, with further header fields."""

    prefix: str
    directory: str
    headers: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class CompiledApp:
    """An application as the server takes it."""

    routes: Sequence[CompiledRoute]
    mounts: Sequence[StaticMount]
    fallback: CompiledRoute | None
    files: CompiledRoute | None
    on_error: Callable[[SlimeRequest, SlimeResponse, BaseException, str], None]
    refuse_file: Callable[[SlimeRequest, SlimeResponse], None]
    on_exception: Callable[[BaseException, str, SlimeRequest | None], None] | None
    on_sent: Callable[[Sequence[SentResponse], int], None] | None
    request_members: Mapping[str, Callable[..., Any]]
    response_members: Mapping[str, Callable[..., Any]]
    resources: ResourceGraph
