"""Monitoring's part of a plan, made after the gateways'. Pure."""

from collections.abc import Iterator, Mapping
from functools import partial

from xgen_deploy.errors import XgenError
from xgen_deploy.faults import guarded
from xgen_deploy.frozen import replace
from xgen_deploy.plan.diff import flat
from xgen_deploy.plan.host_plan import refused_plan
from xgen_deploy.plan.monitoring_drift import monitoring_drift
from xgen_deploy.resolve.monitoring import (
    NotWatched,
    ends_soon,
    monitoring_warnings,
    remade_certificates,
    resolve_monitoring,
)
from xgen_deploy.state.monitoring import MonitoringRecord, MonitoringSpec
from xgen_deploy.state.monitoring_config import EXPORTER, MONITORING, Monitoring
from xgen_deploy.state.monitoring_paths import PROGRAMS
from xgen_deploy.state.observation import Observation, records_of
from xgen_deploy.state.plan import FieldDiff, HostPlan, Kind, Operation
from xgen_deploy.state.record import Record
from xgen_deploy.state.site import Site

NOTHING = MonitoringSpec()


def with_monitoring(
    site: Site,
    plans: Mapping[str, HostPlan],
    observations: Mapping[str, Observation],
    new_secrets: Mapping[str, bool | None],
    now: float,
) -> dict[str, HostPlan]:
    """The plans with an operation for each host whose monitoring changes. With `--limit MODEL`
    none: it is nobody's model. `new_secrets` as in `with_gateways`.
    """
    if site.limited_models:
        return dict(plans)
    changed = dict(plans)
    records = records_of(observations)
    for name, observation in observations.items():
        if name in records and name in plans:
            new = _new_secret(site, name, new_secrets)
            making = partial(_host, site, plans[name], records, observation, new, now)
            plan = guarded(name, making)
            if isinstance(plan, XgenError):
                refusals = plans[name].refusals + refused_plan(name, plan).refusals
                plan = replace(plans[name], refusals=refusals)
            changed[name] = plan
    return changed


def _host(
    site: Site,
    plan: HostPlan,
    records: Mapping[str, Record],
    observation: Observation,
    new_secret: bool | None,
    now: float,
) -> HostPlan:
    name, last, stated = observation.host, records[observation.host].monitoring, site.monitoring
    host, facts, layout = site.hosts[name], observation.facts, observation.layout
    spec = NOTHING
    if stated is not None:
        try:
            remade = remade_certificates(site, stated, records, now)
            spec = resolve_monitoring(site, stated, host, facts, layout, records, remade)
        except NotWatched as error:
            return replace(plan, refusals=(*plan.refusals, error.refusal))
        warnings = tuple(monitoring_warnings(site, stated, host, facts, layout))
        plan = replace(plan, warnings=plan.warnings + warnings)
    if spec == NOTHING:
        if last is None and not _unrecorded_units(observation):
            return plan
        removal = _removal(site, name, last)
        return replace(plan, operations=(removal, *plan.operations))
    if stated is not None and last is None and spec.needs_token and stated.host not in records:
        warning = (
            f"not watched yet: {stated.host}, where Prometheus runs, is not part of this plan, and "
            "it makes the token that exporters are asked with; apply without `--limit`"
        )
        return replace(plan, warnings=(*plan.warnings, warning))
    if new_secret is None and last is not None and last.spec.secrets:
        plan = replace(plan, secrets_kept=(*plan.secrets_kept, MONITORING))
    new = bool(new_secret) or _has_other_token(stated, last, records)
    operation = _change(name, spec, last, observation, new_secret=new, now=now)
    return replace(plan, operations=(*plan.operations, operation)) if operation else plan


def _new_secret(site: Site, host: str, new: Mapping[str, bool | None]) -> bool | None:
    """A stated token is compared on the host that shows it, and is for the others too."""
    stated = site.monitoring
    if stated is not None and stated.token is not None and new.get(stated.host):
        return True
    return new.get(host)


def _has_other_token(
    stated: Monitoring | None, last: MonitoringRecord | None, records: Mapping[str, Record]
) -> bool:
    """Whether the monitoring host shows another one than this host's exporter knows, or is to make
    one first.
    """
    if stated is None or last is None or stated.host not in records:
        return False
    shown = records[stated.host].monitoring
    if shown is None or shown.spec.server is None:
        return True
    return shown.token_digest != last.token_digest


def _change(
    host: str,
    spec: MonitoringSpec,
    last: MonitoringRecord | None,
    observation: Observation,
    *,
    new_secret: bool,
    now: float,
) -> Operation | None:
    if last is None:
        return _operation(host, Kind.CREATE_MONITORING, "; ".join(_what(spec)), spec)
    causes = list(_updates(last, spec, new_secret=new_secret, now=now))
    drift = monitoring_drift(last, observation)
    if causes:
        diff = _diff(last.spec, spec)
        cause = "; ".join([*causes, *drift])
        operation = _operation(host, Kind.UPDATE_MONITORING, cause, spec)
        return replace(operation, diff=diff, notes=(cause,) if diff else ())
    if drift:
        return _operation(host, Kind.REPAIR_MONITORING, "; ".join(drift), spec)
    return None


def _updates(
    last: MonitoringRecord, spec: MonitoringSpec, *, new_secret: bool, now: float
) -> Iterator[str]:
    if last.digest != spec.digest:
        yield from _moved(last.spec, spec)
        paths = [d.path for d in _diff(last.spec, spec)]
        if paths:
            yield f"changed: {', '.join(paths)}"
    if new_secret:
        yield "the value of a secret changed"
    if spec.exporter is not None and ends_soon(last, now):
        yield "the exporter's certificate is about to end"


def _moved(before: MonitoringSpec, after: MonitoringSpec) -> Iterator[str]:
    """`+1 target`, or none where Prometheus' targets are the same."""
    old = {t.host: t for t in before.server.targets} if before.server else {}
    new = {t.host: t for t in after.server.targets} if after.server else {}
    if not old or not new:
        return
    more, less = len(new.keys() - old.keys()), len(old.keys() - new.keys())
    parts = [f"+{_count(more)}"] if more else []
    parts += [f"-{_count(less)}"] if less else []
    other = [h for h in old.keys() & new.keys() if old[h] != new[h]]
    parts += [f"{_count(len(other))} changed"] if other else []
    if parts:
        yield ", ".join(parts) + ", no interruption"


def _count(number: int) -> str:
    return f"{number} target{'s'[: number != 1]}"


def _what(spec: MonitoringSpec) -> Iterator[str]:
    if spec.exporter is not None:
        yield f"exporter on port {spec.exporter.port}"
    if spec.server is not None:
        yield f"Prometheus on port {spec.server.port} with {_count(len(spec.server.targets))}"
        if spec.server.alertmanager is not None and spec.server.alerts is not None:
            yield f"Alertmanager on port {spec.server.alerts.port}"
        if spec.server.grafana_program is not None and spec.server.grafana is not None:
            yield f"Grafana on port {spec.server.grafana.port}"


def _diff(before: MonitoringSpec, after: MonitoringSpec) -> tuple[FieldDiff, ...]:
    """The fields that changed, except the targets."""
    old, new = _settings(before), _settings(after)
    return tuple(
        FieldDiff(path=path, before=old.get(path), after=new.get(path))
        for path in sorted(old.keys() | new.keys())
        if old.get(path) != new.get(path)
    )


def _settings(spec: MonitoringSpec) -> dict[str, object]:
    hidden: dict[str, bool | set[str]] = {"spec_version": True, "server": {"targets"}}
    return flat(spec.model_dump(mode="json", exclude=hidden, exclude_none=True))


def _unrecorded_units(observation: Observation) -> bool:
    """Units that an apply wrote and did not get to record."""
    layout = observation.layout
    names = (f"{layout.service(name)}.service" for name in (EXPORTER, *PROGRAMS))
    units = {unit.name: unit for unit in observation.facts.services}
    recorded = observation.record.instances if observation.record else {}
    ours = {f"{layout.service(i)}.service" for i in recorded}
    return any(n in units and units[n].sha256 is not None for n in names if n not in ours)


def _removal(site: Site, host: str, last: MonitoringRecord | None) -> Operation:
    cause = "no longer in the manifest" if site.declared else "the project is removed"
    kept = last is not None and last.spec.server is not None
    return Operation(
        id=f"{host}/{MONITORING}",
        host=host,
        name=MONITORING,
        kind=Kind.REMOVE_MONITORING,
        cause=cause,
        notes=("what Prometheus kept is deleted",) if kept else (),
    )


def _operation(host: str, kind: Kind, cause: str, spec: MonitoringSpec) -> Operation:
    return Operation(
        id=f"{host}/{MONITORING}",
        host=host,
        name=MONITORING,
        kind=kind,
        cause=cause,
        monitoring=spec,
    )
