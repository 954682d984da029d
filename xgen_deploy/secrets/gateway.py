"""A gateway's keys: current values, or those delivered before where one is not at hand or an
instance still waits for the change of its reference.
"""

import re
import secrets
from dataclasses import dataclass

from xgen_deploy.gateway.keys import GatewayKeys, client_digest, delivered_keys
from xgen_deploy.secret_text import SecretText
from xgen_deploy.secrets.delivered import InstanceSecrets
from xgen_deploy.secrets.resolver import NotAtHand, NotStated, SecretResolver
from xgen_deploy.secrets.source import HostFiles
from xgen_deploy.state.gateway import GatewaySpec
from xgen_deploy.state.gateway_paths import keys_file, proof_key_file
from xgen_deploy.state.layout import Layout
from xgen_deploy.state.record import Record
from xgen_deploy.state.routes import Route
from xgen_deploy.state.secret_uses import GATEWAY_KEY, SecretUse, engine_key, route_key
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
        client = self._client(spec.api_key, known) if spec.api_key else None
        return GatewayKeys(engines, client, self._proof() if spec.api_key else None)

    def asking(self, spec: GatewaySpec) -> SecretText | None:
        """The key for requests to the gateway: the clients', else its own; None where neither is at
        hand or none is required."""
        if spec.api_key is None:
            return None
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
            differences.append(self._differs(GATEWAY_KEY, last.api_key, known.client))
        if True in differences:
            return True
        return None if None in differences else False

    def delivered(self) -> GatewayKeys:
        return delivered_keys(self._last(), self.on.session.read_file(keys_file(self.layout)))

    def _differs(
        self, use: SecretUse, ref: SecretRef, given: SecretText | str | None
    ) -> bool | None:
        try:
            now = self.resolver.value(use, ref, self.on)
        except NotAtHand:
            return None
        except NotStated:
            return False
        return given != (client_digest(now) if use == GATEWAY_KEY else now)

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

    def _client(self, ref: SecretRef, known: GatewayKeys) -> str:
        try:
            return client_digest(self.resolver.value(GATEWAY_KEY, ref, self.on))
        except (NotAtHand, NotStated):
            last = self._last()
            if last is not None and last.api_key == ref and known.client is not None:
                return known.client
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
