"""A gateway that an older version of this tool wrote: what is written anew, and when. Pure.

Its configuration needs no more than a reload: the next apply that works on its host does that.
Its unit would have to be started anew: only `--refresh` does that.
"""

from collections.abc import Mapping
from hashlib import sha256

from xgen_deploy.frozen import replace
from xgen_deploy.gateway.render import render_gateway
from xgen_deploy.plan.outdated import OLDER_UNIT
from xgen_deploy.render.rendered import Rendered
from xgen_deploy.render.templates import Templates
from xgen_deploy.render.unit_version import UNIT_VERSION
from xgen_deploy.state.gateway import GATEWAY, GatewayRecord, GatewaySpec
from xgen_deploy.state.layout import Layout
from xgen_deploy.state.observation import Observation
from xgen_deploy.state.plan import HostPlan, Kind, Operation

_RELOAD = "its configuration was written by an older xgen-deploy; reload, no interruption"
_RESTART = f"{OLDER_UNIT}; restart"


def with_refreshed_gateways(
    plans: Mapping[str, HostPlan],
    observations: Mapping[str, Observation],
    templates: Templates,
    refresh: frozenset[str],
) -> dict[str, HostPlan]:
    """The plans with what an older version's gateways need; `refresh` are the hosts where their
    units are written anew too.
    """
    changed = dict(plans)
    for name, observation in observations.items():
        last = observation.record.gateway if observation.record else None
        plan = plans.get(name)
        if last is not None and last.stopped is None and plan is not None and not plan.refusals:
            layout = observation.layout
            changed[name] = _host(plan, last, layout, templates, refresh=name in refresh)
    return changed


def _host(
    plan: HostPlan, last: GatewayRecord, layout: Layout, templates: Templates, *, refresh: bool
) -> HostPlan:
    planned = next((o for o in plan.operations if o.name == GATEWAY), None)
    if planned is not None and planned.gateway is None:
        return plan  # it is taken away
    spec = planned.gateway if planned is not None and planned.gateway is not None else last.spec
    anew = refresh and _other_unit(spec, last, layout, templates)
    if planned is not None:
        if anew and not planned.interrupts:
            planned = replace(planned, cause=f"{planned.cause}; {_RESTART}")
        if anew or (refresh and planned.kind is Kind.UPDATE_GATEWAY):
            planned = replace(
                planned, kind=Kind.REFRESH_GATEWAY, interrupts=planned.interrupts or anew
            )
        operations = (planned if o.name == GATEWAY else o for o in plan.operations)
        return replace(plan, operations=tuple(operations))
    if anew or _needs_reload(plan, last, refresh=refresh):
        operation = _operation(plan.host, spec, anew=anew, refresh=refresh)
        plan = replace(plan, operations=(*plan.operations, operation))
    if last.unit_version < UNIT_VERSION and not refresh:
        plan = replace(plan, outdated=(*plan.outdated, GATEWAY))
    return plan


def _needs_reload(plan: HostPlan, last: GatewayRecord, *, refresh: bool) -> bool:
    older = min(last.config_version, last.unit_version if refresh else UNIT_VERSION)
    return older < UNIT_VERSION and (refresh or bool(plan.operations))


def _other_unit(
    spec: GatewaySpec, last: GatewayRecord, layout: Layout, templates: Templates
) -> bool:
    unit = render_gateway(spec, layout, templates).definition
    return sha256(unit.content.encode()).hexdigest() != last.files.get(unit.path)


def _operation(host: str, spec: GatewaySpec, *, anew: bool, refresh: bool) -> Operation:
    return Operation(
        id=f"{host}/{GATEWAY}",
        host=host,
        name=GATEWAY,
        kind=Kind.REFRESH_GATEWAY if refresh else Kind.UPDATE_GATEWAY,
        cause=_RESTART if anew else _RELOAD,
        interrupts=anew,
        gateway=spec,
    )


def keeping_unit(
    rendered: Rendered, spec: GatewaySpec, last: GatewayRecord | None, current: bytes | None
) -> tuple[Rendered, int]:
    """The files to write and the version of the unit among them: the `current` one stays
    where it is as it was applied, and this change needs no more than a reload.
    """
    unit = rendered.definition
    if last is None or current is None or spec.needs_restart(last.spec):
        return rendered, UNIT_VERSION
    if sha256(current).hexdigest() != last.files.get(unit.path) or current == unit.content.encode():
        return rendered, UNIT_VERSION
    return replace(rendered, definition=replace(unit, content=current.decode())), last.unit_version
