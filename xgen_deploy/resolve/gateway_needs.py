"""What the manifest asks of gateways, before anything is known of their hosts: pure."""

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


def is_gateway_host(site: Site, host: str) -> bool:
    return site.gateway is not None and host in (site.gateway.hosts or ())


def gateway_port(site: Site, host: str) -> dict[str, int]:
    """The gateway's port on its hosts, which no instance may be given."""
    return {GATEWAY: site.gateway.port} if site.gateway and is_gateway_host(site, host) else {}


def needed_listen(site: Site, host: str) -> str:
    """Where instances on a host listen unless stated: on loopback, but where a gateway on another
    host must reach them."""
    gateway_hosts = set(site.gateway.hosts or ()) if site.gateway else set()
    return EVERYWHERE if gateway_hosts - {host} else LOOPBACK


def everywhere(site: Site) -> Iterator[InstanceConfig]:
    """Every instance of the manifest, also those that `--limit` cut off."""
    yield from site.declared
    yield from site.elsewhere


def fallbacks(site: Site) -> dict[str, tuple[str, ...]]:
    """Every model that is served somewhere, in manifest order, and what takes over for it."""
    found: dict[str, tuple[str, ...]] = {}
    for one in everywhere(site):
        found[one.model] = found.get(one.model) or one.fallback
    return found


def names_of_others(site: Site, model: str) -> tuple[str, ...]:
    """The models that fall back to this one, sorted. A gateway passes a request's body on as it
    came, so an engine that checks the model's name must answer to theirs too.
    """
    if site.gateway is None:
        return ()
    found = fallbacks(site).items()
    return tuple(sorted(m for m, others in found if m != model and model in others))


def gateway_runtime(site: Site, host: Host) -> Runtime:
    return host.runtime or site.runtime


def gateway_image(site: Site, host: Host) -> ImageWithEntrypoint | None:
    """The image that the manifest or the host names; None where the host's own binary serves."""
    found: Image | None = host.images.get(HAPROXY) or site.images.get(HAPROXY)
    if found is None or gateway_runtime(site, host) != "docker":
        return None
    return found if isinstance(found, ImageWithEntrypoint) else ImageWithEntrypoint(image=found)


def gateway_binaries(site: Site, host: Host) -> tuple[str, ...]:
    """The stated binary, or where distributions put theirs; the first that is there serves."""
    stated = host.binaries.get(HAPROXY) or site.binaries.get(HAPROXY)
    return (stated,) if stated else USUAL_BINARIES


def gateway_image_request(site: Site, host: Host) -> EngineRequest | None:
    """For the probe: whether the image is there."""
    image = gateway_image(site, host) if is_gateway_host(site, host.name) else None
    if image is None:
        return None
    entrypoint = image.entrypoint
    may_pull = site.pull == "missing"
    return EngineRequest(
        backend=HAPROXY, image=image.image, entrypoint=entrypoint, may_pull=may_pull
    )


def gateway_files(site: Site, host: Host, etc_dir: str) -> tuple[str, ...]:
    """For the probe: files that it should look at."""
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
    """An interpreter there, for the little program that talks to the gateway's socket."""
    known = site.hosts.get(host)
    return known.python if known and known.python else "python3"
