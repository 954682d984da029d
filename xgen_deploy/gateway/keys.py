"""What a gateway's keys.cfg holds, and what an earlier one held: pure."""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from xgen_deploy.render.rendered import describe
from xgen_deploy.render.unquoting import haproxy_values
from xgen_deploy.secret_text import SecretText
from xgen_deploy.state.gateway import GatewaySpec
from xgen_deploy.state.secret_rules import secret_problem
from xgen_deploy.state.settings import SecretRef

CLIENT = "XGEN_CLIENT_SHA256"
PROOF = "XGEN_PROOF_SHA256"
_SHA256 = re.compile("[0-9a-f]{64}")


@dataclass(frozen=True)
class GatewayKeys:
    """The engines' keys by model. Of the clients' key its SHA-256 alone: more is not delivered.
    `proof` is one of the gateway's own that it takes beside that, to be proved with.
    """

    engines: Mapping[str, SecretText] = field(default_factory=dict)
    client: str | None = None
    proof: SecretText | None = None


def placeholder_keys(spec: GatewaySpec) -> GatewayKeys:
    """For whoever only shows the files."""
    engines = {r.model: _placeholder(r.api_key) for r in spec.routes if r.api_key}
    return GatewayKeys(engines, client_digest(_placeholder(spec.api_key)) if spec.api_key else None)


def client_digest(key: SecretText) -> str:
    """What the clients' key is compared with."""
    return hashlib.sha256(key.reveal().encode()).hexdigest()


def key_name(number: int) -> str:
    """The variable of a route's key, by the route's place."""
    return f"XGEN_KEY_{number}"


def old_key_name(number: int) -> str:
    """The same of the key from before."""
    return f"XGEN_OLD_KEY_{number}"


def delivered_keys(last: GatewaySpec | None, keys: bytes | None) -> GatewayKeys:
    """From the keys.cfg that was delivered for `last`."""
    there = _values(keys)
    routes = enumerate(last.routes if last else ())
    found = {route.model: there.get(key_name(number)) for number, route in routes}
    engines = {m: SecretText(v) for m, v in found.items() if v is not None}
    client = there.get(CLIENT)
    return GatewayKeys(
        {m: v for m, v in engines.items() if secret_problem(v, "key") is None},
        client if client is not None and _SHA256.fullmatch(client) else None,
    )


def old_keys(
    spec: GatewaySpec, last: GatewaySpec | None, delivered: bytes | None, keys: GatewayKeys
) -> Mapping[str, SecretText]:
    """By model, for those of `spec` with servers that still have it: from the keys.cfg that was
    `delivered` for `last`. A rotation that was cut short has left two: the one that is not
    today's counts.
    """
    there = _values(delivered)
    places = {route.model: n for n, route in enumerate(last.routes if last else ())}
    found = {}
    for route in spec.routes:
        if not route.has_old_keys or route.model not in places:
            continue
        today = keys.engines.get(route.model) if route.api_key else None
        number = places[route.model]
        known = (there.get(old_key_name(number)), there.get(key_name(number)))
        values = (SecretText(v) for v in known if v is not None)
        value = next((v for v in values if v != today), None)
        if value is not None:
            found[route.model] = value
    return found


def _placeholder(ref: SecretRef) -> SecretText:
    return SecretText(f"<{describe(ref)}>")


def _values(keys: bytes | None) -> dict[str, str]:
    return haproxy_values((keys or b"").decode(errors="surrogateescape"))
