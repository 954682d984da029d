"""Carries out `stop`, `start` and `restart`: drains before, verifies after."""

import time
from collections.abc import Callable

from xgen_deploy.apply.drain import drain, drain_time
from xgen_deploy.apply.execution import Execution, OperationFailed
from xgen_deploy.apply.gate import GateFailed
from xgen_deploy.apply.host_context import HostContext
from xgen_deploy.apply.steps import pass_gate, start_service
from xgen_deploy.errors import XgenError
from xgen_deploy.frozen import replace
from xgen_deploy.state.instance import Instance
from xgen_deploy.state.plan import Operation
from xgen_deploy.state.record import InstanceRecord
from xgen_deploy.state.secret_uses import engine_key
from xgen_deploy.state.stopped import Stopped


def stop(execution: Execution, operation: Operation) -> str:
    """It stays stopped over boots and applies, until `start`. Raises NotMoved where a gateway could
    not be told."""
    context, traffic, instance = execution.context, execution.traffic, _applied(operation)
    name = instance.name
    stopped = Stopped(by=execution.by, at=time.time(), cordon=operation.cordon)
    with traffic.moving(context.name, name):
        drain(context, traffic, name, drain_time(instance.declared))
        _record(context, name, lambda last: replace(last, stopped=stopped))
        context.service_manager.stop(context.layout.service(instance.name_on_host))
        traffic.gone(context.name, name)
    again = "start" if operation.cordon is None else "uncordon"
    return f"stopped; `xgen-deploy {again}` starts it again"


def start(execution: Execution, operation: Operation) -> str:
    """Raises OperationFailed, and NotMoved where a gateway did not follow."""
    return _start(execution, _applied(operation), drained=False)


def restart(execution: Execution, operation: Operation) -> str:
    """Raises OperationFailed, and NotMoved where a gateway did not follow."""
    return _start(execution, _applied(operation), drained=True)


def _applied(operation: Operation) -> Instance:
    if operation.instance is None:
        raise XgenError(f"{operation.id}: never applied on this host")
    return operation.instance


def _start(execution: Execution, instance: Instance, *, drained: bool) -> str:
    """Its files stay as they are. What does not pass the gate is left to its supervisor, and the
    gateway sends it requests again once it finds it healthy."""
    context, traffic, name = execution.context, execution.traffic, instance.name
    service = context.layout.service(instance.name_on_host)
    try:
        with traffic.moving(context.name, name):
            if drained:
                drain(context, traffic, name, drain_time(instance.declared))
            start_service(execution, name, service)
            _record(context, name, lambda last: replace(last, stopped=None, invocation=None))
        _prove(execution, instance, service)
    except GateFailed as error:
        reason = f"{error.reason}. It is the version that ran before"
        raise OperationFailed(reason, error.log) from None
    finally:
        traffic.enable(context.name, name)
    return f"answers on port {instance.spec.port} again"


def _prove(execution: Execution, instance: Instance, service: str) -> None:
    context, name = execution.context, instance.name
    key = context.secrets_of(name).delivered().get(engine_key(context.name, name))
    passed = pass_gate(execution, instance, service, key)
    _record(context, name, lambda last: replace(last, invocation=passed.run, report=passed.report))


def _record(
    context: HostContext, name: str, change: Callable[[InstanceRecord], InstanceRecord]
) -> None:
    context.keep(lambda record: record.with_instance(name, change(record.instances[name])))
