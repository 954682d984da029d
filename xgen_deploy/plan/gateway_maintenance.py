"""`stop`, `start` and `restart` of a gateway as part of its host's plan. Pure."""

from xgen_deploy.frozen import replace
from xgen_deploy.state.facts import ServiceFacts
from xgen_deploy.state.gateway import GATEWAY, GatewayRecord
from xgen_deploy.state.instance import Refusal
from xgen_deploy.state.plan import Action, HostPlan, Kind, Operation

_KINDS = {
    "stop": Kind.STOP_GATEWAY,
    "start": Kind.START_GATEWAY,
    "restart": Kind.RESTART_GATEWAY,
}
_CAUSES = {
    "stop": "maintenance: it stays stopped until `xgen-deploy start`",
    "start": "it is not running",
    "restart": "restart of the same version",
}
_MEANWHILE = "requests to it fail meanwhile; instances serve on"


def with_gateway_maintenance(
    plan: HostPlan, action: Action, last: GatewayRecord | None, service: ServiceFacts | None
) -> HostPlan:
    """The plan with the gateway's part, after the instances'."""
    if last is None:
        reason = "never applied on this host; run `xgen-deploy apply`"
        refusal = Refusal(host=plan.host, instance=GATEWAY, reason=reason)
        return replace(plan, refusals=(*plan.refusals, refusal))
    idle = _nothing_to_do(action, last, service)
    if idle is not None:
        return replace(
            plan,
            unchanged=(*plan.unchanged, GATEWAY),
            warnings=(*plan.warnings, f"{GATEWAY} {idle}"),
        )
    operation = Operation(
        id=f"{plan.host}/{GATEWAY}",
        host=plan.host,
        name=GATEWAY,
        kind=_KINDS[action],
        cause=f"it was stopped by {last.stopped.by}" if last.stopped else _CAUSES[action],
        interrupts=action != "start",
        gateway=last.spec,
        notes=(_MEANWHILE,) if action != "start" else (),
    )
    return replace(plan, operations=(*plan.operations, operation))


def _nothing_to_do(action: Action, last: GatewayRecord, service: ServiceFacts | None) -> str | None:
    if action == "stop" and last.stopped is not None:
        return f"is already stopped, by {last.stopped.by}"
    if action == "restart" and last.stopped is not None:
        return f"stays stopped: {last.stopped.by} stopped it; `xgen-deploy start` starts it"
    if action == "start" and last.stopped is None and service and service.state == "active":
        return "is already running"
    return None
