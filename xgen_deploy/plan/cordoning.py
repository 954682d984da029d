"""`cordon` and `uncordon` as plans. Pure."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from xgen_deploy.errors import XgenError
from xgen_deploy.frozen import replace
from xgen_deploy.plan.build import maintenance_plan, make_plan
from xgen_deploy.plan.desired import DesiredState
from xgen_deploy.plan.drift import INACTIVE
from xgen_deploy.plan.file_drift import DISABLED
from xgen_deploy.plan.host_plan import Scope
from xgen_deploy.plan.maintenance import Request
from xgen_deploy.plan.out_of_service import in_force, named
from xgen_deploy.state.cordon import Cordon, card_there, cordoned_gpu
from xgen_deploy.state.observation import Observation, Observed
from xgen_deploy.state.plan import HostPlan, Operation, Plan
from xgen_deploy.state.record import Record
from xgen_deploy.state.repin import Repin
from xgen_deploy.state.site import Site


@dataclass(frozen=True)
class CordonRequest:
    """What is to be out of service, by whom and until when. `index` None: the whole host."""

    host: str
    index: int | None
    by: str
    until: float | None = None


@dataclass(frozen=True)
class UncordonRequest:
    """What is to be in service again."""

    host: str
    index: int | None


def cordon_plan(site: Site, observed: Observed, request: CordonRequest, *, now: float) -> Plan:
    """What runs there is stopped as `stop` does it. Raises XgenError for an unknown card."""
    observation = _seen(observed, request.host)
    if observation is None:
        return maintenance_plan(site, observed, _stopping(request.host), now=now)
    cordon = _cordon(observation, request, now)
    record = _record(observation).in_force(now)
    names = tuple(
        name
        for name, last in record.instances.items()
        if last.stopped is None and cordon.covers(last.spec.gpus)
    )
    plan = maintenance_plan(site, observed, _stopping(request.host, *names), now=now)
    cause = f"{cordon.clause}: it stays stopped; `xgen-deploy uncordon` ends that"
    return _with(
        plan,
        request.host,
        lambda host: replace(
            host,
            cordon=cordon,
            operations=tuple(_stop(o, cordon, cause) for o in host.operations),
        ),
    )


def uncordon_plan(
    site: Site,
    observed: Observed,
    desired: DesiredState,
    request: UncordonRequest,
    scope: Scope,
    *,
    now: float,
) -> Plan:
    """What it had stopped is brought up as the manifest has it now, through its gate, on the card
    that is there now. `scope` is the host's. Raises XgenError where nothing is cordoned.
    """
    observation = _seen(observed, request.host)
    if observation is None:
        return make_plan(site, observed, desired, _only(site, request.host, scope), now=now)
    record = _record(observation)
    cordon = _held(record, request)
    names = frozenset(
        n for n, i in record.instances.items() if i.stopped and i.stopped.cordon == cordon.key
    )
    scopes = _only(site, request.host, replace(scope, instances=names))
    freed = in_force(observed, now, lifting={request.host: cordon.key})
    plan = make_plan(site, freed, desired, scopes, now=now)
    gpus = observation.facts.gpu.gpus
    card = card_there(cordon.gpu, gpus) if cordon.gpu is not None else None
    return _with(
        plan,
        request.host,
        lambda host: replace(
            host,
            uncordon=cordon,
            card_now=card,
            operations=tuple(_started(o) for o in host.operations),
        ),
    )


def repin_for(request: UncordonRequest) -> Repin:
    """Another card under the cordoned index is what one expects."""
    if request.index is None:
        return Repin()
    return Repin(cards=frozenset({(request.host, request.index)}))


def _stopping(host: str, *names: str) -> Request:
    return Request("stop", {host: names})


def _stop(operation: Operation, cordon: Cordon, cause: str) -> Operation:
    return replace(operation, cordon=cordon.key, cause=cause)


def _started(operation: Operation) -> Operation:
    """Its unit is down because the cordon stopped it, not by hand."""
    stopped = f"{DISABLED}; {INACTIVE}"
    return replace(operation, cause=operation.cause.replace(stopped, "the cordon stopped it"))


def _seen(observed: Observed, host: str) -> Observation | None:
    observation = observed.get(host)
    return observation if isinstance(observation, Observation) else None


def _record(observation: Observation) -> Record:
    """Raises XgenError."""
    if observation.record is None:
        raise XgenError(f"{observation.host}: {observation.record_error}")
    return observation.record


def _cordon(observation: Observation, request: CordonRequest, now: float) -> Cordon:
    gpu = None
    if request.index is not None:
        gpus = {g.index: g for g in observation.facts.gpu.gpus}
        if request.index not in gpus:
            known = ", ".join(f"{i} ({g.device_name or g.identity})" for i, g in gpus.items())
            there = f"it has {known}" if gpus else "it has none that was found"
            raise XgenError(f"{request.host}: there is no GPU {request.index}; {there}")
        gpu = cordoned_gpu(gpus[request.index])
    return Cordon(by=request.by, at=now, until=request.until, gpu=gpu)


def _held(record: Record, request: UncordonRequest) -> Cordon:
    for cordon in record.cordons:
        index = None if cordon.gpu is None else cordon.gpu.index
        if index == request.index:
            return cordon
    place = request.host if request.index is None else f"{request.host}:{request.index}"
    known = ", ".join(named(c, request.host) for c in record.cordons)
    raise XgenError(f"{place} is not cordoned" + (f"; {known} is" if known else ""))


def _only(site: Site, host: str, scope: Scope) -> Mapping[str, Scope]:
    """Nothing is done on other hosts."""
    nothing = Scope(instances=frozenset())
    return {name: scope if name == host else nothing for name in site.hosts}


def _with(plan: Plan, host: str, change: Callable[[HostPlan], HostPlan]) -> Plan:
    hosts = {n: change(h) if n == host else h for n, h in plan.hosts.items()}
    return replace(plan, hosts=hosts)
