"""The proof that monitoring works: every target was scraped, and a receiver was told."""

import json
import time

from xgen_deploy.apply.execution import Execution
from xgen_deploy.apply.host_context import HostContext
from xgen_deploy.apply.monitoring_server import OpenedServer, server_secrets
from xgen_deploy.state.monitoring import MonitoringRecord, MonitoringSpec, ServerSpec
from xgen_deploy.state.monitoring_config import ALERTMANAGER, PROMETHEUS
from xgen_deploy.transport.base import HostError
from xgen_deploy.verify.prometheus_api import PrometheusAPI, prometheus_api
from xgen_deploy.visible import printable
from xgen_deploy.watch.alertmanager import TEST

_ANSWER = 10.0
_OK = 200
_READY = 60.0
_SCRAPED = 30.0
_PAUSE = 0.5
_TOLD = 60.0
_NAMED = 5
_SENT = "alertmanager_notification_requests_total"
_FAILED = "alertmanager_notification_requests_failed_total"


def prove_server(
    execution: Execution,
    spec: MonitoringSpec,
    before: MonitoringRecord | None,
    opened: OpenedServer,
) -> str:
    """A clause. Raises HostError where Prometheus does not run, cannot read its settings, has not
    reached an exporter, or a new receiver was not told.
    """
    context, server = execution.context, spec.server
    if server is None:
        return ""
    api = prometheus_api(context.session, server, server_secrets(context))
    _await_ready(context, api)
    count = _await_targets(context, api)
    clauses = [f"Prometheus scrapes {count} of {count} targets"]
    last = before.spec.server if before else None
    if _has_new_receiver(server, last):
        _tell_receiver(context, server)
        clauses.append("its receiver was sent a test alert")
    if opened.restarted:
        clauses.append(f"started: {', '.join(opened.restarted)}")
    return "; ".join(clauses)


def _await_ready(context: HostContext, api: PrometheusAPI) -> None:
    deadline = time.monotonic() + _READY
    while (status := api.get("/-/ready").status) not in (200, 401):
        if time.monotonic() >= deadline:
            how = f"answers {status}" if status else "does not answer"
            port = api.spec.port
            raise HostError(context.name, f"Prometheus on port {port} {how}{_log(context)}")
        time.sleep(_PAUSE)
    if not api.has_read_settings:
        raise HostError(context.name, f"Prometheus cannot read its settings{_log(context)}")


def _await_targets(context: HostContext, api: PrometheusAPI) -> int:
    """How many there are, once each was scraped."""
    deadline = time.monotonic() + max(_SCRAPED, 4 * api.spec.interval)
    while bad := api.not_scraped():
        if time.monotonic() >= deadline:
            shown = "; ".join(f"{host}: {why}" for host, why in list(bad.items())[:_NAMED])
            raise HostError(context.name, f"Prometheus does not reach {shown}")
        time.sleep(_PAUSE)
    return sum(t.certificate is not None for t in api.spec.targets)


def _log(context: HostContext, program: str = PROMETHEUS) -> str:
    """The last that it said, without what is secret: an address of a receiver may be in it."""
    service = context.layout.service(program)
    manager = context.service_manager
    lines = manager.log(service, manager.state(service).run, lines=3).splitlines()
    return f": {printable(lines[-1][:300])}" if lines else ""


def _has_new_receiver(server: ServerSpec, last: ServerSpec | None) -> bool:
    alerts, before = server.alerts, last.alerts if last else None
    if alerts is None or not alerts.has_receiver:
        return False
    return before is None or (before.webhook, before.email) != (alerts.webhook, alerts.email)


def _tell_receiver(context: HostContext, server: ServerSpec) -> None:
    """Raises HostError where it was not told within a while."""
    port = server.alerts.port if server.alerts else 0
    deadline = time.monotonic() + _TOLD
    sent, failed = _notifications(context, port)
    posted = 0
    while True:
        if posted != _OK:
            posted = _post_alert(context, port)
        now_sent, now_failed = _notifications(context, port)
        if now_failed > failed:
            why = _log(context, ALERTMANAGER)
            raise HostError(context.name, f"the receiver of alerts could not be told{why}")
        if posted == _OK and now_sent > sent:
            return
        if time.monotonic() >= deadline:
            how = "sent no test alert" if posted == _OK else f"on port {port} does not answer"
            log = _log(context, ALERTMANAGER)
            raise HostError(context.name, f"Alertmanager {how} within a minute{log}")
        time.sleep(_PAUSE)


def _post_alert(context: HostContext, port: int) -> int:
    """The status of the answer."""
    project = context.layout.project
    summary = f"Test alert of {project}: its manifest names this receiver. Nothing is wrong."
    alert = {
        "labels": {"alertname": TEST, "severity": "info", "project": project},
        "annotations": {"summary": summary},
    }
    reply = context.session.request(
        "POST",
        "127.0.0.1",
        port,
        "/api/v2/alerts",
        body=json.dumps([alert]).encode(),
        headers={"Content-Type": "application/json"},
        timeout=_ANSWER,
    )
    return reply.status


def _notifications(context: HostContext, port: int) -> tuple[float, float]:
    """How many were sent, and how many of these failed, so far."""
    reply = context.session.request("GET", "127.0.0.1", port, "/metrics", timeout=_ANSWER)
    counts = {_SENT: 0.0, _FAILED: 0.0}
    for line in reply.body.decode(errors="replace").splitlines():
        name, _, rest = line.partition("{")
        if name in counts and 'integration="' in rest:
            try:
                counts[name] += float(rest.rpartition(" ")[2])
            except ValueError:
                continue
    return counts[_SENT], counts[_FAILED]
