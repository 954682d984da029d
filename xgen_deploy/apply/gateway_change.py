"""Creates, updates or repairs a gateway, when every host has done its own part."""

from collections.abc import Mapping

from xgen_deploy.apply.execution import Execution, OperationFailed
from xgen_deploy.apply.exporter import follow_record
from xgen_deploy.apply.gateway import GatewayFailed, open_gateway
from xgen_deploy.apply.host_context import HostContext
from xgen_deploy.errors import XgenError
from xgen_deploy.frozen import replace
from xgen_deploy.gateway.away import Away
from xgen_deploy.state.gateway import GATEWAY, GatewaySpec
from xgen_deploy.state.plan import Kind, Operation
from xgen_deploy.state.routes import partly_proved


def change_gateway(execution: Execution, operation: Operation) -> str:
    """With routes to what really came to run. A clause about how it stands then.

    Raises OperationFailed, for a lost host too: the hosts' own parts are done by now.
    """
    context, number = execution.context, execution.number
    if operation.gateway is None:
        raise XgenError(f"{operation.id}: the operation has no gateway to change")
    spec = replace(operation.gateway, routes=execution.traffic.routes(context.name))
    away = execution.traffic.away(context.name)
    refresh = operation.kind is Kind.REFRESH_GATEWAY
    restart, reload = operation.interrupts, operation.reload
    try:
        opened = open_gateway(
            context, spec, number, refresh=refresh, restart=restart, reload=reload, away=away
        )
        context.service_manager.restore(context.layout.service(GATEWAY), reload=reload)
        follow_record(context)
    except GatewayFailed as error:
        text = _without_unproved(context, spec, error, number, away)
        raise OperationFailed(text, error.log) from None
    except XgenError as error:
        raise OperationFailed(str(error)) from None
    if any(o.bad for o in opened.outcomes):
        raise OperationFailed(f"{opened.text}. Its change is in place all the same")
    execution.asked.extend(opened.outcomes)
    return opened.text


def _without_unproved(
    context: HostContext,
    spec: GatewaySpec,
    error: GatewayFailed,
    number: int,
    away: Mapping[str, Away],
) -> str:
    """The models that answered keep their new routes, which may be the only ones that lead to
    them now; the others have those from before. A sentence about how it stands.
    """
    last = context.record.gateway
    if not error.unproved or last is None:
        return str(error)
    routes = partly_proved(spec.routes, last.spec.routes, error.unproved)
    if routes == last.spec.routes:
        return str(error)
    try:
        open_gateway(context, replace(last.spec, routes=routes), number, away=away)
    except XgenError as again:
        return f"{error}. The new routes of the models that answered could not be applied: {again}"
    return f"{error}. The models that answered keep their new routes"
