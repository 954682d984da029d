"""The gateways of an apply: changed one after the other, when every host has done its own part."""

import time
from collections.abc import Mapping
from contextlib import suppress

from xgen_deploy.apply.audited import digest_there, tell_ended
from xgen_deploy.apply.events import Event, Listener
from xgen_deploy.apply.gateway import GatewayFailed, open_gateway
from xgen_deploy.apply.history import write_entry
from xgen_deploy.apply.host import HostResult, Result
from xgen_deploy.apply.host_context import HostContext
from xgen_deploy.apply.traffic import Traffic
from xgen_deploy.errors import UnreachableError, XgenError
from xgen_deploy.frozen import replace
from xgen_deploy.state.gateway import GatewaySpec
from xgen_deploy.state.plan import Operation, Plan
from xgen_deploy.state.routes import partly_proved


def roll_out_gateways(
    plan: Plan,
    contexts: Mapping[str, HostContext],
    traffic: Traffic,
    number: int,
    tell: Listener,
) -> dict[str, HostResult]:
    """Every planned change of a gateway whose host is in `works`, with routes to what really
    came to run, as `switch` knows.
    """
    found: dict[str, HostResult] = {}
    for operation in plan.operations:
        context = contexts.get(operation.host)
        if operation.gateway is None or context is None:
            continue
        routes = traffic.routes(operation.host)
        spec = replace(operation.gateway, routes=routes)
        away = traffic.away(operation.host)
        before = digest_there(context, operation.name)
        result = _one(context, operation, spec, number, tell, away)
        tell_ended(context, operation, before, ok=result.ok, reason=result.reason)
        found[operation.host] = HostResult(operation.host, (result,))
    return found


def joined(
    results: Mapping[str, HostResult | XgenError], gateway_hosts: Mapping[str, HostResult]
) -> dict[str, HostResult | XgenError]:
    """Both parts of each host's apply as one."""
    found = dict(results)
    for name, gateway_host in gateway_hosts.items():
        own = found.get(name)
        if isinstance(own, HostResult):
            found[name] = HostResult(name, own.results + gateway_host.results, own.error)
        else:
            found.setdefault(name, gateway_host)
    return found


def _one(
    context: HostContext,
    operation: Operation,
    spec: GatewaySpec,
    number: int,
    tell: Listener,
    away: Mapping[str, str],
) -> Result:
    began = time.monotonic()
    started = Event(kind="start", host=context.name, instance=operation.name, text=operation.action)
    tell(started)
    try:
        text = open_gateway(context, spec, number, refresh=operation.refresh, away=away)
    except XgenError as error:
        text, log = str(error), tuple[str, ...]()
        if isinstance(error, GatewayFailed):
            text, log = _without_unproved(context, spec, error, number, away), error.log
        took = time.monotonic() - began
        tell(replace(started, kind="failed", text=text, seconds=took, log=log))
        _remember_failure(context)
        return Result(operation, ok=False, reason=text, log=log)
    took = time.monotonic() - began
    tell(replace(started, kind="done", text=text, seconds=took))
    return Result(operation, ok=True)


def _without_unproved(
    context: HostContext,
    spec: GatewaySpec,
    error: GatewayFailed,
    number: int,
    away: Mapping[str, str],
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
        return f"{error}. The models that answered could not be given their new routes: {again}"
    return f"{error}. The models that answered have their new routes"


def _remember_failure(context: HostContext) -> None:
    if context.record.last_apply is None:
        return
    ended = replace(context.record.last_apply, outcome="failed")
    with suppress(UnreachableError):  # then the record says that it never ended
        context.keep(lambda record: replace(record, last_apply=ended))
        write_entry(context, ended)
