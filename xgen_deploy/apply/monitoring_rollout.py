"""The changes of monitoring on all hosts: the exporters at once, then what asks them."""

from collections.abc import Mapping, Sequence
from contextlib import suppress

from xgen_deploy.apply.auditing import recorded_digest, tell_ended
from xgen_deploy.apply.execution import Execution
from xgen_deploy.apply.host import record_late_failure
from xgen_deploy.apply.operation import execute
from xgen_deploy.apply.outcomes import HostResult, sentence_of
from xgen_deploy.errors import UnreachableError, XgenError
from xgen_deploy.resolve.monitoring_needs import is_monitoring_host
from xgen_deploy.state.monitoring_config import MONITORING
from xgen_deploy.state.plan import MONITORING_CHANGES, Operation, Plan
from xgen_deploy.state.site import Site
from xgen_deploy.transport.base import Connection
from xgen_deploy.transport.fleet import each


def change_all_monitoring(
    site: Site,
    plan: Plan,
    executions: Mapping[str, Execution],
    connections: Sequence[Connection],
) -> dict[str, HostResult]:
    """By host, of those where it changes."""
    operations = {
        o.host: o for o in plan.operations if o.kind in MONITORING_CHANGES and o.host in executions
    }

    def change(connection: Connection) -> HostResult:
        return _change(executions[connection.name], operations[connection.name])

    results: dict[str, HostResult] = {}
    for last in (False, True):
        chosen = [
            c
            for c in connections
            if c.name in operations and is_monitoring_host(site, c.name) is last
        ]
        for name, result in each(chosen, change).items():
            results[name] = _result(name, result)
    return results


def _result(host: str, result: HostResult | XgenError) -> HostResult:
    return HostResult(host, error=result) if isinstance(result, XgenError) else result


def _change(execution: Execution, operation: Operation) -> HostResult:
    context = execution.context
    before = recorded_digest(context, MONITORING)
    result = execute(execution, operation)
    if not result.ok:
        with suppress(UnreachableError):  # then the record says that it never ended
            record_late_failure(context, MONITORING, sentence_of(result))
    tell_ended(context, before, result)
    return HostResult(operation.host, (result,))
