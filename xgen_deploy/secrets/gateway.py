"""A gateway's keys: current values, or those delivered before where one is not at hand or an
instance still waits for the change of its reference.
"""

import re
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from xgen_deploy.errors import XgenError
from xgen_deploy.gateway.keys import GatewayKeys, client_digest, delivered_keys
from xgen_deploy.secret_text import SecretText
from xgen_deploy.secrets.delivered import InstanceSecrets
from xgen_deploy.secrets.resolver import NotAtHand, NotStated, SecretResolver
from xgen_deploy.secrets.source import HostFiles
from xgen_deploy.state.gateway import Client, GatewaySpec
from xgen_deploy.state.gateway_paths import keys_file, proof_key_file
from xgen_deploy.state.layout import Layout
from xgen_deploy.state.record import Record
from xgen_deploy.state.routes import Route
from xgen_deploy.state.secret_uses import (
    GATEWAY_KEY,
    SecretUse,
    client_key,
    engine_key,
    route_key,
)
from xgen_deploy.state.settings import SecretRef

_BYTES = 32
_OWN_KEY = re.compile("[A-Za-z0-9_-]{43}")


@dataclass(frozen=True)
class GatewaySecrets:
    """The keys of the gateway on a connected host. `record` is the host's."""

    resolver: SecretResolver
    on: HostFiles
    layout: Layout
    record: Record

    def keys(self, spec: GatewaySpec) -> GatewayKeys:
        """All keys. Raises XgenError for one that is neither at hand nor delivered."""
        known = self.delivered()
        engines = {r.model: self._engine(r, r.api_key, known) for r in spec.routes if r.api_key}
        last = self._last()
        same = last is not None and last.api_key == spec.api_key
        client = None
        if spec.api_key:
            client = self._digest(GATEWAY_KEY, spec.api_key, known.client if same else None)
        before = {c.name: known.clients.get(c.name) for c in _same_clients(spec, last)}
        clients = {
            c.name: self._digest(client_key(c.name), c.key, before.get(c.name))
            for c in spec.clients
        }
        _check_distinct(clients, client)
        return GatewayKeys(engines, client, clients, self._proof() if spec.asks_for_key else None)

    def asking(self, spec: GatewaySpec) -> SecretText | None:
        """The key for requests to the gateway: the clients', else its own; None where neither is at
        hand or none is required."""
        if not spec.asks_for_key:
            return None
        if spec.api_key is None:
            return self._own_key()
        try:
            return self.resolver.value(GATEWAY_KEY, spec.api_key, self.on)
        except (NotAtHand, NotStated):
            return self._own_key()

    def differ(self) -> bool | None:
        """Whether a value differs from the delivered one; None where one is not at hand. References
        that the manifest no longer has are ignored here: the plan shows them.
        """
        last, known = self._last(), self.delivered()
        if last is None:
            return False
        differences = [
            self._differs(route_key(r.model), r.api_key, known.engines.get(r.model))
            for r in last.routes
            if r.api_key is not None
        ]
        if last.api_key is not None:
            differences.append(self._digest_differs(GATEWAY_KEY, last.api_key, known.client))
        for client in last.clients:
            digest = known.clients.get(client.name)
            differences.append(self._digest_differs(client_key(client.name), client.key, digest))
        if True in differences:
            return True
        return None if None in differences else False

    def delivered(self) -> GatewayKeys:
        return delivered_keys(self._last(), self.on.session.read_file(keys_file(self.layout)))

    def _digest_differs(self, use: SecretUse, ref: SecretRef, given: str | None) -> bool | None:
        return self._differs(use, ref, given, client_digest)

    def _differs(
        self,
        use: SecretUse,
        ref: SecretRef,
        given: SecretText | str | None,
        delivered_as: Callable[[SecretText], SecretText | str] = lambda key: key,
    ) -> bool | None:
        try:
            now = self.resolver.value(use, ref, self.on)
        except NotAtHand:
            return None
        except NotStated:
            return False
        return given != delivered_as(now)

    def _engine(self, route: Route, ref: SecretRef, known: GatewayKeys) -> SecretText:
        try:
            return self.resolver.value(route_key(route.model), ref, self.on)
        except (NotAtHand, NotStated) as error:
            last = self._last()
            known_routes = {(r.model, r.api_key) for r in (last.routes if last else ())}
            same = (route.model, ref) in known_routes
            value = known.engines.get(route.model) if same else self._local(route, ref)
            if value is not None:
                return value
            servers = ", ".join(f"{s.host}/{s.instance}" for s in route.servers)
            raise type(error)(f"{error}. It is the key of {servers or route.model}") from None

    def _local(self, route: Route, ref: SecretRef) -> SecretText | None:
        """The key that was delivered to an instance on the gateway's own host."""
        for server in route.servers:
            last = self.record.instances.get(server.instance)
            if server.host == self.on.host and last is not None and last.spec.api_key == ref:
                of_server = InstanceSecrets(
                    self.resolver, self.on, self.layout, server.instance, last
                )
                return of_server.delivered().get(engine_key(server.host, server.instance))
        return None

    def _digest(self, use: SecretUse, ref: SecretRef, delivered: str | None) -> str:
        """Of a client's key; `delivered` is what was delivered for this very reference."""
        try:
            return client_digest(self.resolver.value(use, ref, self.on))
        except (NotAtHand, NotStated):
            if delivered is not None:
                return delivered
            raise

    def _proof(self) -> SecretText:
        """The gateway's own key, generated once and kept over later changes."""
        return self._own_key() or SecretText(secrets.token_urlsafe(_BYTES))

    def _own_key(self) -> SecretText | None:
        content = self.on.session.read_file(proof_key_file(self.layout))
        text = (content or b"").decode(errors="replace")
        return SecretText(text) if _OWN_KEY.fullmatch(text) else None

    def _last(self) -> GatewaySpec | None:
        return self.record.gateway.spec if self.record.gateway else None


def _same_clients(spec: GatewaySpec, last: GatewaySpec | None) -> tuple[Client, ...]:
    """Whose keys have the references that they had before."""
    before = {(c.name, c.key) for c in (last.clients if last else ())}
    return tuple(c for c in spec.clients if (c.name, c.key) in before)


def _check_distinct(clients: Mapping[str, str], common: str | None) -> None:
    """Raises XgenError for two with one key: nobody could tell them apart."""
    holders = {common: "gateway.api_key"} if common else {}
    for name, digest in clients.items():
        first = holders.setdefault(digest, f"client {name}")
        if first != f"client {name}":
            raise XgenError(
                f"gateway: {first} and client {name} have the same key; give each its own"
            )
