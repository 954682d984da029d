"""Carries out a plan on all of its hosts at once, then changes the gateways."""

from collections.abc import Iterator, Mapping, Sequence

from xgen_deploy.apply.events import Listener
from xgen_deploy.apply.gateway_rollout import joined, roll_out_gateways
from xgen_deploy.apply.host import HostResult, Who, carry_out
from xgen_deploy.apply.host_context import HostContext
from xgen_deploy.apply.outcomes import OperationOutcomes
from xgen_deploy.apply.teardown import clear
from xgen_deploy.apply.traffic import Traffic
from xgen_deploy.errors import XgenError
from xgen_deploy.state.plan import Plan
from xgen_deploy.state.record import Record
from xgen_deploy.state.settings import SecretRef
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
    who: Who,
    tell: Listener,
    *,
    destroy: bool,
    new_secrets: Mapping[str, frozenset[str]],
) -> Results:
    """By host. `contexts` are the hosts at work, `connections` theirs; `records` are of all hosts
    that were observed. `destroy`: what is left of the project there goes too. `new_secrets`: by
    host, instances whose secrets have other values now.
    """
    new_keys = dict(_new_keys(plan, contexts, new_secrets))
    traffic = Traffic(site, contexts, records, who.number, new_keys)
    if new_keys:
        traffic.part_keys()
    outcomes = OperationOutcomes(
        o for name in contexts for o in plan.hosts[name].operations if o.gateway is None
    )

    def one(connection: Connection) -> HostResult:
        name = connection.name
        context, own = contexts[name], plan.hosts[name]
        if not own.operations and not destroy:
            return HostResult(name)  # only its gateway is needed
        result = carry_out(context, own, who, outcomes, traffic, tell)
        if destroy and result.ok:
            clear(context)
        return result

    # A thread a host: what one waits for may be another's, however many there are.
    results = each(connections, one, max_workers=len(connections))
    return joined(results, roll_out_gateways(plan, contexts, traffic, who.number, tell))


def _new_keys(
    plan: Plan, contexts: Mapping[str, HostContext], new_secrets: Mapping[str, frozenset[str]]
) -> Iterator[tuple[tuple[str, str], SecretRef | None]]:
    """Instances that run with an API key and are to get another one."""
    for one in plan.operations:
        context, instance = contexts.get(one.host), one.instance
        last = context.record.instances.get(one.name) if context else None
        if last is None or instance is None:
            continue
        new = instance.spec.api_key
        if last.spec.api_key != new or (new and one.name in new_secrets.get(one.host, ())):
            yield (one.host, one.name), new
