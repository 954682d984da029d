"""Carries out a gateway's operation on its host; decides nothing."""

import hashlib
import posixpath
import time
from collections.abc import Mapping

from xgen_deploy.apply.containers import remove_container
from xgen_deploy.apply.host_context import HostContext
from xgen_deploy.errors import XgenError
from xgen_deploy.frozen import Frozen, replace
from xgen_deploy.gateway.away import Away
from xgen_deploy.gateway.config import digest_in
from xgen_deploy.gateway.keys import old_keys
from xgen_deploy.gateway.render import render_gateway
from xgen_deploy.plan.gateway_refresh import keeping_unit
from xgen_deploy.render.rendered import File, Rendered
from xgen_deploy.render.unit_version import UNIT_VERSION
from xgen_deploy.secrets.gateway import GatewaySecrets
from xgen_deploy.state.gateway import GATEWAY, GatewayRecord, GatewaySpec
from xgen_deploy.state.gateway_paths import gateway_socket, keys_file
from xgen_deploy.transport.base import HostError
from xgen_deploy.verify.gateway_requests import (
    GatewayRequests,
    RequestOutcome,
    changed_models,
    proved_text,
)
from xgen_deploy.verify.haproxy_socket import HaproxySocket

_ASK = 60.0
_CHANGED = 30.0
_FIRST_CHECKS = 10.0
_PAUSE = 0.1
_RESTARTS = 3
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
    files = (*rendered.files, rendered.definition)
    runtime = haproxy_socket(context)
    try:
        keeps = True if moving else None if restart is None else not restart
        reads = reload and not moving
        started = _put(context, rendered, before, runtime, keeps=keeps, reload=reads)
        proved = _prove(context, spec, last, runtime, away or {}, moving=moving)
    except XgenError as error:
        run = context.service_manager.state(rendered.service).run
        log = context.service_manager.log(rendered.service, run, lines=_LINES)
        ending = _put_back(context, rendered, before)
        reason = str(error).removeprefix(f"{context.name}: ")
        unproved = error.models if isinstance(error, NotProved) else frozenset[str]()
        raise GatewayFailed(f"{reason}. {ending}", tuple(log.splitlines()), unproved) from None
    shown = {f.path: _sha(f.content) for f in files if not f.secret}
    gateway = GatewayRecord(
        spec=spec,
        digest=spec.digest,
        files=shown,
        applied_at=time.time(),
        apply=number,
        unit_version=version,
        config_version=UNIT_VERSION,
        invocation=_invocation(context, rendered.service, started=started),
    )
    context.keep(lambda record: replace(record, gateway=gateway))
    text = f"{_standing(spec, runtime)}; {proved_text(proved)}".removesuffix("; ")
    return Opened(text=text, outcomes=proved)


def close_gateway(context: HostContext) -> None:
    """Removes the gateway; files that do not exist are not an error."""
    layout, service = context.layout, context.layout.service(GATEWAY)
    context.service_manager.stop(service)
    remove_container(context, GATEWAY, service)
    if context.session.remove(layout.definition(GATEWAY), within=layout.definitions):
        context.service_manager.reload()
    context.session.remove(layout.settings(GATEWAY), within=layout.etc_dir)
    context.keep(lambda record: replace(record, gateway=None))


def _put(
    context: HostContext,
    rendered: Rendered,
    before: dict[str, bytes | None],
    runtime: HaproxySocket,
    *,
    keeps: bool | None,
    reload: bool,
) -> bool:
    """Whether HAProxy was started anew. `keeps`: the process that runs goes on, by default where
    its unit is the same."""
    unit = rendered.definition
    same_unit = before[unit.path] == unit.content.encode()
    old = _running(runtime) if (same_unit if keeps is None else keeps) else None
    _write(context, rendered.files)
    if not same_unit:
        _write(context, (unit,))
        if reload or old is None:
            context.service_manager.reload()
    if old is not None:
        _reload(context, rendered.service)
    else:
        context.service_manager.start(rendered.service)
    config = next(f.content for f in rendered.files if not f.secret)
    _await(context, runtime, digest_in(config), old)
    return old is None


def _invocation(context: HostContext, service: str, *, started: bool) -> str | None:
    """Of the start that this version's unit made."""
    if started:
        return context.service_manager.state(service).run
    return context.record.gateway.invocation if context.record.gateway else None


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


def _running(runtime: HaproxySocket) -> int | None:
    """The serving process, None where nothing can be reloaded."""
    try:
        return runtime.info().pid
    except XgenError:
        return None


def _reload(context: HostContext, service: str) -> None:
    """The new configuration is checked first, and the old process ends its own requests."""
    done = context.session.run(["systemctl", "reload", f"{service}.service"], timeout=_ASK)
    if done.returncode != 0:
        error = (done.stderr.strip().splitlines() or ["no reason given"])[0]
        raise HostError(context.name, f"its reload failed: {error}")
    context.session.run(["systemctl", "enable", "--quiet", f"{service}.service"], timeout=_ASK)


def _await(context: HostContext, runtime: HaproxySocket, digest: str, old: int | None) -> None:
    """Waits until a new process serves this configuration."""
    service = context.layout.service(GATEWAY)
    end = time.monotonic() + _CHANGED
    while True:
        try:
            info = runtime.info()
            if info.digest == digest and info.pid != old:
                return
            problem = "it still runs the configuration from before"
        except XgenError as error:
            problem = str(error)
        restarts = context.service_manager.state(service).restarts
        if restarts >= _RESTARTS:
            raise XgenError(f"crash loop ({restarts} restarts)")
        if time.monotonic() > end:
            raise XgenError(f"it did not start to serve within {_CHANGED:.0f} s: {problem}")
        time.sleep(_PAUSE)


def _put_back(context: HostContext, rendered: Rendered, before: dict[str, bytes | None]) -> str:
    try:
        if before[rendered.definition.path] is None:
            close_gateway(context)
            return "It was taken away; nothing was there before"
        for file in (*rendered.files, rendered.definition):
            content = before[file.path]
            if content is None:
                context.session.remove(file.path, within=posixpath.dirname(file.path))
            else:
                context.session.write_file(file.path, content, mode=file.mode)
        context.service_manager.reload()
        unit = f"{rendered.service}.service"
        done = context.session.run(["systemctl", "reload-or-restart", unit], timeout=_ASK)
        if done.returncode != 0:
            return f"Putting the previous gateway back failed too: {done.stderr.strip()[:200]}"
    except XgenError as error:
        return f"Putting the previous gateway back failed too: {error}"
    return "The previous one serves"


def _standing(spec: GatewaySpec, runtime: HaproxySocket) -> str:
    """`serves on port 8080, 2 of 3 servers up (…)`, once each server had a health check."""
    servers = runtime.settled(_FIRST_CHECKS)
    down = [f"{s.name} {s.reason}" for s in servers if not s.up]
    text = f"serves on port {spec.port}, {len(servers) - len(down)} of {len(servers)} servers up"
    return text + (f" ({'; '.join(down)})" if down else "")


def _write(context: HostContext, files: tuple[File, ...]) -> None:
    context.session.make_dir(context.layout.etc_dir, mode=0o700)
    context.session.make_dir(context.layout.settings(GATEWAY), mode=0o700)
    for file in files:
        context.session.write_file(file.path, file.content.encode(), mode=file.mode)


def _sha(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
