"""The keys in a gateway's `keys.cfg`, and those in the one delivered before. Pure."""

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
    """`engines`: model -> its engines' key. `client` is the SHA-256 of the clients' common key,
    `clients` those of each client by its name: no client's key is delivered itself. `proof` is the
    gateway's own key, for its verification.
    """

    engines: Mapping[str, SecretText] = field(default_factory=dict)
    client: str | None = None
    clients: Mapping[str, str] = field(default_factory=dict)
    proof: SecretText | None = None


def placeholder_keys(spec: GatewaySpec) -> GatewayKeys:
    """Stand-ins, for showing the files without the secrets."""
    engines = {r.model: _placeholder(r.api_key) for r in spec.routes if r.api_key}
    client = client_digest(_placeholder(spec.api_key)) if spec.api_key else None
    clients = {c.name: client_digest(_placeholder(c.key)) for c in spec.clients}
    return GatewayKeys(engines, client, clients)


def client_digest(key: SecretText) -> str:
    """The SHA-256 that a client's key is compared with, in hexadecimal."""
    return hashlib.sha256(key.reveal().encode()).hexdigest()


def key_name(number: int) -> str:
    """The variable that holds the key of the route with this index."""
    return f"XGEN_KEY_{number}"


def client_variable(number: int) -> str:
    """The variable that holds the digest of the key of the client with this index."""
    return f"XGEN_CLIENT_{number}_SHA256"


def old_key_name(number: int) -> str:
    """The variable that holds its previous key."""
    return f"XGEN_OLD_KEY_{number}"


def delivered_keys(last: GatewaySpec | None, keys: bytes | None) -> GatewayKeys:
    """The usable keys in `keys`, the `keys.cfg` that was delivered for `last`."""
    values = _values(keys)
    routes = enumerate(last.routes if last else ())
    by_model = {route.model: values.get(key_name(number)) for number, route in routes}
    engines = {m: SecretText(v) for m, v in by_model.items() if v is not None}
    digests = {name: v for name, v in values.items() if _SHA256.fullmatch(v)}
    clients = enumerate(last.clients if last else ())
    known = {c.name: digests[v] for n, c in clients if (v := client_variable(n)) in digests}
    return GatewayKeys(
        {m: v for m, v in engines.items() if secret_problem(v, "key") is None},
        digests.get(CLIENT),
        known,
    )


def old_keys(
    spec: GatewaySpec, last: GatewaySpec | None, delivered: bytes | None, keys: GatewayKeys
) -> Mapping[str, SecretText]:
    """Model -> its previous key, where servers of it still have that one; read from `delivered`,
    the `keys.cfg` of `last`. A rotation that was interrupted left two keys: the previous one is
    the one that differs from the current key.
    """
    delivered_values = _values(delivered)
    indices = {route.model: n for n, route in enumerate(last.routes if last else ())}
    previous = {}
    for route in spec.routes:
        if not route.has_old_keys or route.model not in indices:
            continue
        current = keys.engines.get(route.model) if route.api_key else None
        number = indices[route.model]
        names = (old_key_name(number), key_name(number))
        candidates = (SecretText(delivered_values[n]) for n in names if n in delivered_values)
        key = next((k for k in candidates if k != current), None)
        if key is not None:
            previous[route.model] = key
    return previous


def _placeholder(ref: SecretRef) -> SecretText:
    return SecretText(f"<{describe(ref)}>")


def _values(keys: bytes | None) -> dict[str, str]:
    return haproxy_values((keys or b"").decode(errors="surrogateescape"))
