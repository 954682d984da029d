"""Carries out a gateway's operation on its host; decides nothing."""

import time
from collections.abc import Mapping

from xgen_deploy.apply.containers import remove_container
from xgen_deploy.apply.gateway_process import GatewayProcess
from xgen_deploy.apply.gateway_servers import ServersAlone
from xgen_deploy.apply.host_context import HostContext
from xgen_deploy.errors import XgenError
from xgen_deploy.frozen import Frozen, replace
from xgen_deploy.gateway.away import Away
from xgen_deploy.gateway.config import key_variables
from xgen_deploy.gateway.keys import old_keys
from xgen_deploy.gateway.render import render_gateway
from xgen_deploy.plan.file_drift import digest
from xgen_deploy.plan.gateway_refresh import keeping_unit
from xgen_deploy.render.rendered import Rendered
from xgen_deploy.render.unit_version import UNIT_VERSION
from xgen_deploy.secrets.gateway import GatewaySecrets
from xgen_deploy.state.gateway import GATEWAY, GatewayRecord, GatewaySpec
from xgen_deploy.state.gateway_paths import gateway_socket, keys_file
from xgen_deploy.verify.gateway_requests import (
    GatewayRequests,
    RequestOutcome,
    changed_models,
    proved_text,
)
from xgen_deploy.verify.haproxy_socket import HaproxySocket

_FIRST_CHECKS = 10.0
_LINES = 15


class Opened(Frozen):
    """A gateway that serves: a clause for people about how it stands, and how each model that was
    asked answered.
    """

    text: str
    outcomes: tuple[RequestOutcome, ...]


class NotProved(XgenError):
    """The gateway serves, but real requests to these models through it failed."""

    def __init__(self, reason: str, models: frozenset[str]) -> None:
        super().__init__(reason)
        self.models = models


class GatewayFailed(XgenError):
    """The gateway could not be changed; `log` are its last lines, `unproved` the models that it
    was for, where it was for some of them alone.
    """

    def __init__(self, reason: str, log: tuple[str, ...], unproved: frozenset[str]) -> None:
        super().__init__(reason)
        self.log = log
        self.unproved = unproved


def haproxy_socket(context: HostContext) -> HaproxySocket:
    """The running gateway on a host that is being changed."""
    python = context.python or "python3"
    return HaproxySocket(context.name, context.session, gateway_socket(context.layout), python)


def gateway_secrets(context: HostContext) -> GatewaySecrets:
    """Of the gateway on a host that is being changed."""
    return GatewaySecrets(context.secrets, context.files, context.layout, context.record)


def open_gateway(
    context: HostContext,
    spec: GatewaySpec,
    number: int,
    *,
    refresh: bool = False,
    restart: bool | None = None,
    reload: bool = True,
    away: Mapping[str, Away] | None = None,
    moving: bool = False,
) -> Opened:
    """Creates, updates or repairs the gateway. A unit that an older version of this tool wrote is
    written anew only with `refresh`: that starts the gateway anew where a reload would do.
    `restart` is whether HAProxy is started anew, by default where its unit changes; `reload` as in
    state/plan.py, Operation. The gateway counts once a real request to each model whose routes
    changed was answered through it; `away` and `moving`: see GatewayRequests.of.

    Raises GatewayFailed; what ran before runs on or was put back. XgenError without a secret.
    """
    keys = gateway_secrets(context).keys(spec)
    last = context.record.gateway.spec if context.record.gateway else None
    old = old_keys(spec, last, context.session.read_file(keys_file(context.layout)), keys)
    rendered = render_gateway(spec, context.layout, context.rendering.templates, keys, old)
    before = {
        f.path: context.session.read_file(f.path) for f in (*rendered.files, rendered.definition)
    }
    version = UNIT_VERSION
    if not refresh:
        current_unit = before[rendered.definition.path]
        rendered, version = keeping_unit(rendered, spec, context.record.gateway, current_unit)
    runtime = haproxy_socket(context)
    process = GatewayProcess(context, runtime, rendered, before)
    servers = ServersAlone(runtime, spec, key_variables(spec, keys, old), moving=moving)
    try:
        keeps = True if moving else None if restart is None else not restart
        changed = process.change(servers, keeps=keeps, reload=reload and not moving)
        proved = _prove(context, spec, last, runtime, away or {}, moving=moving)
    except XgenError as error:
        raise _failed(context, process, error) from None
    _record(context, spec, rendered, number, version, started=changed.started)
    clauses = (_standing(spec, runtime), changed.how, proved_text(proved))
    return Opened(text="; ".join(filter(None, clauses)), outcomes=proved)


def close_gateway(context: HostContext) -> None:
    """Removes the gateway; files that do not exist are not an error."""
    layout, service = context.layout, context.layout.service(GATEWAY)
    context.service_manager.stop(service)
    remove_container(context, GATEWAY, service)
    if context.session.remove(layout.definition(GATEWAY), within=layout.definitions):
        context.service_manager.reload()
    context.session.remove(layout.settings(GATEWAY), within=layout.etc_dir)
    context.keep(lambda record: replace(record, gateway=None))


def _record(
    context: HostContext,
    spec: GatewaySpec,
    rendered: Rendered,
    number: int,
    version: int,
    *,
    started: bool,
) -> None:
    """`invocation` is of the start that this version's unit made."""
    last = context.record.gateway
    if started:
        invocation = context.service_manager.state(rendered.service).run
    else:
        invocation = last.invocation if last else None
    files = (*rendered.files, rendered.definition)
    gateway = GatewayRecord(
        spec=spec,
        digest=spec.digest,
        files={f.path: digest(f) for f in files if not f.secret},
        applied_at=time.time(),
        apply=number,
        unit_version=version,
        config_version=UNIT_VERSION,
        invocation=invocation,
    )
    context.keep(lambda record: replace(record, gateway=gateway))


def _prove(
    context: HostContext,
    spec: GatewaySpec,
    last: GatewaySpec | None,
    runtime: HaproxySocket,
    away: Mapping[str, Away],
    *,
    moving: bool,
) -> tuple[RequestOutcome, ...]:
    proof = GatewayRequests(context.session, spec, runtime, gateway_secrets(context).asking(spec))
    proved = proof.of(changed_models(spec, last), away, moving=moving)
    failed = tuple(p for p in proved if p.outcome == "failed")
    if failed:
        raise NotProved(proved_text(failed), frozenset(p.model for p in failed))
    return proved


def _failed(context: HostContext, process: GatewayProcess, error: XgenError) -> GatewayFailed:
    """With the log of what failed; the gateway is as it was before, or was taken away."""
    service = context.layout.service(GATEWAY)
    run = context.service_manager.state(service).run
    log = context.service_manager.log(service, run, lines=_LINES)
    ending = _put_back(context, process)
    reason = str(error).removeprefix(f"{context.name}: ")
    unproved = error.models if isinstance(error, NotProved) else frozenset[str]()
    return GatewayFailed(f"{reason}. {ending}", tuple(log.splitlines()), unproved)


def _put_back(context: HostContext, process: GatewayProcess) -> str:
    try:
        if process.is_first:
            close_gateway(context)
            return "It was taken away; nothing was there before"
        return process.put_back()
    except XgenError as error:
        return f"Putting the previous gateway back failed too: {error}"


def _standing(spec: GatewaySpec, runtime: HaproxySocket) -> str:
    """`serves on port 8080, 2 of 3 servers up (…)`, once each server had a health check."""
    servers = runtime.settled(_FIRST_CHECKS)
    down = [f"{s.name} {s.reason}" for s in servers if not s.up]
    text = f"serves on port {spec.port}, {len(servers) - len(down)} of {len(servers)} servers up"
    return text + (f" ({'; '.join(down)})" if down else "")
