"""Resolves the manifest's gateway on one host to its spec, or refuses it. Pure."""

from collections.abc import Iterator

from xgen_deploy.errors import XgenError
from xgen_deploy.resolve.docker_checks import docker_refusals
from xgen_deploy.resolve.gateway_needs import (
    HAPROXY,
    LOOPBACK,
    gateway_binaries,
    gateway_image,
    gateway_runtime,
)
from xgen_deploy.resolve.registry_hint import missing_image_hint
from xgen_deploy.state.facts import DOCKER_UNIT, EngineFacts, HostFacts
from xgen_deploy.state.gateway import GATEWAY, PRIVILEGED, Client, GatewaySpec
from xgen_deploy.state.gateway_fields import MAX_BODY
from xgen_deploy.state.host import Host
from xgen_deploy.state.instance import Refusal
from xgen_deploy.state.layout import Layout
from xgen_deploy.state.routes import Routes
from xgen_deploy.state.settings import Gateway
from xgen_deploy.state.site import Site

_QUEUE = 60.0


class NoGateway(XgenError):
    """The host cannot run the gateway; `refusal` says why and what to do."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(str(refusal))
        self.refusal = refusal


def resolve_gateway(
    site: Site, gateway: Gateway, host: Host, facts: HostFacts, layout: Layout, routes: Routes
) -> GatewaySpec:
    """Raises NoGateway."""
    _check(site, gateway, host, facts, layout, routes)
    image = gateway_image(site, host)
    engine = _image_facts(host, facts) if image else None
    return GatewaySpec(
        binary=None if image else _binary(site, host, facts),
        image=image.image if image else None,
        image_state=engine.state if engine else None,
        entrypoint=image.entrypoint if image else None,
        docker_cli=facts.docker.cli or "/usr/bin/docker",
        docker_unit=facts.docker.unit or DOCKER_UNIT if image else DOCKER_UNIT,
        docker_userns=facts.docker.userns if image else False,
        listen=gateway.listen or LOOPBACK,
        port=gateway.port,
        tls=gateway.tls,
        api_key=gateway.api_key,
        clients=tuple(
            Client(name=name, key=client.key, models=client.models, rate=client.rate)
            for name, client in (gateway.clients or {}).items()
        ),
        queue_timeout=_QUEUE if gateway.queue_timeout is None else gateway.queue_timeout,
        cors=gateway.cors or (),
        max_body=gateway.max_body or MAX_BODY,
        routes=routes.models,
    )


def gateway_warnings(gateway: Gateway, routes: Routes) -> Iterator[str]:
    """Clauses for the plan; none of them refuses anything."""
    listen = gateway.listen or LOOPBACK
    if listen not in (LOOPBACK, "::1"):
        keys = gateway.api_key or gateway.clients
        missing = [w for w, s in (("TLS", gateway.tls), ("an api_key", keys)) if not s]
        if missing:
            yield f"gateway listens on {listen} without {' and without '.join(missing)}"
    yield from (f"{text}; it gets no requests" for text in routes.unreachable)
    for route in routes.models:
        if not route.servers:
            yield f"gateway: {route.model} has no instance yet"


def _check(
    site: Site, gateway: Gateway, host: Host, facts: HostFacts, layout: Layout, routes: Routes
) -> None:
    if gateway_runtime(site, host) == "process":
        raise _no(host, "the gateway is a systemd unit, and this host's runtime is `process`",
                  "Put it on a host whose runtime is `docker` or `systemd`.")  # fmt: skip
    if facts.systemd is None:
        raise _no(host, "the gateway is a systemd unit, and systemd does not run on this host",
                  "Put it on a host with systemd.")  # fmt: skip
    if gateway_image(site, host) and gateway.port < PRIVILEGED:
        raise _no(host, f"an unprivileged container cannot listen on port {gateway.port}",
                  f"Use port {PRIVILEGED} or above, or the host's own haproxy.")  # fmt: skip
    for path in (gateway.tls.cert, gateway.tls.key) if gateway.tls else ():
        if not path.startswith("/"):
            raise _no(host, f"tls: {path} is not an absolute path", "Write the path on this host.")
        if any(f.path == path and f.kind == "absent" for f in facts.files):
            raise _no(
                host, f"tls: {path} does not exist", "Put the file there, readable by root alone."
            )
    for conflict in routes.key_conflicts:
        raise _no(host, f"instances of {conflict} have different api_keys, and the gateway has one "
                  "key for each model", "Give them the same `api_key`.")  # fmt: skip
    service = layout.service(GATEWAY)
    for port in facts.ports:
        unit = (port.unit or "").removesuffix(".service")
        if port.port == gateway.port and not _is_gateway(facts, service, unit, port.process):
            holder = f"{port.process} (pid {port.pid})" if port.process else "another process"
            raise _no(
                host,
                f"port {gateway.port} is held by {holder}",
                "Stop it, or choose another `port` for the gateway.",
            )


def _is_gateway(facts: HostFacts, service: str, unit: str, process: str | None) -> bool:
    """A container on the host's network listens as a child of Docker, not of the gateway's unit."""
    if unit == service:
        return True
    boxes = [c for c in facts.docker.containers if c.name == service and c.state == "running"]
    return bool(boxes) and process in (HAPROXY, None)


def _binary(site: Site, host: Host, facts: HostFacts) -> str:
    files = {f.path for f in facts.files if f.kind == "file"}
    candidates = gateway_binaries(site, host)
    binary = next((path for path in candidates if path in files), None)
    if binary is None:
        raise _no(
            host,
            f"HAProxy is not installed on this host (looked for {', '.join(candidates)})",
            "Install HAProxy 2.4 or later (`apt-get install haproxy`), or with the runtime "
            "`docker` name an image: `images: {haproxy: …}`.",
        )
    return binary


def _image_facts(host: Host, facts: HostFacts) -> EngineFacts:
    image = next((e for e in facts.engines if e.backend == HAPROXY), None)
    for refusal in docker_refusals(host, facts.docker):
        raise _no(host, refusal.reason, f"{refusal.hint} Or use the host's own haproxy.")
    if image is None or (image.error is not None and not image.pullable):
        reason = image.error if image and image.error else "the probe did not look for its image"
        hint = missing_image_hint(host.name, image.image, reason) if image and image.image else ""
        usual = "Load it (`docker load`), or correct `images: {haproxy: …}`."
        raise _no(host, reason, hint or usual)
    return image


def _no(host: Host, reason: str, hint: str) -> NoGateway:
    return NoGateway(Refusal(host=host.name, instance=GATEWAY, reason=reason, hint=hint))
