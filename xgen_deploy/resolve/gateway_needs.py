"""What the manifest asks for its gateways, before their hosts are observed. Pure."""

from collections.abc import Iterator

from xgen_deploy.state.facts import EngineRequest
from xgen_deploy.state.gateway import GATEWAY
from xgen_deploy.state.host import Host
from xgen_deploy.state.instance_config import InstanceConfig
from xgen_deploy.state.settings import Image, ImageWithEntrypoint, Runtime
from xgen_deploy.state.site import Site

HAPROXY = "haproxy"
LOOPBACK = "127.0.0.1"
EVERYWHERE = "0.0.0.0"  # noqa: S104 - what a gateway on another host needs
USUAL_BINARIES = ("/usr/sbin/haproxy", "/usr/local/sbin/haproxy", "/usr/bin/haproxy")


def gateway_hosts(site: Site) -> tuple[str, ...]:
    """The gateway's hosts, as far as `--limit` leaves them."""
    stated = (site.gateway.hosts or ()) if site.gateway else ()
    return tuple(host for host in stated if host in site.hosts)


def is_gateway_host(site: Site, host: str) -> bool:
    return site.gateway is not None and host in (site.gateway.hosts or ())


def gateway_port(site: Site, host: str) -> dict[str, int]:
    """`gateway` -> its port on a gateway host, which no instance may take; {} elsewhere."""
    return {GATEWAY: site.gateway.port} if site.gateway and is_gateway_host(site, host) else {}


def needed_listen(site: Site, host: str) -> str:
    """The address that instances listen on unless stated: loopback, or every address where a
    gateway on another host has to reach them.
    """
    gateway_hosts = set(site.gateway.hosts or ()) if site.gateway else set()
    return EVERYWHERE if gateway_hosts - {host} else LOOPBACK


def everywhere(site: Site) -> Iterator[InstanceConfig]:
    """Every instance of the manifest, including those outside `--limit`."""
    yield from site.declared
    yield from site.elsewhere


def fallbacks(site: Site) -> dict[str, tuple[str, ...]]:
    """Every model with an instance, in manifest order -> its fallback models."""
    by_model: dict[str, tuple[str, ...]] = {}
    for config in everywhere(site):
        by_model[config.model] = by_model.get(config.model) or config.fallback
    return by_model


def further_names(site: Site, model: str) -> tuple[str, ...]:
    """What an engine that checks the model's name must answer to besides: the model's aliases, then
    the models that fall back to it and theirs, sorted. A gateway passes a request's body on as it
    came.
    """
    own = aliases(site, model)
    if site.gateway is None:
        return own
    pairs = fallbacks(site).items()
    others = [m for m, falls_to in pairs if m != model and model in falls_to]
    return (*own, *sorted({*others, *(a for m in others for a in aliases(site, m))}))


def aliases(site: Site, model: str) -> tuple[str, ...]:
    """Of all its placements, each once."""
    return tuple(dict.fromkeys(a for d in everywhere(site) if d.model == model for a in d.aliases))


def gateway_runtime(site: Site, host: Host) -> Runtime:
    return host.runtime or site.runtime


def gateway_image(site: Site, host: Host) -> ImageWithEntrypoint | None:
    """The image that the manifest or the host names; None where the host's own binary serves."""
    image: Image | None = host.images.get(HAPROXY) or site.images.get(HAPROXY)
    if image is None or gateway_runtime(site, host) != "docker":
        return None
    return image if isinstance(image, ImageWithEntrypoint) else ImageWithEntrypoint(image=image)


def gateway_binaries(site: Site, host: Host) -> tuple[str, ...]:
    """The stated binary, or the usual paths of distributions; the first that exists is used."""
    stated = host.binaries.get(HAPROXY) or site.binaries.get(HAPROXY)
    return (stated,) if stated else USUAL_BINARIES


def gateway_image_request(site: Site, host: Host) -> EngineRequest | None:
    """The probe's question about the gateway's image; None where the host needs none."""
    image = gateway_image(site, host) if is_gateway_host(site, host.name) else None
    if image is None:
        return None
    entrypoint = image.entrypoint
    may_pull = site.pull == "missing" and host.egress is not False
    return EngineRequest(
        backend=HAPROXY, image=image.image, entrypoint=entrypoint, may_pull=may_pull
    )


def gateway_files(site: Site, host: Host, etc_dir: str) -> tuple[str, ...]:
    """The files of the gateway that the probe reports on."""
    config = f"{etc_dir}/gateway/haproxy.cfg"
    if not is_gateway_host(site, host.name) or site.gateway is None:
        return ()
    tls = site.gateway.tls
    return (
        config,
        *(gateway_binaries(site, host) if gateway_image(site, host) is None else ()),
        *((tls.cert, tls.key) if tls else ()),
    )


def python_on(site: Site, host: str) -> str:
    """The Python interpreter on a host, for the guard that talks to the gateway's socket."""
    known = site.hosts.get(host)
    return known.python if known and known.python else "python3"
