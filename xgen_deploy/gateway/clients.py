"""The clients of a gateway, as its configuration tells them apart. Pure."""

from dataclasses import dataclass
from itertools import chain

from xgen_deploy.gateway import answers
from xgen_deploy.gateway.answers import Answer
from xgen_deploy.gateway.keys import CLIENT, PROOF, client_variable
from xgen_deploy.state.gateway import Client, GatewaySpec
from xgen_deploy.state.routes import Route

# What the log calls whoever has the common key or the gateway's own.
UNNAMED = "-"
_METRICS = {
    "xgen_client_requests_total": "http_req_cnt",
    "xgen_client_refused_by_rate_total": "gpc0",
    "xgen_client_responses_4xx_total": "http_err_cnt",
    "xgen_client_responses_5xx_total": "http_fail_cnt",
    "xgen_client_received_kibibytes_total": "kbytes_in",
    "xgen_client_sent_kibibytes_total": "kbytes_out",
}
_PERIODS = {"s": (1, "second"), "m": (60, "minute"), "h": (3600, "hour"), "d": (86400, "day")}


@dataclass(frozen=True)
class KeyHolder:
    """Who has the keys whose digests are in these variables; `audience` is the index of its
    models.
    """

    name: str
    variables: tuple[str, ...]
    audience: int

    @property
    def named(self) -> bool:
        return self.name != UNNAMED


@dataclass(frozen=True)
class RateLimit:
    """`count` requests of a client in each period of so many `seconds`, as the clock has them."""

    client: str
    count: int
    seconds: int
    answer: Answer


@dataclass(frozen=True)
class Audience:
    """Clients that may use the same models; `numbers` are indices of routes. `condition` holds
    for them in HAProxy's rules.
    """

    numbers: tuple[int, ...]
    condition: str
    models: str
    unnamed: Answer
    unknown: Answer


def key_holders(spec: GatewaySpec) -> tuple[KeyHolder, ...]:
    """None where the gateway asks for no key."""
    if not spec.asks_for_key:
        return ()
    sets = _model_sets(spec)
    common = (CLIENT, PROOF) if spec.api_key is not None else (PROOF,)
    return (
        KeyHolder(UNNAMED, common, 0),
        *(
            KeyHolder(client.name, (client_variable(n),), sets.index(_models(client)))
            for n, client in enumerate(spec.clients)
        ),
    )


def rate_limits(spec: GatewaySpec) -> tuple[RateLimit, ...]:
    return tuple(_limit(c.name, c.rate) for c in spec.clients if c.rate is not None)


def _limit(client: str, rate: str) -> RateLimit:
    count, _, unit = rate.partition("/")
    seconds, period = _PERIODS[unit]
    requests = f"{count} request{'s'[: count != '1']}"
    answer = Answer(
        429,
        f"{client} may send {requests} each {period}; try again later.",
        "rate_limit_error",
        "rate_limit_exceeded",
    )
    return RateLimit(client, int(count), seconds, answer)


def audiences(spec: GatewaySpec) -> tuple[Audience, ...]:
    """The first are those who may use every model."""
    sets = _model_sets(spec)
    return tuple(
        _audience(
            spec.routes,
            models,
            f"{{ var(txn.audience) -m int eq {number} }}" if len(sets) > 1 else "",
        )
        for number, models in enumerate(sets)
    )


def _audience(routes: tuple[Route, ...], models: frozenset[str] | None, condition: str) -> Audience:
    numbers = tuple(n for n, r in enumerate(routes) if models is None or r.model in models)
    known = [routes[n] for n in numbers]
    return Audience(
        numbers=numbers,
        condition=condition,
        models=answers.model_list(known),
        unnamed=answers.unnamed(known),
        unknown=answers.unknown(known),
    )


def client_metrics(spec: GatewaySpec) -> str:
    """A HAProxy log format, as it stands in double quotes: Prometheus' text of what each client has
    sent since the last reload.
    """
    lines = []
    for metric, column in _METRICS.items():
        lines.append(f"# TYPE {metric} counter")
        for client in spec.clients:
            value = f"%[str({client.name}),table_{column}(xgen:clients)]"
            lines.append(f'{metric}{{client=\\"{client.name}\\"}} {value}')
    return "".join(f"{line}\\n" for line in lines)


def _model_sets(spec: GatewaySpec) -> tuple[frozenset[str] | None, ...]:
    return tuple(dict.fromkeys(chain([None], map(_models, spec.clients))))


def _models(client: Client) -> frozenset[str] | None:
    return None if client.models is None else frozenset(client.models)
