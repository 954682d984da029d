"""The secrets of Prometheus and what belongs to it: current values, or those delivered before."""

import re
from collections.abc import Callable
from dataclasses import dataclass

from xgen_deploy.render.rendered import File
from xgen_deploy.secrets.resolver import NotAtHand, NotStated, SecretResolver
from xgen_deploy.secrets.source import HostFiles
from xgen_deploy.state.layout import Layout
from xgen_deploy.state.monitoring import MonitoringSpec, ServerSpec
from xgen_deploy.state.monitoring_config import ALERTMANAGER, GRAFANA, PROMETHEUS, Alerts
from xgen_deploy.state.monitoring_paths import credential, token_file
from xgen_deploy.state.secret_uses import (
    ALERT_WEBHOOK,
    GRAFANA_PASSWORD,
    HEARTBEAT,
    MAIL_PASSWORD,
    SCRAPE_TOKEN,
    prometheus_password,
)
from xgen_deploy.state.settings import SecretRef
from xgen_deploy.watch.alertmanager import alertmanager_config
from xgen_deploy.watch.prometheus import web_config
from xgen_deploy.watch.server_units import ADMIN_PASSWORD, LOGIN, RECEIVERS, WEB, has_web

_HASH = re.compile(r"""^\s+["']?([A-Za-z0-9_.-]+)["']?: *["']?(\$2[aby]\$[^"'\s]{56})""", re.M)


@dataclass(frozen=True)
class ServerSecrets:
    """Of the monitoring host, which is connected."""

    resolver: SecretResolver
    on: HostFiles
    layout: Layout

    def files(self, spec: ServerSpec, before: ServerSpec | None) -> tuple[File, ...]:
        """Those with secrets, but for the token's. What is not at hand stays as it was delivered
        for the same reference `before`. Raises XgenError where it was not.
        """
        files: list[File] = []
        if has_web(spec):
            users = before is not None and before.users == spec.users
            files.append(self._file(PROMETHEUS, WEB, lambda: self._web(spec), kept=users))
        alerts = spec.alerts
        if alerts is not None and spec.alertmanager is not None:
            kept = before is not None and before.alerts == alerts
            receivers = self._file(
                ALERTMANAGER, RECEIVERS, lambda: self._receivers(alerts), kept=kept
            )
            files.append(receivers)
        password = spec.grafana.admin_password if spec.grafana else None
        if password is not None:
            kept = before is not None and before.grafana == spec.grafana
            text = self._file(GRAFANA, ADMIN_PASSWORD, lambda: self._password(password), kept=kept)
            files.append(text)
        user = next(iter(spec.users), None)
        if user is not None and spec.grafana_program is not None:
            kept = before is not None and before.users == spec.users
            text = self._file(GRAFANA, LOGIN, lambda: self._login(spec, user), kept=kept)
            files.append(text)
        return tuple(files)

    def differ(self, spec: MonitoringSpec) -> bool | None:
        """Whether a value differs from the delivered one; None where one is not at hand. `spec` is
        the recorded one: references that the manifest no longer has are ignored here.
        """
        server = spec.server
        if server is None:
            return False
        try:
            texts = {f.path: f.content for f in self.files(server, None)}
            if server.token is not None:
                value = self.resolver.value(SCRAPE_TOKEN, server.token, self.on)
                texts[token_file(self.layout)] = value.reveal()
        except NotAtHand:
            return None
        except NotStated:
            return False
        return any(self._delivered(path) != text for path, text in texts.items())

    def password_of(self, spec: ServerSpec, user: str) -> str | None:
        """To ask Prometheus with; None where it is not at hand."""
        try:
            use = prometheus_password(user)
            return self.resolver.value(use, spec.users[user], self.on).reveal()
        except NotAtHand:
            return None

    def _file(self, program: str, name: str, text: Callable[[], str], *, kept: bool) -> File:
        path = f"{self.layout.settings(program)}/{name}"
        try:
            content = text()
        except NotAtHand:
            delivered = self._delivered(path) if kept else None
            if delivered is None:
                raise
            content = delivered
        return File(path, content, 0o600, secret=True)

    def _delivered(self, path: str) -> str | None:
        content = self.on.session.read_file(path)
        return content.decode(errors="replace") if content is not None else None

    def _web(self, spec: ServerSpec) -> str:
        """With the hash of each password; one that still fits stays: each new one is another."""
        path = f"{self.layout.settings(PROMETHEUS)}/{WEB}"
        known = dict(_HASH.findall(self._delivered(path) or ""))
        hashes = {u: self._hash(u, ref, known.get(u)) for u, ref in spec.users.items()}
        cert, key = (
            credential(self.layout, PROMETHEUS, name) if spec.tls else None
            for name in ("tls.crt", "tls.key")
        )
        return web_config(cert, key, hashes)

    def _hash(self, user: str, ref: SecretRef, known: str | None) -> str:
        import bcrypt

        password = self.resolver.value(prometheus_password(user), ref, self.on).reveal().encode()
        if known is not None and bcrypt.checkpw(password[:72], known.encode()):
            return known
        return bcrypt.hashpw(password[:72], bcrypt.gensalt(rounds=10)).decode()

    def _receivers(self, alerts: Alerts) -> str:
        email = alerts.email.password if alerts.email else None
        stated = (
            ("webhook", ALERT_WEBHOOK, alerts.webhook),
            ("heartbeat", HEARTBEAT, alerts.heartbeat),
            ("email.password", MAIL_PASSWORD, email),
        )
        values = {
            place: self.resolver.value(use, ref, self.on).reveal()
            for place, use, ref in stated
            if ref is not None
        }
        return alertmanager_config(alerts, values)

    def _login(self, spec: ServerSpec, user: str) -> str:
        return self.resolver.value(prometheus_password(user), spec.users[user], self.on).reveal()

    def _password(self, ref: SecretRef) -> str:
        return self.resolver.value(GRAFANA_PASSWORD, ref, self.on).reveal()
