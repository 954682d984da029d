"""Checks of one instance: a real request of its type, and the engine's report of its start."""

import json

from xgen_deploy.backends.base import Backend
from xgen_deploy.backends.registry import backend_named
from xgen_deploy.backends.smoke_request import SmokeRequest
from xgen_deploy.bounded_json import read_json
from xgen_deploy.frozen import Frozen
from xgen_deploy.limits import PAGE
from xgen_deploy.secret_text import SecretText
from xgen_deploy.state.endpoint import local_address
from xgen_deploy.state.instance import Instance, Spec
from xgen_deploy.state.load_report import LoadReport
from xgen_deploy.state.record import InstanceRecord
from xgen_deploy.transport.base import Reply, Session
from xgen_deploy.verify.compare import differences
from xgen_deploy.verify.memory_compare import misjudged

TRIAL = 300.0
_ENDPOINT = 5.0


class Check(Frozen):
    """One check and its result; `found` says what is wrong, "" where it passed."""

    host: str
    instance: str
    what: str
    ok: bool
    found: str = ""


def check_report(instance: Instance, report: LoadReport | None) -> tuple[Check, ...]:
    """Devices, layers, context and sampling: the engine's report against the manifest."""
    if report is None:
        return (_check(instance, "engine report", "the engine's log has no report of its start"),)
    sentences = differences(instance, report)
    return tuple(_check(instance, "engine report", s) for s in sentences) or (
        _check(instance, "engine report", ""),
    )


def check_forecast(instance: Instance, last: InstanceRecord, report: LoadReport | None) -> Check:
    """That it was wrong is no difference: what runs is as it was asked for."""
    found = "; ".join(misjudged(last.spec, last.forecast, report))
    return Check(
        host=instance.host, instance=instance.name, what="memory forecast", ok=True, found=found
    )


def check_request(instance: Instance, session: Session, api_key: SecretText | None) -> Check:
    """Asks for one token, vector or score, on the host itself."""
    backend = backend_named(instance.spec.backend)
    if backend is None:
        return _check(
            instance, "real request", f"this version knows no backend {instance.spec.backend}"
        )
    return _check(
        instance,
        "real request",
        real_request(instance, backend.smoke_request(instance.spec), session, api_key),
    )


def real_request(
    instance: Instance, smoke_request: SmokeRequest, session: Session, api_key: SecretText | None
) -> str:
    """What was wrong with the response; "" where it was good. Raises HostError."""
    spec = instance.spec
    return wrong_with(smoke_request, ask(smoke_request, session, spec.listen, spec.port, api_key))


def ask(
    smoke_request: SmokeRequest,
    session: Session,
    listen: str,
    port: int,
    api_key: SecretText | None,
    *,
    timeout: float = TRIAL,
    tls: bool = False,
) -> Reply:
    """The response to a request that is made on the host itself. Raises HostError."""
    return session.request(
        "POST",
        local_address(listen),
        port,
        smoke_request.path,
        body=json.dumps(smoke_request.body).encode(),
        headers={"Content-Type": "application/json", **key_header(api_key)},
        timeout=timeout,
        tls=tls,
    )


def wrong_with(smoke_request: SmokeRequest, reply: Reply) -> str:
    """What was wrong with a response; "" where it was good."""
    if reply.status == 200 and _answered(reply.body, smoke_request.answered):
        return ""
    outcome = f"HTTP {reply.status}" if reply.status else "the connection was lost"
    text = reply.body.decode(errors="replace").strip()[:200]
    return f"{smoke_request.path}: {outcome} {text}".rstrip()


def get(session: Session, spec: Spec, path: str, api_key: SecretText | None) -> Reply:
    """GET of one of an engine's small endpoints, on the host itself."""
    return session.request(
        "GET",
        local_address(spec.listen),
        spec.port,
        path,
        headers=key_header(api_key),
        timeout=_ENDPOINT,
    )


def with_pages(
    report: LoadReport, backend: Backend, spec: Spec, session: Session, api_key: SecretText | None
) -> LoadReport:
    """The report with what the running engine's endpoints add."""
    for path in backend.report_endpoints:
        reply = get(session, spec, path, api_key)
        if reply.status == 200:
            report = backend.report_endpoint(report, path, reply.body.decode(errors="replace"))
    return report


def key_header(api_key: SecretText | None) -> dict[str, str]:
    """The header that carries the key, the same for every engine; {} without a key."""
    return {"Authorization": f"Bearer {api_key.reveal()}"} if api_key else {}


def check_recorded(instance: Instance, record: InstanceRecord | None) -> Check:
    """Whether what was applied last is what the manifest says now."""
    if record is None:
        return _check(instance, "applied", "never applied")
    same = record.digest == instance.digest
    return _check(
        instance, "applied", "" if same else "the manifest has changed since the last apply"
    )


def _check(instance: Instance, what: str, problem: str) -> Check:
    return Check(
        host=instance.host, instance=instance.name, what=what, ok=not problem, found=problem
    )


def _answered(body: bytes, key: str) -> bool:
    try:
        return bool(read_json(body, PAGE)[key])
    except (ValueError, KeyError, TypeError):
        return False
