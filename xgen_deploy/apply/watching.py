"""What the monitoring of all hosts shares while it is changed: the token, and the targets."""

import hashlib
import re
import secrets
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field

from xgen_deploy.apply.host_context import HostContext
from xgen_deploy.errors import XgenError
from xgen_deploy.resolve.monitoring import targets
from xgen_deploy.secret_text import SecretText
from xgen_deploy.secrets.resolver import NotAtHand
from xgen_deploy.state.monitoring import Target, pem_text
from xgen_deploy.state.monitoring_config import PROMETHEUS
from xgen_deploy.state.monitoring_paths import token_file
from xgen_deploy.state.record import Record
from xgen_deploy.state.secret_uses import SCRAPE_TOKEN
from xgen_deploy.state.site import Site

_BYTES = 32
_OWN_TOKEN = re.compile("[A-Za-z0-9_-]{43}")


@dataclass
class Watching:
    """`contexts` are of the hosts that are changed, `records` of all that were seen."""

    site: Site
    contexts: Mapping[str, HostContext]
    records: Mapping[str, Record]
    _making: threading.Lock = field(default_factory=threading.Lock)
    _token: SecretText | None = None

    def token(self) -> SecretText | None:
        """What exporters are asked with; None where the host that has it is not changed."""
        with self._making:
            if self._token is None:
                self._token = self._found()
            return self._token

    def token_digest(self, host: str) -> str:
        """Its SHA-256, for the exporter of a host. Raises XgenError where nobody knows it."""
        token = self.token()
        if token is not None:
            return hashlib.sha256(token.reveal().encode()).hexdigest()
        known = [self._record(n) for n in (self._server, host)]
        digests = (r.monitoring.token_digest for r in known if r and r.monitoring)
        digest = next((d for d in digests if d is not None), None)
        if digest is None:
            raise XgenError(
                f"{host}: the token that its exporter is to be asked with is made on "
                f"{self._server}, which is not changed by this apply; apply without `--limit`"
            )
        return digest

    def targets(self) -> tuple[Target, ...]:
        """As the records are right now."""
        stated = self.site.monitoring
        if stated is None:
            return ()
        own = self._record(stated.host)
        records = {**self.records, **{n: c.record for n, c in self.contexts.items()}}
        return targets(self.site, stated, records, own.monitoring if own else None)

    def certificates(self) -> str:
        """Of every exporter that there is, one after the other, PEM. Public."""
        names = (t.host for t in self.targets())
        known = (self._record(name) for name in names)
        certificates = (r.monitoring.certificate for r in known if r and r.monitoring)
        return "".join(pem_text(c) for c in certificates if c is not None)

    @property
    def _server(self) -> str:
        return self.site.monitoring.host if self.site.monitoring else ""

    def _record(self, host: str) -> Record | None:
        context = self.contexts.get(host)
        return context.record if context is not None else self.records.get(host)

    def _found(self) -> SecretText | None:
        stated, context = self.site.monitoring, self.contexts.get(self._server)
        if stated is None:
            return None
        on = context.files if context is not None else None
        if stated.token is not None:
            first = next(iter(self.contexts.values()))
            try:
                return first.secrets.value(SCRAPE_TOKEN, stated.token, on)
            except NotAtHand:
                delivered = _delivered(context) if context is not None else None
                if delivered is None:
                    raise
                return delivered
        return _own(context) if context is not None else None


def _delivered(context: HostContext) -> SecretText | None:
    content = context.session.read_file(token_file(context.layout))
    return SecretText(content.decode(errors="replace").strip()) if content else None


def _own(context: HostContext) -> SecretText:
    """The one that was made on the monitoring host; made now where there is none."""
    token = _delivered(context)
    if token is None or not _OWN_TOKEN.fullmatch(token.reveal()):
        token = SecretText(secrets.token_urlsafe(_BYTES))
        context.session.make_dir(context.layout.etc_dir, mode=0o700)
        context.session.make_dir(context.layout.settings(PROMETHEUS), mode=0o700)
        path = token_file(context.layout)
        context.session.write_file(path, token.reveal().encode(), mode=0o600)
    return token
