"""What `cordon` and `uncordon` write into a host's record, before and after the operations."""

import time
from collections.abc import Sequence

from xgen_deploy.apply.execution import Execution
from xgen_deploy.apply.host_context import HostContext
from xgen_deploy.apply.outcomes import Result
from xgen_deploy.frozen import replace
from xgen_deploy.state.cordon import Cordon
from xgen_deploy.state.plan import HostPlan


def begin_cordon(context: HostContext, plan: HostPlan) -> None:
    """Before anything is stopped: from here on nothing is started there. Those that are over go."""
    now, cordon = time.time(), plan.cordon
    current = tuple(c for c in context.record.cordons if c.holds(now))
    if current != context.record.cordons:
        context.keep(lambda record: replace(record, cordons=current))
    if cordon is not None:
        context.keep(lambda record: record.with_cordon(cordon))


def end_cordon(execution: Execution, plan: HostPlan, results: Sequence[Result]) -> list[Result]:
    """It ends once everything there was proved. Where something was not, that is stopped again and
    the cordon stays. Returns the results with that said."""
    cordon = plan.uncordon
    if cordon is None:
        return list(results)
    if all(r.ok for r in results):
        now = time.time()
        execution.context.keep(lambda record: record.in_force(now, lifting=cordon.key))
    return [r if r.ok else _stopped_again(execution, cordon, r) for r in results]


def _stopped_again(execution: Execution, cordon: Cordon, failed: Result) -> Result:
    context, name = execution.context, failed.operation.name
    last = context.record.instances.get(name)
    if last is None or last.stopped is None:
        return failed
    context.service_manager.stop(context.layout.service(context.record.name_on_host(name)))
    end = f"it is stopped, and {cordon.place} stays out of service"
    execution.tell("rolled_back", name, end)
    return replace(failed, reason=f"{failed.reason.rstrip('.')}: {end}")
