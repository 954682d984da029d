"""Checks of the gateway on one host: up to date, unchanged, and a real request to each model."""

from collections.abc import Iterator, Mapping

from xgen_deploy.errors import XgenError
from xgen_deploy.gateway.away import away, stopped_reason
from xgen_deploy.gateway.resolve import NoGateway, resolve_gateway
from xgen_deploy.gateway.stats import ServerState
from xgen_deploy.plan.gateway import routes_for
from xgen_deploy.plan.gateway_drift import gateway_drift
from xgen_deploy.render.templates import Templates
from xgen_deploy.resolve.gateway_needs import is_gateway_host, python_on
from xgen_deploy.secrets.gateway import GatewaySecrets
from xgen_deploy.secrets.resolver import NotAtHand, SecretResolver
from xgen_deploy.secrets.source import HostFiles
from xgen_deploy.state.gateway import GATEWAY, GatewayRecord, GatewaySpec
from xgen_deploy.state.gateway_paths import gateway_socket
from xgen_deploy.state.observation import Observation, records_of
from xgen_deploy.state.record import Record
from xgen_deploy.state.routes import Server
from xgen_deploy.state.secret_uses import client_key
from xgen_deploy.state.site import Site
from xgen_deploy.transport.base import Session
from xgen_deploy.verify.checks import Check
from xgen_deploy.verify.gateway_requests import (
    GatewayRequests,
    RequestOutcome,
    wrong_with_models,
)
from xgen_deploy.verify.haproxy_socket import HaproxySocket
from xgen_deploy.verify.stopped_check import stopped_check

_NO_KEY = (
    "the clients' key is not available here, and the gateway has no key of its own yet (an older "
    "xgen-deploy applied it; the next apply that changes it creates one)"
)


def check_gateway(
    site: Site,
    host: str,
    observations: Mapping[str, Observation],
    session: Session,
    resolver: SecretResolver,
    templates: Templates,
) -> Iterator[Check]:
    """No check where the manifest has no gateway on the host. `observations`, by host, are of the
    hosts that were reached.
    """
    records = records_of(observations)
    if not is_gateway_host(site, host) or host not in records:
        return
    last = records[host].gateway
    if last is None:
        yield _check(host, "applied", "never applied")
        return
    if last.stopped is not None:
        service = observations[host].facts.service(observations[host].layout.service(GATEWAY))
        yield stopped_check(host, GATEWAY, last.stopped, service)
        return
    yield _check(host, "applied", _outdated(site, observations[host], records, last))
    drift = gateway_drift(last, observations[host], templates)
    yield _check(host, "unit and configuration", drift.cause if drift else "")
    files, layout = HostFiles(host, session), observations[host].layout
    key = GatewaySecrets(resolver, files, layout, records[host]).asking(last.spec)
    if last.spec.asks_for_key and key is None:
        yield _check(host, "real requests skipped", _NO_KEY, ok=True)
        return
    yield from _client_checks(site, last.spec, files, resolver)
    runtime = HaproxySocket(host, session, gateway_socket(layout), python_on(site, host))
    models = frozenset(r.model for r in last.spec.routes)
    try:
        excluded = away(last.spec.routes, records, site.other_hosts)
        for outcome in GatewayRequests(session, last.spec, runtime, key).of(models, excluded):
            yield _request_check(host, outcome)
        states = {s.name: s for s in runtime.servers()}
        for server in last.spec.servers:
            yield _server_check(host, server, states.get(server.name), records)
    except XgenError as error:
        yield _check(host, "real requests", str(error).removeprefix(f"{host}: "))


def _outdated(
    site: Site, observation: Observation, records: Mapping[str, Record], last: GatewayRecord
) -> str:
    """Why the gateway differs from what the manifest and its instances ask for, or ""."""
    host = observation.host
    gateway, routes = site.gateway, routes_for(site, host, {}, records)
    if gateway is None:
        return ""
    try:
        spec = resolve_gateway(
            site, gateway, site.hosts[host], observation.facts, observation.layout, routes
        )
    except NoGateway as error:
        return error.refusal.reason
    same = spec.digest == last.digest
    return "" if same else "the manifest or its instances have changed since the last apply"


def _request_check(host: str, request: RequestOutcome) -> Check:
    details = {"fallback": "its fallback answered", "busy": f"busy: {request.detail}"}
    what = f"real request to {request.model}"
    if request.outcome == "left out":
        what += " skipped"
    detail = details.get(request.outcome, request.detail)
    return _check(host, what, detail, ok=not request.bad)


def _client_checks(
    site: Site, spec: GatewaySpec, on: HostFiles, resolver: SecretResolver
) -> Iterator[Check]:
    """Each client whose key is at hand sees its models with it; that counts for no rate."""
    stated = (site.gateway.clients or {}) if site.gateway else {}
    for client in spec.clients:
        what = f"client {client.name}"
        if client.name not in stated or stated[client.name].key != client.key:
            continue
        try:
            key = resolver.value(client_key(client.name), client.key, on)
        except NotAtHand:
            yield _check(on.host, f"{what} skipped", "its key is not available here", ok=True)
            continue
        yield _check(on.host, what, wrong_with_models(spec, client, key, on.session))


def _server_check(
    host: str, server: Server, state: ServerState | None, records: Mapping[str, Record]
) -> Check:
    """A model answers while one of its servers is up; each of them is to be."""
    what = f"server {server.name}"
    if state is None:
        return _check(host, what, "the running gateway does not know it")
    if state.up:
        return _check(host, what, "")
    stopped = stopped_reason(server, records)
    return _check(host, what, stopped or state.reason, ok=stopped is not None)


def _check(host: str, what: str, problem: str, *, ok: bool | None = None) -> Check:
    passed = not problem if ok is None else ok
    return Check(host=host, instance=GATEWAY, what=what, ok=passed, found=problem)
