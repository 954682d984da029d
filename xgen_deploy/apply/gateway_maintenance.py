"""Carries out `stop`, `start` and `restart` of a gateway; proves it after a start."""

import time

from xgen_deploy.apply.execution import Execution, OperationFailed
from xgen_deploy.apply.gateway_change import change_gateway
from xgen_deploy.frozen import replace
from xgen_deploy.state.gateway import GATEWAY
from xgen_deploy.state.plan import Operation
from xgen_deploy.state.record import Record
from xgen_deploy.state.stopped import Stopped


def stop_gateway(execution: Execution) -> str:
    """It stays stopped over boots and applies, until `start`."""
    context = execution.context
    stopped = Stopped(by=execution.by, at=time.time())

    def with_stopped(record: Record) -> Record:
        gateway = record.gateway and replace(record.gateway, stopped=stopped)
        return replace(record, gateway=gateway)

    context.keep(with_stopped)
    context.service_manager.stop(context.layout.service(GATEWAY))
    return "stopped; `xgen-deploy start` starts it again"


def start_gateway(execution: Execution, operation: Operation) -> str:
    """With routes to what runs now. Raises OperationFailed; then it is stopped as before."""
    context = execution.context
    try:
        return change_gateway(execution, operation)
    except OperationFailed as error:
        if context.record.gateway is not None and context.record.gateway.stopped is not None:
            context.service_manager.stop(context.layout.service(GATEWAY))
            raise OperationFailed(f"{error.reason}. It was stopped again", error.log) from None
        raise


def restart_gateway(execution: Execution, operation: Operation) -> str:
    """Raises OperationFailed."""
    unit = f"{execution.context.layout.service(GATEWAY)}.service"
    execution.context.session.run(["systemctl", "stop", unit], timeout=120.0)
    return change_gateway(execution, operation)
