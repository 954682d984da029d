"""Builds a gateway's routes from the models and the instances that serve them. Pure."""

import hashlib
import re
from collections import Counter
from collections.abc import Container, Hashable, Mapping, Sequence
from typing import TypeVar

from xgen_deploy.frozen import Frozen, UrlPath, replace
from xgen_deploy.state.endpoint import LOOPBACK, Endpoint, local_address
from xgen_deploy.state.field_types import Port
from xgen_deploy.state.host import Host
from xgen_deploy.state.settings import ModelType, SecretRef

_Owner = TypeVar("_Owner", bound=Hashable)
_PLAIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")


class Server(Frozen):
    """One instance as a gateway reaches it. `slots` requests are sent to it at once. `old_key`: it
    still has the key from before, while its model gets a new one. `second`: it is the new one of a
    pair, while it replaces the old.
    """

    name: str
    host: str
    instance: str
    address: str
    port: Port
    slots: int
    health_path: UrlPath = "/health"
    old_key: bool = False
    second: bool = False


class Route(Frozen):
    """A model. `names` are those that all its servers answer to besides. `pool` is HAProxy's name
    for its servers, the same at every reload; `fallback` are models that take its requests, in this
    order, while none of its servers answers.
    """

    model: str
    names: tuple[str, ...] = ()
    type: ModelType = "llm"
    pool: str
    servers: tuple[Server, ...] = ()
    fallback: tuple[str, ...] = ()
    api_key: SecretRef | None = None

    @property
    def old_pool(self) -> str:
        """Its servers with the key from before. No model's pool has a colon in its name."""
        return f"xgen:old:{self.pool}"

    @property
    def has_old_keys(self) -> bool:
        return any(s.old_key for s in self.servers)


class Routes(Frozen):
    """Every model, in manifest order. `unreachable` are instances that no route could be made to,
    each a clause with its reason; `key_conflicts` are models whose instances ask for different
    keys, each a clause with which of them.
    """

    models: tuple[Route, ...] = ()
    unreachable: tuple[str, ...] = ()
    key_conflicts: tuple[str, ...] = ()

    @property
    def servers(self) -> tuple[Server, ...]:
        return tuple(s for route in self.models for s in route.servers)


def build_routes(
    gateway_host: Host,
    hosts: Mapping[str, Host],
    endpoints: Sequence[Endpoint],
    fallback: Mapping[str, tuple[str, ...]],
    kept: Mapping[str, Route] | None = None,
) -> Routes:
    """What the gateway on `gateway_host` sends where. `fallback` lists, for each model in
    their order, where its requests go while nothing of it answers. `kept` are routes by model
    whose servers stay as they were: of hosts that could not be looked at.
    """
    routes, unreachable, conflicts = [], [], []
    for model, others in fallback.items():
        served = [s for s in endpoints if s.model == model]
        before = (kept or {}).get(model)
        servers = list(before.servers) if before else []
        said = served[0] if served else before
        for endpoint in served:
            address = address_from(gateway_host, hosts.get(endpoint.host), endpoint)
            if address is None:
                unreachable.append(
                    f"{endpoint.host}/{endpoint.instance} listens on {endpoint.listen} alone, "
                    f"which the gateway on {gateway_host.name} cannot reach"
                )
                continue
            servers.append(_server(endpoint, address))
        other = next((s for s in served if s.api_key != served[0].api_key), None)
        if other is not None:
            both = f"{served[0].host}/{served[0].instance}, {other.host}/{other.instance}"
            conflicts.append(f"{model} ({both})")
        routes.append(
            Route(
                model=model,
                names=_common_names(served, before),
                type=said.type if said else "llm",
                pool=safe_name(model),
                servers=tuple(sorted(servers, key=lambda s: s.name)),
                fallback=tuple(m for m in others if m in fallback),
                api_key=said.api_key if said else None,
            )
        )
    return Routes(
        models=with_distinct_names(routes),
        unreachable=tuple(unreachable),
        key_conflicts=tuple(conflicts),
    )


def _common_names(endpoints: Sequence[Endpoint], before: Route | None) -> tuple[str, ...]:
    """What every instance answers to; of those on hosts that could not be looked at, `before` says
    it.
    """
    each = [e.names for e in endpoints] + ([before.names] if before else [])
    return tuple(name for name in each[0] if all(name in names for names in each)) if each else ()


def with_old_keys(
    route: Route,
    old: Container[tuple[str, str]],
    new: Mapping[str, SecretRef | None],
    *,
    seen: Container[str],
    first: bool,
) -> Route:
    """Where `new` has a key for the route's model: that one, and `old` are the instances, each
    after its host, that still have the one from before. So have, at `first`, those on hosts that
    could not be looked at.
    """
    if route.model not in new:
        return route
    servers = tuple(
        replace(s, old_key=(s.host, s.instance) in old and not s.second)
        if s.host in seen
        else replace(s, old_key=s.old_key or first)
        for s in route.servers
    )
    return replace(route, servers=servers, api_key=new[route.model])


def partly_proved(
    new: tuple[Route, ...], old: tuple[Route, ...], unproved: Container[str]
) -> tuple[Route, ...]:
    """The new routes, but for models that were not proved: theirs are those from before, where
    they had any."""
    before = {route.model: route for route in old}
    chosen = (before.get(r.model) if r.model in unproved else r for r in new)
    return tuple(route for route in chosen if route is not None)


def address_from(gateway_host: Host, host: Host | None, endpoint: Endpoint) -> str | None:
    """Where `gateway_host` reaches an instance; None where it listens on the loopback of another
    host."""
    if endpoint.host == gateway_host.name:
        return local_address(endpoint.listen)
    if endpoint.listen in LOOPBACK:
        return None
    if host is None:
        return endpoint.host
    return host.client_address or host.address or host.name


def server_name(host: str, instance: str, *, second: bool = False) -> str:
    """HAProxy's name for an instance, or for the second slot of one that is being replaced."""
    return safe_name(f"{host}.{instance}" + (".b" if second else ""))


def with_distinct_names(routes: Sequence[Route]) -> tuple[Route, ...]:
    """`h.x` and `y`, `h` and `x.y` would be one server: names that two would have get a short hash;
    all others are what they always were."""
    pools = _distinct({r.model: r.pool for r in routes})
    every = {
        _owner(s): server_name(*_owner(s)[:2], second=s.second) for r in routes for s in r.servers
    }
    names = _distinct(every)
    return tuple(
        replace(
            route,
            pool=pools[route.model],
            servers=tuple(
                replace(s, name=names[_owner(s)]) if names[_owner(s)] != every[_owner(s)] else s
                for s in route.servers
            ),
        )
        for route in routes
    )


def _owner(server: Server) -> tuple[str, str, bool]:
    return (server.host, server.instance, server.second)


def _distinct(names: Mapping[_Owner, str]) -> dict[_Owner, str]:
    many = {n for n, count in Counter(names.values()).items() if count > 1}
    return {o: _hashed(n, repr(o)) if n in many else n for o, n in names.items()}


def _hashed(name: str, whole: str) -> str:
    return f"{name}-{hashlib.sha256(whole.encode()).hexdigest()[:8]}"


def safe_name(text: str) -> str:
    """The text where HAProxy takes it for a name, else what it takes of it and a short hash."""
    if _PLAIN.fullmatch(text):
        return text
    return _hashed(re.sub(r"[^A-Za-z0-9_.-]+", "-", text).strip("-.")[:40], text)


def _server(endpoint: Endpoint, address: str) -> Server:
    return Server(
        name=server_name(endpoint.host, endpoint.instance, second=endpoint.second),
        second=endpoint.second,
        host=endpoint.host,
        instance=endpoint.instance,
        address=address,
        port=endpoint.port,
        slots=endpoint.slots,
        health_path=endpoint.health_path,
    )
