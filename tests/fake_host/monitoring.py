"""What watches a host in memory: the exporter behind its socket, Prometheus, Alertmanager."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING

from xgen_deploy.state.layout import Layout
from xgen_deploy.state.monitoring_paths import shown_folder, token_file
from xgen_deploy.transport.base import Reply
from xgen_deploy.watch.exporter_paths import settings_file, tls_file

if TYPE_CHECKING:
    from tests.fake_host.host import FakeHost

BINARIES = ("/usr/bin/prometheus", "/usr/bin/prometheus-alertmanager")


class Watcher:
    """One process of `host`; `text` is its unit's."""

    ended = False
    address = r"listen-address=\S*?:(\d+)"

    def __init__(self, host: FakeHost, layout: Layout, text: str, run: str) -> None:
        self.host = host
        self.layout = layout
        self.run = run
        stated = re.search(self.address, text)
        self.port = int(stated[1]) if stated else 0

    def log(self) -> str:
        return ""

    def request(self, method: str, path: str, key: str | None) -> Reply:
        raise NotImplementedError


class FakeExporter(Watcher):
    """Answers who shows the token that its settings have the digest of."""

    address = r"ListenStream=\S*?:(\d+)"

    def request(self, method: str, path: str, key: str | None) -> Reply:  # noqa: ARG002
        settings = json.loads(self.host.files[settings_file(self.layout)])
        if hashlib.sha256((key or "").encode()).hexdigest() != settings["token_sha256"]:
            return Reply(401, b"")
        return Reply(200, b"xgen_instance_up 1\n")


class FakePrometheus(Watcher):
    """Reaches an exporter with its token, whose certificate it knows."""

    def request(self, method: str, path: str, key: str | None) -> Reply:  # noqa: ARG002
        if not path.startswith("/api/v1/targets"):
            return Reply(200, b"prometheus_config_last_reload_successful 1\n")
        folder = shown_folder(self.layout, "prometheus")
        entries = json.loads(self.host.files[f"{folder}/targets.json"])
        known = self.host.files[f"{folder}/ca.pem"].decode()
        active = [self._target(e["targets"][0], e["labels"], known) for e in entries]
        return Reply(200, json.dumps({"data": {"activeTargets": active}}).encode())

    def _target(self, place: str, labels: Mapping[str, str], known: str) -> dict[str, object]:
        address, _, port = place.rpartition(":")
        host = self.host.peers.get(address, self.host)
        token = self.host.files[token_file(self.layout)].decode()
        reply = host.request("GET", int(port), "/metrics", b"", token)
        pem = host.files.get(tls_file(self.layout), b"-").decode()
        error = "" if reply.status == 200 else f"server returned {reply.status}"
        if not error and pem.partition("-----BEGIN PRIVATE")[0] not in known:
            error = "x509: certificate signed by unknown authority"
        return {"labels": labels, "health": "down" if error else "up", "lastError": error}


class FakeAlertmanager(Watcher):
    """A receiver whose address has `refused` in it takes nothing."""

    sent = failed = 0

    def request(self, method: str, path: str, key: str | None) -> Reply:  # noqa: ARG002
        if method == "POST":
            self.sent += 1
            config = self.host.files[f"{self.layout.settings('alertmanager')}/alertmanager.yml"]
            self.failed += b"refused" in config
            return Reply(200, b"")
        counts = "".join(
            f'alertmanager_notification_requests_{name}total{{integration="webhook"}} {count}\n'
            for name, count in (("", self.sent), ("failed_", self.failed))
        )
        return Reply(200, counts.encode())


_WATCHERS: Mapping[str, type[Watcher]] = {
    "exporter.socket": FakeExporter,
    "prometheus.service": FakePrometheus,
    "alertmanager.service": FakeAlertmanager,
}


def watcher(host: FakeHost, layout: Layout, name: str, text: str, run: str) -> Watcher | None:
    """What a unit of monitoring runs; None where it is another one."""
    kind = _WATCHERS.get(name.removeprefix(layout.service("")))
    return kind(host, layout, text, run) if kind is not None and "X-Xgen" in text else None
