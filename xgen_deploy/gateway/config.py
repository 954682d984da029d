"""The gateway's configuration as text. Pure."""

import hashlib
import json
from collections.abc import Container, Iterator, Mapping
from dataclasses import dataclass

from xgen_deploy.gateway import answers
from xgen_deploy.gateway.answers import Answer
from xgen_deploy.gateway.clients import (
    UNNAMED,
    audiences,
    client_metrics,
    key_holders,
    rate_limits,
)
from xgen_deploy.gateway.keys import (
    CLIENT,
    PROOF,
    GatewayKeys,
    client_digest,
    client_variable,
    key_name,
    old_key_name,
)
from xgen_deploy.render.templates import Templates
from xgen_deploy.secret_text import SecretText
from xgen_deploy.state.gateway import GatewaySpec
from xgen_deploy.state.gateway_fields import ANY_ORIGIN, MAX_BODY
from xgen_deploy.state.routes import Route, Server

# Only requests to these paths reach an engine.
PATHS = (
    "/v1/chat/completions",
    "/v1/completions",
    "/v1/responses",
    "/v1/responses/input_tokens",
    "/v1/messages",
    "/v1/messages/count_tokens",
    "/v1/embeddings",
    "/v1/rerank",
    "/v1/score",
    "/v1/audio/transcriptions",
    "/tokenize",
    "/detokenize",
)
# Other names of /v1/rerank, which every engine has.
RERANK = ("/rerank", "/v2/rerank", "/v1/reranking")
_SERVED = ", ".join(("/v1/models", *PATHS))
_LOOPBACK = "127.0.0.1"
# How servers are checked, whether the file or the runtime socket names them.
CHECKS = (
    "inter 2s fastinter 500ms downinter 1s fall 2 rise 1 "
    "observe layer4 error-limit 1 on-error mark-down"
)
_ANY_SERVER = {"name": "any", "at": "192.0.2.1:1", "slots": 1}
# HAProxy sends these itself where a request is not HTTP (src/mux_h1.c: h1_send_error).
_SILENT = (400, 413, 501)
# A buffer's room beside the body, and the least number of buffers.
_HEADERS = 64 << 10
_BUFFERS = 256


@dataclass(frozen=True)
class Limits:
    """Sizes in bytes, times in seconds.

    `body` is the largest request whose model is read from the body; a `buffer` holds it together
    with `headers`. `buffers` is their number: one for each connection that waits, and more for
    responses in progress; a connection that finds none free waits for one. `request_s` is how
    long a request may take to arrive, `last_request_s` how long an active one may go on after a
    reload, and `reloads` how many further ones its process outlives; `silence_s` how long both
    sides may be silent.
    """

    body: int = MAX_BODY
    buffer: int = MAX_BODY + _HEADERS
    headers: int = 8 << 10
    connections: int = 1000
    buffers: int = 1280
    threads: int = 4
    last_request_s: int = 3600
    reloads: int = 50
    silence_s: int = 3600
    request_s: int = 60

    @classmethod
    def of(cls, spec: GatewaySpec) -> "Limits":
        """Larger requests leave room for fewer buffers, in about as much memory."""
        buffer = spec.max_body + _HEADERS
        buffers = max(_BUFFERS, min(cls.buffers, cls.buffers * cls.buffer // buffer))
        return cls(body=spec.max_body, buffer=buffer, buffers=buffers)


@dataclass(frozen=True)
class Places:
    """Paths as the gateway's process sees them: its runtime socket, and its certificate."""

    socket: str
    tls: str = ""


def config_text(
    spec: GatewaySpec,
    places: Places,
    templates: Templates,
    limits: Limits | None = None,
    old_keys: Container[str] = (),
) -> str:
    """`haproxy.cfg`, which has no secret in it. `old_keys` are the models whose previous key is
    known. Raises ValueError for a value with a line break.
    """
    limits = limits or Limits.of(spec)
    models, limits_of_clients = spec.routes, rate_limits(spec)
    pools = [_model(number, route, models) for number, route in enumerate(models)]
    every = pools + [_old_pool(pools[n], r, old_keys) for n, r in _with_old_keys(models)]
    values: dict[str, object] = {
        "limits": limits,
        "checks": CHECKS,
        "socket": places.socket,
        "tls": places.tls if spec.tls else "",
        "binds": _binds(spec),
        "keys": key_holders(spec),
        "clients": spec.clients,
        "unnamed": UNNAMED,
        "client_metrics": client_metrics(spec),
        "rates": limits_of_clients,
        "periods": sorted({limit.seconds for limit in limits_of_clients}),
        "audiences": audiences(spec),
        "queue_ms": max(1, round(spec.queue_timeout * 1000)),
        "paths": PATHS,
        "rerank": RERANK,
        "cors": spec.cors,
        "any_origin": ANY_ORIGIN in spec.cors,
        "errors": answers.failures(),
        "silent": _SILENT,
        "answers": _answers(limits),
        "models": pools,
        "pools": every,
    }
    shape = {"pools": [{**pool, "servers": [_ANY_SERVER]} for pool in every]}
    draft = templates.text("haproxy.cfg.j2", values | shape | {"digest": ""})
    digest = hashlib.sha256(draft.encode()).hexdigest()[:16]
    return templates.text("haproxy.cfg.j2", values | {"digest": digest})


def digest_in(config: str) -> str:
    """The short digest in a configuration's `description`, which the running gateway reports. It
    is of all but the servers, which come and go while the process runs.
    """
    line = next(line for line in config.splitlines() if line.strip().startswith("description"))
    return line.split()[-1].strip("'")


def keys_text(
    spec: GatewaySpec,
    keys: GatewayKeys,
    templates: Templates,
    old_keys: Mapping[str, SecretText] | None = None,
) -> str:
    """`keys.cfg`: see `key_variables`."""
    variables = key_variables(spec, keys, old_keys)
    return templates.text("haproxy-keys.cfg.j2", {"keys": sorted(variables.items())})


def key_variables(
    spec: GatewaySpec, keys: GatewayKeys, old_keys: Mapping[str, SecretText] | None = None
) -> dict[str, str]:
    """HAProxy's environment: the engines' keys, and the digest that the client's key is compared
    with. `old_keys`: model -> its previous key. They are secrets.
    """
    variables = {
        name: keys.engines[route.model].reveal()
        for route, name in zip(spec.routes, _key_names(spec.routes), strict=True)
        if name
    }
    for number, route in _with_old_keys(spec.routes):
        if route.model in (old_keys or {}):
            variables[old_key_name(number)] = (old_keys or {})[route.model].reveal()
    digests = {CLIENT: keys.client} if spec.api_key is not None and keys.client else {}
    digests |= {client_variable(n): keys.clients[c.name] for n, c in enumerate(spec.clients)}
    if digests:
        proof = client_digest(keys.proof) if keys.proof else next(iter(digests.values()))
        variables |= {**digests, PROOF: proof}
    return variables


def _key_names(models: tuple[Route, ...]) -> tuple[str, ...]:
    return tuple(key_name(n) if r.api_key else "" for n, r in enumerate(models))


def _with_old_keys(models: tuple[Route, ...]) -> Iterator[tuple[int, Route]]:
    return ((n, r) for n, r in enumerate(models) if r.has_old_keys)


def _binds(spec: GatewaySpec) -> tuple[str, ...]:
    """Loopback is always among the addresses: metrics are served there alone."""
    if spec.listen == "0.0.0.0":  # noqa: S104 - as the manifest says
        return (f"*:{spec.port}",)
    if spec.listen == "::":
        return (f":::{spec.port} v4v6",)
    addresses = dict.fromkeys((spec.listen, _LOOPBACK))
    return tuple(f"{_bracketed(a)}:{spec.port}" for a in addresses)


def _bracketed(address: str) -> str:
    return f"[{address}]" if ":" in address else address


def _model(number: int, route: Route, models: tuple[Route, ...]) -> Mapping[str, object]:
    pools = {r.model: _pools(r) for r in models}
    filled = {p for r in models for p in _filled(r)}
    fallback = [*_pools(route)[1:], *(p for m in route.fallback for p in pools.get(m, ()))]
    paths = {s.health_path for s in route.servers}
    return {
        "number": number,
        "name": route.model,
        "names": (route.model, *route.names),
        "pool": route.pool,
        "card": json.dumps(answers.model_card(route)),
        "fallback": fallback,
        # A process that is being replaced sees every pool as empty: then the first that has
        # servers in this configuration.
        "last": next((p for p in (route.pool, *fallback) if p in filled), route.pool),
        # A pool has one health path; where engines differ, it only checks the connection.
        "health": paths.pop() if len(paths) == 1 else "",
        "key": _key_names(models)[number],
        "silent": answers.unavailable(
            f"No instance of the model {route.model} was available in time; try again later."
        ),
        "servers": [_server(s) for s in route.servers if not s.old_key],
    }


def _pools(route: Route) -> tuple[str, ...]:
    return (route.pool, route.old_pool) if route.has_old_keys else (route.pool,)


def _filled(route: Route) -> Iterator[str]:
    for server in route.servers:
        yield route.old_pool if server.old_key else route.pool


def _old_pool(
    pool: Mapping[str, object], route: Route, old_keys: Container[str]
) -> Mapping[str, object]:
    """A pool has one key, so servers that still have the previous key form a pool of their own."""
    key = old_key_name(int(str(pool["number"]))) if route.model in old_keys else ""
    servers = [_server(s) for s in route.servers if s.old_key]
    return {**pool, "pool": route.old_pool, "key": key, "servers": servers}


def _server(server: Server) -> Mapping[str, object]:
    at = f"{_bracketed(server.address)}:{server.port}"
    return {"name": server.name, "at": at, "slots": server.slots}


def _answers(limits: Limits) -> Mapping[str, Answer]:
    return {
        "key": Answer(
            401,
            "The API key is missing or wrong; send it as: Authorization: Bearer KEY, or as: "
            "x-api-key: KEY",
            code="invalid_api_key",
        ),
        "path": Answer(404, f"Unknown path. The gateway serves {_SERVED}.", code="unknown_url"),
        "origin": Answer(
            403,
            "Pages of this origin may not ask this gateway; `cors` of its manifest lists those "
            "that may.",
            "permission_error",
            "origin_not_allowed",
        ),
        "read_only": Answer(405, "This path takes GET requests.", code="method_not_allowed"),
        "method": Answer(405, "This path takes POST requests.", code="method_not_allowed"),
        "large": Answer(
            413,
            f"The request is larger than {limits.body} bytes, so its model cannot be read from it; "
            f"{answers.BY_PATH}.",
            code="request_too_large",
        ),
    }
