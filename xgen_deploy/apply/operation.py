"""Carries out one operation: one function for each kind. Decides nothing."""

import time
from typing import assert_never

from xgen_deploy.apply.execution import Execution, OperationFailed
from xgen_deploy.apply.gate import GatePassed
from xgen_deploy.apply.gateway import close_gateway
from xgen_deploy.apply.gateway_change import change_gateway
from xgen_deploy.apply.gateway_maintenance import restart_gateway, start_gateway, stop_gateway
from xgen_deploy.apply.maintenance import restart, start, stop
from xgen_deploy.apply.monitoring import change_monitoring
from xgen_deploy.apply.monitoring_removal import remove_monitoring
from xgen_deploy.apply.outcomes import Result
from xgen_deploy.apply.restore import restore_files
from xgen_deploy.apply.start_first import start_first_update
from xgen_deploy.apply.stop_first import bring_up
from xgen_deploy.apply.teardown import clear_stale_slot, remove
from xgen_deploy.apply.watchdog import repair_watchdog
from xgen_deploy.errors import UnreachableError, XgenError
from xgen_deploy.state.plan import LATE_CHANGES, Kind, Operation


def execute(execution: Execution, operation: Operation) -> Result:
    """Raises UnreachableError where the host is lost; any other failure is a result."""
    name, began = operation.name, time.monotonic()
    late = operation.kind in LATE_CHANGES
    execution.tell("start" if late else "plan", name, operation.action)
    try:
        with execution.context.at_work(f"{operation.action} {name}"):
            text = _perform(execution, operation)
    except UnreachableError:
        raise
    except (OperationFailed, XgenError) as error:
        log = error.log if isinstance(error, OperationFailed) else ()
        execution.tell("failed", name, str(error), seconds=time.monotonic() - began, log=log)
        return Result(operation, ok=False, reason=str(error), log=log)
    execution.tell("done", name, text, seconds=time.monotonic() - began)
    return Result(operation, ok=True)


def _perform(execution: Execution, operation: Operation) -> str:
    """Returns a clause about the outcome."""
    match operation.kind:
        case Kind.CREATE:
            return _serves(operation, bring_up(execution, operation))
        case Kind.RESTORE_FILES:
            return restore_files(execution, operation)
        case Kind.REPAIR_WATCHDOG:
            repair_watchdog(execution.context)
            return "looks after the engines again"
        case Kind.UPDATE | Kind.REFRESH | Kind.REPAIR:
            update = start_first_update if operation.strategy == "start-first" else bring_up
            return _serves(operation, update(execution, operation))
        case Kind.CLEAR_SLOT:
            clear_stale_slot(execution.context, operation)
            return "tidied up"
        case Kind.REMOVE:
            remove(execution.context, operation, execution.traffic)
            return "removed"
        case Kind.STOP:
            return stop(execution, operation)
        case Kind.START:
            return start(execution, operation)
        case Kind.RESTART:
            return restart(execution, operation)
        case Kind.CREATE_GATEWAY | Kind.UPDATE_GATEWAY | Kind.REFRESH_GATEWAY | Kind.REPAIR_GATEWAY:
            return change_gateway(execution, operation)
        case Kind.STOP_GATEWAY:
            return stop_gateway(execution)
        case Kind.START_GATEWAY:
            return start_gateway(execution, operation)
        case Kind.RESTART_GATEWAY:
            return restart_gateway(execution, operation)
        case Kind.REMOVE_GATEWAY:
            close_gateway(execution.context)
            return "removed"
        case Kind.CREATE_MONITORING | Kind.UPDATE_MONITORING | Kind.REPAIR_MONITORING:
            return change_monitoring(execution, operation)
        case Kind.REMOVE_MONITORING:
            remove_monitoring(execution.context)
            return "removed"
        case _ as unknown:
            assert_never(unknown)


def _serves(operation: Operation, passed: GatePassed) -> str:
    instance = operation.instance
    if instance is None:
        return "done"
    where = "on the CPU"
    if instance.spec.gpus:
        offloaded, count = passed.report.offloaded, len(instance.spec.gpus)
        where = f"{offloaded}/{instance.total_layers or '?'} layers on the GPU"
        if offloaded is None:
            where = f"on {count} GPU{'s'[: count != 1]}"
    return f"answers on port {instance.spec.port}, {where}"
