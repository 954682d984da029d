"""What `cordon` and `uncordon` write into a host's record, before and after the operations."""

import time
from collections.abc import Sequence

from xgen_deploy.apply.host_context import HostContext
from xgen_deploy.apply.outcomes import Result
from xgen_deploy.frozen import replace
from xgen_deploy.state.plan import HostPlan


def begin_cordon(context: HostContext, plan: HostPlan) -> None:
    """Before anything is stopped: from here on nothing is started there. Those that are over go."""
    now, cordon = time.time(), plan.cordon
    current = tuple(c for c in context.record.cordons if c.holds(now))
    if current != context.record.cordons:
        context.keep(lambda record: replace(record, cordons=current))
    if cordon is not None:
        context.keep(lambda record: record.with_cordon(cordon))


def end_cordon(context: HostContext, plan: HostPlan, results: Sequence[Result]) -> None:
    """It ends once everything there was proved. Where something was not, that is stopped again and
    the cordon stays."""
    cordon = plan.uncordon
    if cordon is None:
        return
    failed = [r.operation.name for r in results if not r.ok]
    for name in failed:
        last = context.record.instances.get(name)
        if last is not None and last.stopped is not None:
            service = context.layout.service(context.record.name_on_host(name))
            context.service_manager.stop(service)
    if not failed:
        now = time.time()
        context.keep(lambda record: record.in_force(now, lifting=cordon.key))
