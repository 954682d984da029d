"""The state of every instance, from one observation of the hosts. Pure."""

from typing import Literal

from xgen_deploy.backends.log_errors import complaint
from xgen_deploy.backends.registry import backend_named, sharing_slots_of
from xgen_deploy.bounded_json import read_json
from xgen_deploy.frozen import Frozen
from xgen_deploy.limits import PAGE
from xgen_deploy.plan.drift import crash_loop_clause, is_crash_looping, pausing
from xgen_deploy.state.exit_status import exit_words
from xgen_deploy.state.facts import HealthFacts, HostFacts, LockFacts, ServiceFacts
from xgen_deploy.state.forecast_record import ForecastRecord
from xgen_deploy.state.host import Host
from xgen_deploy.state.instance import Spec
from xgen_deploy.state.layout import Layout
from xgen_deploy.state.load_report import DeviceReport, DraftReport, LoadReport
from xgen_deploy.state.lock import lock_status
from xgen_deploy.state.record import InstanceRecord, Record
from xgen_deploy.state.site import Site
from xgen_deploy.state.stopped import Stopped
from xgen_deploy.verify.memory_compare import misjudged
from xgen_deploy.verify.next_start import start_warnings
from xgen_deploy.visible import on_one_line

_SHOWN = 1000
State = Literal[
    "loading",
    "running",
    "failed",
    "stopping",
    "stopped",
    "putting back",
    "absent",
    "unknown",
]


class Status(Frozen):
    """One instance, in the contract's words. `gpus` are indices in PCI order, `devices` what the
    engine reports that it uses, `draft` the load of a draft model, `since` seconds since the epoch;
    None is unknown. `shared_context`: its `slots` share one context. `build` is the engine's own
    word for its version, `digest` the spec's; `model_sha256` is known where the manifest states it,
    `model_state` changes with the model's file; `unit_version` is of its unit's templates, `apply`
    the number of its last change. `warnings` are clauses about what its next start would meet, and
    about a forecast of its memory that was wrong; `forecast` is what was told before it started.
    """

    model_id: str
    host: str
    instance: str
    status: State
    backend: str | None = None
    endpoint: str | None = None
    port: int | None = None
    gpus: tuple[int, ...] | None = None
    n_gpu_layers: int | str | None = None
    offloaded_layers: int | None = None
    total_layers: int | None = None
    context_length: int | None = None
    slots: int | None = None
    shared_context: bool = False
    server_type: str | None = None
    restarts: int | None = None
    since: float | None = None
    reason: str | None = None
    devices: tuple[DeviceReport, ...] | None = None
    draft: DraftReport | None = None
    build: str | None = None
    digest: str | None = None
    model_sha256: str | None = None
    model_state: str | None = None
    unit_version: int | None = None
    apply: int | None = None
    warnings: tuple[str, ...] = ()
    forecast: ForecastRecord | None = None


def unknown_statuses(site: Site, host: str, reason: str) -> tuple[Status, ...]:
    """For a host that could not be observed."""
    return tuple(
        Status(model_id=d.model, host=host, instance=d.name, status="unknown", reason=reason)
        for d in site.on(host)
    )


def host_statuses(
    site: Site, host: Host, facts: HostFacts, record: Record, layout: Layout
) -> tuple[Status, ...]:
    """The instances of the manifest on this host, then those that only the record has."""
    error = facts.errors.get("services")
    if error is not None:
        reason = f"the probe could not read its services: {error}"
        return unknown_statuses(site, host.name, reason)
    declared = {d.name: d.model for d in site.on(host.name)}
    if not site.limited_models:
        declared |= {n: r.spec.model for n, r in record.instances.items() if n not in declared}
    health = {h.instance: h for h in facts.health}
    return tuple(
        _status(
            name,
            model,
            host,
            facts,
            record,
            facts.service(layout.service(record.name_on_host(name))),
            health.get(name),
        )
        for name, model in declared.items()
    )


def _status(
    name: str,
    model: str,
    host: Host,
    facts: HostFacts,
    record: Record,
    service: ServiceFacts | None,
    health: HealthFacts | None,
) -> Status:
    last = record.instances.get(name)
    if last is None:
        pending = _creating(facts.lock) if name in record.pending else None
        return Status(
            model_id=model,
            host=host.name,
            instance=name,
            status="absent",
            reason=pending or _failed_at_last(record, name) or "not applied yet",
        )
    state, reason = _state(service, health)
    if last.stopped is not None and state in ("stopped", "failed", "absent"):
        state, reason = "stopped", _stopped_clause(last.stopped)
    lock = lock_status(facts.lock)
    if name in record.pending and lock is not None and lock.putting_back:
        state = "putting back"
        reason = "a change was interrupted; the host brings back the version before"
    given_up = _given_up(facts.heal, name)
    if given_up is not None and state != "running":
        state, reason = "failed", given_up
    failed = _failed_at_last(record, name)
    spec, report = last.spec, current_report(last, service, health)
    index = {name: g.index for g in facts.gpu.gpus for name in g.names}
    address = host.client_address or host.address or host.name
    loopback = spec.listen in ("127.0.0.1", "::1", "localhost")
    return Status(
        model_id=spec.model,
        host=host.name,
        instance=name,
        status=state,
        backend=spec.backend,
        endpoint=f"http://{'127.0.0.1' if loopback else address}:{spec.port}/v1",
        port=spec.port,
        gpus=tuple(index[g] for g in spec.gpus if g in index),
        n_gpu_layers=_layers(spec),
        offloaded_layers=report.offloaded if report else None,
        total_layers=report.total_layers if report else None,
        context_length=report.context if report else None,
        slots=report.slots if report else None,
        shared_context=sharing_slots_of(spec) is not None,
        server_type=spec.type,
        restarts=service.restarts if service else None,
        since=service.since if service else None,
        reason=reason,
        devices=report.devices if report else None,
        build=_build(report) or _build(last.report),
        digest=last.digest,
        model_sha256=spec.sha256,
        model_state=spec.model_state,
        unit_version=last.unit_version,
        apply=last.apply,
        warnings=(
            *start_warnings(spec, facts),
            *([failed] if failed else []),
            *misjudged(spec, last.forecast, report),
        ),
        forecast=last.forecast,
        draft=report.draft if report else None,
    )


def _build(report: LoadReport | None) -> str | None:
    return report.version if report else None


def _stopped_clause(stopped: Stopped) -> str:
    if stopped.cordon is not None:
        return f"cordoned by {stopped.by}; `xgen-deploy uncordon` starts it"
    return f"stopped by {stopped.by}; `xgen-deploy start` starts it"


def _creating(lock: LockFacts | None) -> str:
    """Why there is something that was never applied whole."""
    status = lock_status(lock)
    if status is not None and status.at_work:
        return f"it is being created right now, by {status.owner.clause}"
    return "an apply began to create it and did not finish"


def _failed_at_last(record: Record, name: str) -> str | None:
    """Why the last apply failed for this instance, in the engine's own words where it has some."""
    last = record.last_apply
    sentence = last.failures.get(name) if last is not None else None
    if last is None or sentence is None:
        return None
    which = "apply" if last.what == "apply" else f"{last.what}, apply"
    return f"{which} #{last.number} failed: {sentence}"


def _given_up(heal: str | None, name: str) -> str | None:
    """Why the watchdog gave up restarting the engine; None where it did not."""
    try:
        reason = read_json(heal or "", PAGE)["instances"][name]["gave_up"]
    except (ValueError, KeyError, TypeError):
        return None
    return on_one_line(str(reason)[:_SHOWN])


def _layers(spec: Spec) -> int | None:
    """-1 is every layer; None where the engine has no such setting."""
    backend = backend_named(spec.backend)
    if backend is not None and not backend.offloads_layers:
        return None
    return -1 if spec.n_gpu_layers == "all" else (spec.n_gpu_layers or 0)


def _state(service: ServiceFacts | None, health: HealthFacts | None) -> tuple[State, str | None]:
    if service is None or service.sha256 is None:
        return "absent", "its unit is missing; `xgen-deploy apply` restores it"
    lines = (health.log or "").splitlines() if health else []
    if service.state == "failed":
        last_error = complaint(lines)
        words = exit_words(service.result, service.exit_status, lines)
        return "failed", f"{words} ({last_error})" if last_error else words
    if service.state == "deactivating" and not _ended_by_itself(service):
        return "stopping", "it is being stopped, or restarted"
    if service.state == "inactive":
        return "stopped", "not running; `xgen-deploy apply` starts it"
    if is_crash_looping(service):
        return "failed", crash_loop_clause(service, lines)
    if pausing(service):
        words = exit_words(service.result, service.exit_status, lines)
        return "loading", f"it exited ({words}) and is being restarted"
    if service.sub_state == "start-pre":
        return "loading", "its start waits for its GPU and its files"
    if health is None:
        return "unknown", "its health endpoint was not queried"
    if health.status == 200:
        return "running", None
    if health.status == 503 or health.status == 0:
        return "loading", None if health.status else "nothing answers on its port yet"
    return "failed", f"its health endpoint returns HTTP {health.status}"


def _ended_by_itself(service: ServiceFacts) -> bool:
    """An older systemd counts the pause before the next start as a part of the end."""
    return pausing(service) and service.result not in (None, "", "success")


def current_report(
    last: InstanceRecord, service: ServiceFacts | None, health: HealthFacts | None
) -> LoadReport | None:
    """The engine's report of its current start: the recorded one, or after a restart the one in
    its log. None where there is neither.
    """
    now = (health.run if health else None) or (service.invocation if service else None)
    if now is not None and now == last.invocation:
        return last.report if last.report and last.report.proves else None
    backend = backend_named(last.spec.backend)
    if health is None or not health.log or backend is None:
        return None
    return backend.read_report(health.log)
