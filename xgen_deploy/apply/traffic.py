"""Moves requests from one server to another on every gateway, while both of them run."""

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import wraps
from typing import ParamSpec, TypeVar

from xgen_deploy.apply.gateway import haproxy_socket, open_gateway
from xgen_deploy.apply.guard import arm_drained, disarm_drained
from xgen_deploy.apply.host_context import HostContext
from xgen_deploy.apply.key_rotation import KeyRotation
from xgen_deploy.errors import XgenError
from xgen_deploy.frozen import replace
from xgen_deploy.gateway.away import Away, away
from xgen_deploy.plan.gateway import routes_for
from xgen_deploy.resolve.gateway_needs import everywhere, is_gateway_host
from xgen_deploy.state.endpoint import Endpoint
from xgen_deploy.state.record import Record
from xgen_deploy.state.routes import Route, Server, server_name
from xgen_deploy.state.site import Site
from xgen_deploy.verify.haproxy_socket import HaproxySocket

_UP = 30.0


_P = ParamSpec("_P")
_R = TypeVar("_R")


def _moving_traffic(call: Callable[_P, _R]) -> Callable[_P, _R]:
    """One error for whatever keeps a gateway from moving requests."""

    @wraps(call)
    def safe(*args: _P.args, **kwargs: _P.kwargs) -> _R:
        try:
            return call(*args, **kwargs)
        except XgenError as error:
            raise NotMoved(f"the gateway did not follow: {error}") from None

    return safe


class NotMoved(XgenError):
    """A gateway refused or its host is lost; the instance's own host may be fine."""


class Traffic:
    """Over the gateways among the hosts that are being changed; `records` are of all hosts that
    were observed. One instance moves at a time. Every call raises NotMoved.
    """

    def __init__(
        self,
        site: Site,
        contexts: Mapping[str, HostContext],
        records: Mapping[str, Record],
        number: int,
        keys: KeyRotation,
    ) -> None:
        self._site = site
        self._contexts = contexts
        self._records = records
        self._number = number
        self.keys = keys
        self._drained: set[tuple[str, str]] = set()
        self._moving = threading.Lock()
        self._reopening = threading.Lock()

    @_moving_traffic
    def part_keys(self) -> None:
        """Before anything moves: servers that are to get a new key are told from those that have
        it."""
        for gateway_host in self._contexts:
            if any(self._known(gateway_host, *instance) for instance in self.keys.instances):
                self._reopen(gateway_host, first=True)

    @_moving_traffic
    def before_new_key(self, host: str, instance: str) -> None:
        """Before an engine is stopped whose key changes: every gateway can follow."""
        if (host, instance) in self.keys.instances:
            self._require_gateways(host, instance)

    def routes(
        self, gateway_host: str, extra: tuple[Endpoint, ...] = (), *, first: bool = False
    ) -> tuple[Route, ...]:
        """As the records are right now."""
        records = self._records_now()
        routes = routes_for(self._site, gateway_host, {}, records, extra)
        return self.keys.routes(routes.models, records, first=first)

    @_moving_traffic
    def hand_over(self, host: str, instance: str, model: str) -> None:
        """Before an instance goes whose model goes on elsewhere: each gateway that sends it
        requests has the model's other servers too, and has found them healthy."""
        self._require_gateways(host, instance)
        for gateway_host in self.gateway_hosts_of(host, instance):
            last = self._contexts[gateway_host].record.gateway
            known = {s.name for s in last.spec.servers} if last else set()
            servers = [s for r in self.routes(gateway_host) if r.model == model for s in r.servers]
            fresh = [s.name for s in servers if s.name not in known]
            if fresh:
                self._reopen(gateway_host)
            for name in fresh:
                if not self._runtime(gateway_host).wait_up(name, _UP):
                    raise XgenError(f"the gateway on {gateway_host} did not find {name} healthy")

    def longest_drain(self) -> float:
        """Seconds, the most that the manifest has for any instance; 0 where it says nothing."""
        return max((d.update.drain or 0.0 for d in everywhere(self._site)), default=0.0)

    def away(self, gateway_host: str) -> dict[str, Away]:
        """Models of a gateway that may have nobody to answer now, each with why."""
        return away(self.routes(gateway_host), self._records_now(), self._site.other_hosts)

    def _records_now(self) -> dict[str, Record]:
        """The records of all hosts that were seen, as they are at this moment."""
        return {**self._records, **{n: c.record for n, c in self._contexts.items()}}

    @contextmanager
    def moving(self, host: str, instance: str) -> Iterator[None]:
        """No other instance behind a gateway moves meanwhile."""
        if not self.gateway_hosts_of(host, instance):
            yield
            return
        with self._moving:
            yield

    def gateway_hosts_of(self, host: str, instance: str) -> tuple[str, ...]:
        """Hosts at work whose gateway sends requests to an instance, and is to stay."""
        return tuple(
            gateway_host
            for gateway_host in self._contexts
            if self._known(gateway_host, host, instance)
        )

    def _require_gateways(self, host: str, instance: str) -> None:
        """Raises XgenError where a gateway that sends it requests runs on a host that was lost."""
        for name in self._records.keys() - self._contexts.keys():
            if _servers(self._routes_of(name, self._records[name]), host, instance):
                raise XgenError(
                    f"its host {name} was lost, and it sends requests to {host}/{instance}"
                )

    @_moving_traffic
    def add(self, endpoint: Endpoint) -> None:
        """Beside what the records have, at each gateway; comes back once each found it healthy."""
        self._require_gateways(endpoint.host, endpoint.instance)
        gateway_hosts = self.gateway_hosts_of(endpoint.host, endpoint.instance)
        for gateway_host in gateway_hosts:
            self._reopen(gateway_host, (endpoint,))
        for gateway_host in gateway_hosts:
            name = self._name(gateway_host, endpoint.host, endpoint.instance, second=True)
            if not self._runtime(gateway_host).wait_up(name, _UP):
                raise XgenError(
                    f"the gateway on {gateway_host} did not find it healthy in {_UP:.0f} s"
                )

    @_moving_traffic
    def drain(self, host: str, instance: str, timeout: float) -> bool:
        """No new requests to it, until it is `enable`d or has `gone`; whether those under way ended
        within `timeout` seconds. Where one gateway fails, all of them send it requests again."""
        try:
            self._drained.add((host, instance))
            return self._drain(host, instance, timeout)
        except XgenError:
            self._drained.discard((host, instance))
            with suppress(XgenError):
                _each(
                    self.gateway_hosts_of(host, instance),
                    lambda gateway_host: self._ready(gateway_host, host, instance),
                )
            raise

    def _drain(self, host: str, instance: str, timeout: float) -> bool:
        gateway_hosts = self.gateway_hosts_of(host, instance)
        told = [
            (self._runtime(gateway_host), self._name(gateway_host, host, instance))
            for gateway_host in gateway_hosts
        ]
        for gateway_host, (runtime, name) in zip(gateway_hosts, told, strict=True):
            for pool in self._pools_left(gateway_host, host, instance):
                runtime.wait_unqueued(pool, timeout)
            arm_drained(self._contexts[gateway_host], name, runtime.enable_argv(name))
            runtime.drain(name)
        return all(runtime.wait_idle(name, timeout) for runtime, name in told)

    @_moving_traffic
    def enable(self, host: str, instance: str) -> None:
        """New requests again, for the model that it serves now; comes back once each gateway found
        it healthy."""
        self._drained.discard((host, instance))
        _each(
            self.gateway_hosts_of(host, instance),
            lambda gateway_host: self._enable(gateway_host, host, instance),
        )

    def _enable(self, gateway_host: str, host: str, instance: str) -> None:
        try:
            if self._known(gateway_host, host, instance) != self._due(gateway_host, host, instance):
                self._reopen(gateway_host)
        finally:
            self._ready(gateway_host, host, instance)
        self._runtime(gateway_host).wait_up(self._name(gateway_host, host, instance), _UP)

    def _ready(self, gateway_host: str, host: str, instance: str) -> None:
        name = self._name(gateway_host, host, instance)
        self._runtime(gateway_host).enable(name)
        self._disarm(gateway_host, name)

    def gone(self, host: str, instance: str) -> None:
        """What was drained is not there any more: its name is free for what comes after it."""
        if (host, instance) in self._drained:
            self._drained.discard((host, instance))
            for gateway_host in self.gateway_hosts_of(host, instance):
                self._disarm(gateway_host, self._name(gateway_host, host, instance))

    def _disarm(self, gateway_host: str, name: str) -> None:
        with suppress(XgenError):  # it does no harm when the lock is freed
            disarm_drained(self._contexts[gateway_host], name)

    def _known(self, gateway_host: str, host: str, instance: str) -> tuple[tuple[str, Server], ...]:
        """An instance as the gateway on a host at work has it, by model."""
        routes = self._routes_of(gateway_host, self._contexts[gateway_host].record)
        return _servers(routes, host, instance)

    def _routes_of(self, gateway_host: str, record: Record) -> tuple[Route, ...]:
        """What a host's gateway has, where it is to stay; nothing where it was stopped."""
        stays = is_gateway_host(self._site, gateway_host)
        gateway = record.gateway
        return gateway.spec.routes if gateway and stays and gateway.stopped is None else ()

    def _name(self, gateway_host: str, host: str, instance: str, *, second: bool = False) -> str:
        """What the gateway on a host at work calls an instance."""
        known = self._known(gateway_host, host, instance)
        names = (s.name for _, s in known if s.second == second)
        return next(names, server_name(host, instance, second=second))

    def _due(self, gateway_host: str, host: str, instance: str) -> tuple[tuple[str, Server], ...]:
        """The same as it should be right now."""
        return _servers(self.routes(gateway_host), host, instance)

    def _pools_left(self, gateway_host: str, host: str, instance: str) -> tuple[str, ...]:
        """Pools of servers with an old key that new requests go past already: what still waits
        there for this server would wait in vain for another one."""
        last = self._contexts[gateway_host].record.gateway
        return tuple(
            route.old_pool
            for route in (last.spec.routes if last else ())
            if any((s.host, s.instance) == (host, instance) for s in route.servers if s.old_key)
            and any(not s.old_key for s in route.servers)
        )

    def _reopen(
        self, gateway_host: str, extra: tuple[Endpoint, ...] = (), *, first: bool = False
    ) -> None:
        context = self._contexts[gateway_host]
        with self._reopening:
            last = context.record.gateway
            if last is None:
                return
            spec = replace(last.spec, routes=self.routes(gateway_host, extra, first=first))
            open_gateway(context, spec, self._number, away=self.away(gateway_host), moving=True)
            for drained in tuple(self._drained):  # which a new process does not know
                if self._known(gateway_host, *drained):
                    self._runtime(gateway_host).drain(self._name(gateway_host, *drained))

    def _runtime(self, gateway_host: str) -> HaproxySocket:
        return haproxy_socket(self._contexts[gateway_host])


def _each(gateway_hosts: Sequence[str], tell: Callable[[str], None]) -> None:
    """Calls every gateway, even where another one fails. Raises XgenError with all errors."""
    failed = []
    for gateway_host in gateway_hosts:
        try:
            tell(gateway_host)
        except XgenError as error:
            failed.append(str(error))
    if failed:
        raise XgenError("; ".join(failed))


def _servers(routes: tuple[Route, ...], host: str, instance: str) -> tuple[tuple[str, Server], ...]:
    return tuple(
        (route.model, server)
        for route in routes
        for server in route.servers
        if (server.host, server.instance) == (host, instance)
    )
