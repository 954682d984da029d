"""What cordons mean for a plan: what they cover is left as it is. Pure."""

from collections.abc import Iterator, Mapping

from xgen_deploy.frozen import replace
from xgen_deploy.resolve.host import Resolved
from xgen_deploy.state.cordon import Cordon
from xgen_deploy.state.instance_config import InstanceConfig
from xgen_deploy.state.observation import Observation, Observed
from xgen_deploy.state.plan import HostPlan
from xgen_deploy.state.record import InstanceRecord, Record

Covered = Mapping[str, Cordon]


def in_force(
    observed: Observed, now: float, *, lifting: Mapping[str, str] | None = None
) -> Observed:
    """With the records as cordons leave them at this moment; `lifting`: host -> the key of the one
    that is to end. What nothing changes for is the same object."""
    return {
        name: _in_force(o, now, (lifting or {}).get(name)) if isinstance(o, Observation) else o
        for name, o in observed.items()
    }


def _in_force(observation: Observation, now: float, lifting: str | None) -> Observation:
    if observation.record is None:
        return observation
    record = observation.record.in_force(now, lifting=lifting)
    return observation if record is observation.record else replace(observation, record=record)


def covered_instances(
    record: Record, declared: tuple[InstanceConfig, ...], resolved: Resolved
) -> Covered:
    """Instances on what is out of service, where their cards can be told: by what they were applied
    on, what the manifest names, or what it resolves to."""
    if not record.cordons:
        return {}
    gpus = {i.name: (*i.spec.gpus, *(g.card for g in i.gpus if g.card)) for i in resolved.instances}
    return {
        config.name: cordon
        for config in declared
        for cordon in record.cordons
        if cordon.covers(_cards(config, record, gpus.get(config.name, ()), cordon))
    }


def _cards(
    config: InstanceConfig, record: Record, resolved: tuple[str, ...], cordon: Cordon
) -> Iterator[str]:
    yield from resolved
    last = record.instances.get(config.name)
    if last is not None:
        yield from last.spec.gpus
    stated = config.gpus if isinstance(config.gpus, tuple | list) else ()
    for ref in stated:
        if cordon.gpu is not None and ref == cordon.gpu.index:
            yield cordon.gpu.identity
        elif isinstance(ref, str):
            yield ref


def cordon_of(last: InstanceRecord, record: Record) -> Cordon | None:
    """The one that something which was applied is under."""
    return next((c for c in record.cordons if c.covers(last.spec.gpus)), None)


def without_covered(resolved: Resolved, covered: Covered) -> Resolved:
    """Nothing is to be done for these, and nothing that is wrong with them keeps the others."""
    return replace(
        resolved,
        instances=tuple(i for i in resolved.instances if i.name not in covered),
        refusals=tuple(r for r in resolved.refusals if r.instance not in covered),
    )


def with_covered(plan: HostPlan, covered: Covered, record: Record, resolved: Resolved) -> HostPlan:
    """The plan of the others, and what it says of these."""
    names = tuple(name for name in covered if name in record.instances)
    stopped = tuple(n for n in names if record.instances[n].stopped)
    digests = {i.name: i.digest for i in resolved.instances}
    waiting = (n for n in names if digests.get(n) != record.instances[n].digest)
    warnings = tuple(_warning(name, cordon, record, plan.host) for name, cordon in covered.items())
    return replace(
        plan,
        unchanged=plan.unchanged + names,
        stopped=plan.stopped + stopped,
        left_alone=(*plan.left_alone, *(n for n in names if n not in stopped)),
        waiting=(*plan.waiting, *waiting),
        warnings=plan.warnings + warnings,
    )


def _warning(name: str, cordon: Cordon, record: Record, host: str) -> str:
    last = record.instances.get(name)
    how = "is left as it is"
    if last is None or last.stopped is not None:
        how = "is not created" if last is None else "stays stopped"
    ends = f"`xgen-deploy uncordon MANIFEST {named(cordon, host)}` ends that"
    return f"{name} {how}: {cordon.clause}; {ends}"


def named(cordon: Cordon, host: str) -> str:
    """As `cordon` and `uncordon` take it."""
    return host if cordon.gpu is None else f"{host}:{cordon.gpu.index}"
