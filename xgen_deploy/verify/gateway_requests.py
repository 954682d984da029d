"""Real requests through a running gateway, one to each model, made on the gateway's host."""

from collections.abc import Container, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Literal

from xgen_deploy.backends.smoke_request import openai_smoke_request
from xgen_deploy.bounded_json import read_json
from xgen_deploy.frozen import Frozen, replace
from xgen_deploy.gateway.away import Away
from xgen_deploy.gateway.stats import ServerState
from xgen_deploy.limits import PAGE
from xgen_deploy.secret_text import SecretText
from xgen_deploy.state.endpoint import local_address
from xgen_deploy.state.gateway import Client, GatewaySpec
from xgen_deploy.state.routes import Route
from xgen_deploy.transport.base import Session
from xgen_deploy.verify.checks import TRIAL, ask, key_header, wrong_with
from xgen_deploy.verify.haproxy_socket import HaproxySocket

_FIRST_CHECKS = 10.0
_AT_ONCE = 8
_LIST = 20.0
# Marks the gateway's own 503; no engine's has it.
_NO_SERVER = b'"service_unavailable"'


class RequestOutcome(Frozen):
    """The outcome for one model, by all of its names. `detail`: why it was left out or busy, or how
    it failed. `down`: nothing answers, for what this run did not observe.
    """

    model: str
    outcome: Literal["answered", "fallback", "busy", "left out", "down", "failed"]
    detail: str = ""

    @property
    def good(self) -> bool:
        """A real answer was seen."""
        return self.outcome in ("answered", "fallback")

    @property
    def bad(self) -> bool:
        return self.outcome in ("down", "failed")


@dataclass(frozen=True)
class GatewayRequests:
    """`spec` and `runtime` are the gateway's; requests carry `key`."""

    session: Session
    spec: GatewaySpec
    runtime: HaproxySocket
    key: SecretText | None

    def of(
        self, models: Container[str], away: Mapping[str, Away], *, moving: bool = False
    ) -> tuple[RequestOutcome, ...]:
        """One outcome for each of `models`, in the order of the routes. Those that are `away`,
        and all while instances are `moving`, are asked where a server of theirs is up.
        Raises XgenError.
        """
        up = _up(self.runtime.settled(_FIRST_CHECKS))
        asked = [r for r in self.spec.routes if r.model in models]

        def outcome_of(route: Route) -> RequestOutcome:
            why = away.get(route.model)
            if up.intersection(self._pools(route)):
                asked = self._by_every_name(route, up)
                elsewhere = why is not None and asked.outcome == "failed"
                return replace(asked, outcome="down") if elsewhere else asked
            if moving:
                why = why or Away(reason="none of its servers is up yet")
            if why is None:
                return self._by_every_name(route, up)
            outcome: Literal["left out", "down"] = "left out" if why.excused else "down"
            return RequestOutcome(model=route.model, outcome=outcome, detail=why.reason)

        with ThreadPoolExecutor(_AT_ONCE) as pool:
            return tuple(pool.map(outcome_of, asked))

    def _by_every_name(self, route: Route, up: frozenset[str]) -> RequestOutcome:
        """A fallback need not know the model's further names."""
        outcome = self._ask(route, route.model, up)
        for name in route.names if outcome.outcome == "answered" else ():
            asked = self._ask(route, name, up)
            if asked.outcome != "answered":
                return replace(asked, detail=f"as `{name}`: {asked.detail}")
        return outcome

    def _ask(self, route: Route, name: str, up: frozenset[str]) -> RequestOutcome:
        smoke_request = openai_smoke_request(name, route.type, tokens=1)
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
        full = reply.status == 503 and _NO_SERVER in reply.body
        if full and _up(servers).intersection(self._pools(route)):
            return RequestOutcome(model=route.model, outcome="busy", detail="its queue is full")
        states = _states(route, servers)
        return RequestOutcome(model=route.model, outcome="failed", detail=f"{wrong}; {states}")

    def _pools(self, route: Route) -> Iterator[str]:
        """The model's own pools, then those of its fallbacks."""
        yield from _own_pools(route)
        for other in self.spec.routes:
            if other.model in route.fallback:
                yield from _own_pools(other)


def wrong_with_models(spec: GatewaySpec, client: Client, key: SecretText, session: Session) -> str:
    """What is wrong with the models that a client is shown, or "". Raises HostError."""
    reply = session.request(
        "GET",
        local_address(spec.listen),
        spec.port,
        "/v1/models",
        headers=key_header(key),
        timeout=_LIST,
        tls=spec.tls is not None,
    )
    if reply.status != 200:
        return f"/v1/models: HTTP {reply.status} with its key"
    try:
        shown = [m["id"] for m in read_json(reply.body, PAGE)["data"]]
    except (ValueError, KeyError, TypeError):
        return "/v1/models: the answer is not a list of models"
    allowed = [r.model for r in spec.routes if client.models is None or r.model in client.models]
    return "" if shown == allowed else "/v1/models does not list the models that it may use"


def changed_models(spec: GatewaySpec, last: GatewaySpec | None) -> frozenset[str]:
    """Models whose routes changed since `last`; all of them where something else changed too, or
    nothing did.
    """
    every = frozenset(r.model for r in spec.routes)
    if last is None or replace(spec, routes=()) != replace(last, routes=()):
        return every
    before = {r.model: r for r in last.routes}
    return frozenset(r.model for r in spec.routes if before.get(r.model) != r) or every


def proved_text(proved: tuple[RequestOutcome, ...]) -> str:
    """`2 models answer; big answers by fallback; no request to small: …`."""
    good = sum(p.outcome == "answered" for p in proved)
    parts = [f"{good} model{'s answer' if good != 1 else ' answers'}"] if good else []
    for request in proved:
        match request.outcome:
            case "fallback":
                parts.append(f"{request.model} answers by fallback")
            case "busy":
                parts.append(f"{request.model} is busy: {request.detail}")
            case "left out":
                parts.append(f"no request to {request.model}: {request.detail}")
            case "down":
                parts.append(f"nothing answers for {request.model}: {request.detail}")
            case "failed":
                parts.append(f"a real request to {request.model} failed: {request.detail}")
    return "; ".join(parts)


def _own_pools(route: Route) -> tuple[str, ...]:
    return (route.pool, route.old_pool)


def _up(servers: tuple[ServerState, ...]) -> frozenset[str]:
    return frozenset(s.pool for s in servers if s.up)


def _states(route: Route, servers: tuple[ServerState, ...]) -> str:
    of_route = [s for s in servers if s.pool in _own_pools(route)]
    down = [f"{s.name} {s.reason}" for s in of_route if not s.up]
    text = f"{len(of_route) - len(down)} of {len(of_route)} servers up"
    return text + (f" ({'; '.join(down)})" if down else "")
