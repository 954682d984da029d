"""Moves requests from one server to another on every gateway, while both of them run."""

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import wraps
from typing import ParamSpec, TypeVar

from xgen_deploy.apply.place import HostAtWork
from xgen_deploy.errors import XgenError
from xgen_deploy.gateway.apply import door_runtime, open_door
from xgen_deploy.gateway.demand import is_door, python_on
from xgen_deploy.gateway.plan import routes_for
from xgen_deploy.gateway.routes import server_name
from xgen_deploy.gateway.runtime import Runtime
from xgen_deploy.gateway.serving import Serving
from xgen_deploy.manifest.placement import Site
from xgen_deploy.record import Record

_UP = 30.0


_P = ParamSpec("_P")
_R = TypeVar("_R")


def _of_doors(call: Callable[_P, _R]) -> Callable[_P, _R]:
    """One error for whatever keeps a gateway from moving requests."""

    @wraps(call)
    def safe(*args: _P.args, **kwargs: _P.kwargs) -> _R:
        try:
            return call(*args, **kwargs)
        except XgenError as error:
            raise NotMoved(f"the gateway could not be told: {error}") from None

    return safe


class NotMoved(XgenError):
    """A gateway did not do as it was told, or its host is gone; the instance's own need not be."""


class Switch:
    """Over the gateways among `works`, the hosts at work; `records` are of the other hosts that
    were seen. One instance moves at a time: a reload forgets which servers are drained.
    Every call raises NotMoved.
    """

    def __init__(
        self,
        site: Site,
        works: Mapping[str, HostAtWork],
        records: Mapping[str, Record],
        number: int,
    ) -> None:
        self._site = site
        self._works = works
        self._records = records
        self._number = number
        self._one = threading.Lock()

    @contextmanager
    def moving(self, host: str, instance: str) -> Iterator[None]:
        """No other instance behind a gateway moves meanwhile."""
        if not self.doors_of(host, instance):
            yield
            return
        with self._one:
            yield

    def doors_of(self, host: str, instance: str) -> tuple[str, ...]:
        """Hosts at work whose gateway sends requests to an instance, and is to stay."""
        found = []
        for name, work in self._works.items():
            last = work.record.gateway
            servers = last.spec.servers if last and is_door(self._site, name) else ()
            if any((s.host, s.instance) == (host, instance) for s in servers):
                found.append(name)
        return tuple(found)

    @_of_doors
    def add(self, serving: Serving) -> None:
        """Beside what the records have: a reload of each gateway, then until the new server was
        found healthy by each."""
        name = server_name(serving.host, serving.instance, second=True)
        now = {**self._records, **{n: w.record for n, w in self._works.items()}}
        doors = self.doors_of(serving.host, serving.instance)
        for door in doors:
            work = self._works[door]
            last = work.record.gateway
            if last is None:
                continue
            routes = routes_for(self._site, door, {}, now, (serving,))
            spec = last.spec.model_copy(update={"routes": routes.models})
            open_door(work, spec, self._number, python_on(self._site, door))
        for door in doors:
            if not self._runtime(door).wait_up(name, _UP):
                raise XgenError(f"the gateway on {door} did not find it healthy in {_UP:.0f} s")

    @_of_doors
    def drain(self, host: str, instance: str, timeout: float) -> bool:
        """No new requests to it; whether those under way ended within `timeout` seconds."""
        name = server_name(host, instance)
        runtimes = [self._runtime(door) for door in self.doors_of(host, instance)]
        for runtime in runtimes:
            runtime.drain(name)
        return all(runtime.wait_idle(name, timeout) for runtime in runtimes)

    @_of_doors
    def enable(self, host: str, instance: str) -> None:
        """New requests again; comes back once each gateway found it healthy."""
        name = server_name(host, instance)
        for door in self.doors_of(host, instance):
            runtime = self._runtime(door)
            runtime.enable(name)
            runtime.wait_up(name, _UP)

    def _runtime(self, door: str) -> Runtime:
        return door_runtime(self._works[door], python_on(self._site, door))
