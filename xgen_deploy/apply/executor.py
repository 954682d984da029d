"""Carries out a plan: all hosts at once, then the gateways one after the other, then what watches
the hosts. Decides nothing.
"""

from collections.abc import Mapping, Sequence
from contextlib import suppress

from xgen_deploy.apply.auditing import recorded_digest, tell_ended
from xgen_deploy.apply.events import Listener
from xgen_deploy.apply.execution import Execution
from xgen_deploy.apply.host import ApplyIdentity, carry_out, record_failed_gateway
from xgen_deploy.apply.host_context import HostContext
from xgen_deploy.apply.key_rotation import KeyRotation, new_keys
from xgen_deploy.apply.monitoring_rollout import change_all_monitoring
from xgen_deploy.apply.operation import execute
from xgen_deploy.apply.outcomes import HostResult, OperationOutcomes, sentence_of
from xgen_deploy.apply.teardown import clear_host
from xgen_deploy.apply.traffic import Traffic
from xgen_deploy.apply.watching import Watching
from xgen_deploy.errors import UnreachableError, XgenError
from xgen_deploy.frozen import replace
from xgen_deploy.state.plan import GATEWAY_CHANGES, LATE_CHANGES, Plan
from xgen_deploy.state.record import Record
from xgen_deploy.state.site import Site
from xgen_deploy.transport.base import Connection
from xgen_deploy.transport.fleet import each

Results = dict[str, HostResult | XgenError]


def carry_out_all(
    site: Site,
    plan: Plan,
    records: Mapping[str, Record],
    contexts: Mapping[str, HostContext],
    connections: Sequence[Connection],
    identity: ApplyIdentity,
    tell: Listener,
    *,
    destroy: bool,
    new_secrets: Mapping[str, frozenset[str]],
    accept_new_vectors: bool = False,
) -> Results:
    """By host. `contexts` are of the hosts that are changed, `connections` theirs; `records` of all
    that were observed. `destroy`: what is left of the project there goes too. `new_secrets`: by
    host, instances whose secrets have other values now.
    """
    keys = KeyRotation(site, dict(new_keys(plan, contexts, new_secrets)))
    traffic = Traffic(site, contexts, records, identity.number, keys)
    if keys.instances:
        traffic.part_keys()
    watching = Watching(site, contexts, records)
    executions = {
        name: Execution(
            context,
            traffic,
            watching,
            identity.number,
            identity.by,
            tell,
            accept_new_vectors=accept_new_vectors,
        )
        for name, context in contexts.items()
    }
    results = _change_hosts(plan, executions, connections, identity, destroy=destroy)
    results = _with_late(results, _change_gateways(plan, executions))
    return _with_late(results, change_all_monitoring(site, plan, executions, connections))


def _change_hosts(
    plan: Plan,
    executions: Mapping[str, Execution],
    connections: Sequence[Connection],
    identity: ApplyIdentity,
    *,
    destroy: bool,
) -> Results:
    outcomes = OperationOutcomes(
        operation
        for name in executions
        for operation in plan.hosts[name].operations
        if operation.kind not in LATE_CHANGES
    )

    def change(connection: Connection) -> HostResult:
        execution, own = executions[connection.name], plan.hosts[connection.name]
        if not (own.operations or own.cordon or own.uncordon or destroy):
            # Only its gateway or its record is needed.
            if own.other_origin is not None and identity.origin is not None:
                execution.context.keep(lambda r: replace(r, origin=identity.origin))
            return HostResult(connection.name)
        result = carry_out(execution, own, identity, outcomes)
        if destroy and result.ok:
            clear_host(execution.context)
        return result

    # A thread a host: what one waits for may be another's, however many there are.
    return each(connections, change, max_workers=len(connections))


def _change_gateways(plan: Plan, executions: Mapping[str, Execution]) -> dict[str, HostResult]:
    results: dict[str, HostResult] = {}
    for operation in plan.operations:
        execution = executions.get(operation.host)
        if operation.kind not in GATEWAY_CHANGES or execution is None:
            continue
        before = recorded_digest(execution.context, operation.name)
        result = execute(execution, operation)
        if not result.ok:
            with suppress(UnreachableError):  # then the record says that it never ended
                record_failed_gateway(execution.context, sentence_of(result))
        tell_ended(execution.context, before, result)
        asked = tuple(execution.asked)
        results[operation.host] = HostResult(operation.host, (result,), asked=asked)
    return results


def _with_late(results: Results, late: Mapping[str, HostResult]) -> Results:
    """Both parts of each host's apply as one."""
    whole = dict(results)
    for name, part in late.items():
        own = whole.get(name)
        if isinstance(own, HostResult):
            results_there = own.results + part.results
            whole[name] = HostResult(name, results_there, own.error, own.asked + part.asked)
        else:
            whole.setdefault(name, part)
    return whole
