"""The resources of an application, and which of them need which: checked once, when it starts."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any

from slimeweb.errors import ConfigError
from slimeweb.handlers import describe
from slimeweb.resources import SCOPES, Resource, ResourceKey, Scope, asked_by
from slimeweb.spelling import suggestion

__all__ = ["ResourceGraph"]

_LIVES = {"app": "as long as the application", "worker": "as long as a worker", "request": "for a request"}


class ResourceGraph:
    """All resources, in an order in which they can be made. `ConfigError` naming both where there is none."""

    def __init__(self, resources: Iterable[tuple[str, Resource]]) -> None:
        """`resources` come with the words that say whose they are, empty for the application's own."""
        self._resources: dict[str, Resource] = {}
        for owner, each in resources:
            other = self._resources.setdefault(each.name, each)
            if other is not each and other != each:
                raise ConfigError(
                    f"two resources are named {each.name!r}: {other}, and {each}{owner and f' of {owner}'}"
                )
        self._replaced: dict[str, Resource] = {}
        """What others have taken the place of, by name."""
        self._names: dict[Callable[..., Any], str] = {}
        for each in self._resources.values():
            self._names.setdefault(each.function, each.name)
        self._order = self._sorted(self._resources)

    @property
    def names(self) -> Mapping[Callable[..., Any], str]:
        """The name of each resource by its function."""
        return self._names

    def __bool__(self) -> bool:
        return bool(self._resources)

    def of_scope(self, scope: Scope) -> tuple[Resource, ...]:
        """All of one scope, in the order in which they are made."""
        return tuple(each for each in self._order if each.scope == scope)

    def requests(self, keys: Iterable[ResourceKey], asker: str) -> tuple[Resource, ...]:
        """The request resources that are made where these are listed, in the order in which they are made.
        `ConfigError` naming the `asker` for one that there is not.
        """
        listed = [self._find(key, asker) for key in keys]
        return tuple(each for each in self._sorted({each.name: each for each in listed}) if each.scope == "request")

    def needed(self, name: str) -> tuple[Resource, ...]:
        """A resource and all that it takes, of every scope, in the order in which they are made."""
        return self._sorted({name: self._resources[name]})

    def check_function(self, function: Callable[..., Any], asker: str) -> tuple[str, ...]:
        """The names of the resources that a function takes which no request calls. `ConfigError` for others."""
        takes = asked_by(function, asker)
        for name in takes:
            found = None if name == "app" else self._find(name, f"{asker} {describe(function)}")
            if found is not None and found.scope == "request":
                raise ConfigError(
                    f"{asker} {describe(function)} takes {found}, which lives for a request: use app.scope()"
                )
        return takes

    def replaced(self, others: Mapping[ResourceKey, object]) -> ResourceGraph:
        """The same with other values for some: a `Resource` stands for what its function makes. Each lives as long as
        the one whose place it takes. `ConfigError` for one that there is not.
        """
        if not others:
            return self
        asker = "TestClient(resources=…)"
        named: dict[str, object] = {}
        for key, value in others.items():
            name = self.known(key, asker).name
            if name in named:
                raise ConfigError(f"{asker} gives the resource {name!r} twice: by its name and by its function")
            named[name] = value

        def other(each: Resource) -> Resource:
            if each.name not in named:
                return each
            value = named[each.name]
            if not isinstance(value, Resource):
                return replace(each, function=lambda: value)
            # `resource` makes it one of a worker where nothing is said.
            if value.scope not in ("worker", each.scope):
                raise ConfigError(
                    f"{asker}: {value} of scope={value.scope!r} cannot take the place of the {each.scope} resource "
                    f"{each}: leave out scope="
                )
            return replace(each, function=value.function)

        graph = ResourceGraph(("", other(each)) for each in self._resources.values())
        # The functions that have been replaced are the keys still.
        graph._names = {**graph._names, **self._names}
        graph._replaced = {name: self._resources[name] for name in named}
        return graph

    def _find(self, key: ResourceKey, asker: str) -> Resource:
        if isinstance(key, Resource):
            found = self._resources.setdefault(key.name, key)
            if found != key and self._replaced.get(key.name) != key:
                raise ConfigError(f"{asker} lists {key}, and another resource has that name: {found}")
            self._names.setdefault(key.function, key.name)
            return found
        return self.known(key, asker)

    def known(self, key: ResourceKey, asker: str) -> Resource:
        """What has been declared. `ConfigError` naming the `asker` for what has not."""
        if isinstance(key, Resource):
            key = key.name
        name = key if isinstance(key, str) else self._names.get(key)
        if name is None or name not in self._resources:
            what = describe(key) if name is None else f"the resource {name!r}"
            advice = "declare it with @app.resource()" if name is None else suggestion(name, sorted(self._resources))
            raise ConfigError(f"{asker} asks for {what}, which there is not: {advice}")
        return self._resources[name]

    def _sorted(self, wanted: Mapping[str, Resource]) -> tuple[Resource, ...]:
        """Those and all that they take, each after what it takes."""
        done: dict[str, Resource] = {}
        path: list[Resource] = []

        def visit(each: Resource) -> None:
            if each.name in done:
                return
            if each in path:
                names = " -> ".join(str(one) for one in (*path[path.index(each) :], each))
                raise ConfigError(f"resources need each other, so that none can be the first: {names}")
            path.append(each)
            for name in each.takes:
                self._check_narrower(each, name)
                if name in self._resources:
                    visit(self._resources[name])
            path.pop()
            done[each.name] = each

        for each in wanted.values():
            visit(each)
        return tuple(done.values())

    def _check_narrower(self, each: Resource, name: str) -> None:
        """`ConfigError` where a resource takes what is not there as long as it lives."""
        if name == "app":
            return
        if name in ("req", "resp"):
            if each.scope != "request":
                raise ConfigError(f"the {each.scope} resource {each} takes {name!r}, which lives for a request")
            return
        found = self._find(name, f"the resource {each}")
        if SCOPES.index(found.scope) > SCOPES.index(each.scope):
            raise ConfigError(
                f"the {each.scope} resource {each} takes {found}, which lives {_LIVES[found.scope]} only: "
                f"make {found.name!r} a resource of scope={each.scope!r}, or {each.name!r} one of scope={found.scope!r}"
            )
