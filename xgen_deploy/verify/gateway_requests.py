"""Proves a gateway that runs: a real request through it to each model, made on its own host."""

from collections.abc import Container, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Literal

from xgen_deploy.backends.smoke_request import openai_smoke_request
from xgen_deploy.frozen import Frozen, replace
from xgen_deploy.gateway.stats import ServerState
from xgen_deploy.secret_text import SecretText
from xgen_deploy.state.gateway import GatewaySpec
from xgen_deploy.state.routes import Route
from xgen_deploy.transport.base import Session
from xgen_deploy.verify.checks import TRIAL, ask, wrong_with
from xgen_deploy.verify.haproxy_socket import HaproxySocket

_FIRST_CHECKS = 10.0
_AT_ONCE = 8
# What the gateway's own 503 has, and no engine's.
_NOBODY = b'"service_unavailable"'


class RequestOutcome(Frozen):
    """How one model did. `said`: who answered for it, why it was not asked, or what came back."""

    model: str
    outcome: Literal["answered", "fallback", "busy", "left out", "failed"]
    said: str = ""


@dataclass(frozen=True)
class GatewayRequests:
    """Of the gateway that `spec` describes and `runtime` talks to. It is asked with `key`."""

    session: Session
    spec: GatewaySpec
    runtime: HaproxySocket
    key: SecretText | None

    def of(
        self, models: Container[str], away: Mapping[str, str], *, moving: bool = False
    ) -> tuple[RequestOutcome, ...]:
        """In the order of the routes. `away` are models that are not asked, each with why; where
        instances are `moving`, so are those that have no server up. Raises XgenError.
        """
        up = _up(self.runtime.settled(_FIRST_CHECKS))
        asked = [r for r in self.spec.routes if r.model in models]

        def one(route: Route) -> RequestOutcome:
            if route.model in away:
                return RequestOutcome(model=route.model, outcome="left out", said=away[route.model])
            if moving and not up.intersection(self._pools(route)):
                said = "none of its servers is up yet"
                return RequestOutcome(model=route.model, outcome="left out", said=said)
            return self._ask(route, up)

        with ThreadPoolExecutor(_AT_ONCE) as pool:
            return tuple(pool.map(one, asked))

    def _ask(self, route: Route, up: frozenset[str]) -> RequestOutcome:
        smoke_request = openai_smoke_request(route.model, route.type, tokens=1)
        reply = ask(
            smoke_request,
            self.session,
            self.spec.listen,
            self.spec.port,
            self.key,
            timeout=TRIAL + self.spec.queue_timeout,
            tls=self.spec.tls is not None,
        )
        wrong = wrong_with(smoke_request, reply)
        if not wrong:
            own = up.intersection(_own_pools(route))
            outcome: Literal["answered", "fallback"] = "answered" if own else "fallback"
            return RequestOutcome(model=route.model, outcome=outcome)
        servers = self.runtime.servers()
        full = reply.status == 503 and _NOBODY in reply.body
        if full and _up(servers).intersection(self._pools(route)):
            return RequestOutcome(model=route.model, outcome="busy", said="its queue is full")
        states = _states(route, servers)
        return RequestOutcome(model=route.model, outcome="failed", said=f"{wrong}; {states}")

    def _pools(self, route: Route) -> Iterator[str]:
        """Its own, and those that take over for it."""
        yield from _own_pools(route)
        for other in self.spec.routes:
            if other.model in route.fallback:
                yield from _own_pools(other)


def changed_models(spec: GatewaySpec, last: GatewaySpec | None) -> frozenset[str]:
    """Models whose routes are others than before; all where more than routes changed, or nothing
    did."""
    every = frozenset(r.model for r in spec.routes)
    if last is None or replace(spec, routes=()) != replace(last, routes=()):
        return every
    before = {r.model: r for r in last.routes}
    return frozenset(r.model for r in spec.routes if before.get(r.model) != r) or every


def proved_text(proved: tuple[RequestOutcome, ...]) -> str:
    """`2 models answer; big by fallback; small not asked: …`."""
    good = sum(p.outcome == "answered" for p in proved)
    parts = [f"{good} model{'s answer' if good != 1 else ' answers'}"] if good else []
    for one in proved:
        match one.outcome:
            case "fallback":
                parts.append(f"{one.model} answers by fallback")
            case "busy":
                parts.append(f"{one.model} is busy, {one.said}")
            case "left out":
                parts.append(f"{one.model} was not asked: {one.said}")
            case "failed":
                parts.append(f"a real request to {one.model} failed: {one.said}")
    return "; ".join(parts)


def _own_pools(route: Route) -> tuple[str, ...]:
    return (route.pool, route.old_pool)


def _up(servers: tuple[ServerState, ...]) -> frozenset[str]:
    return frozenset(s.pool for s in servers if s.up)


def _states(route: Route, servers: tuple[ServerState, ...]) -> str:
    mine = [s for s in servers if s.pool in _own_pools(route)]
    down = [f"{s.name} {s.reason}" for s in mine if not s.up]
    text = f"{len(mine) - len(down)} of {len(mine)} servers up"
    return text + (f" ({'; '.join(down)})" if down else "")
