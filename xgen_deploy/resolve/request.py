"""What the probe of a host must be asked so that its placements can be resolved."""

from xgen_deploy.resolve.engines import build_named, candidates
from xgen_deploy.resolve.gateway_needs import gateway_files, gateway_image_request, is_gateway_host
from xgen_deploy.resolve.models import model_key, sources
from xgen_deploy.state.facts import EngineRequest, ModelRequest, ProbeRequest
from xgen_deploy.state.gateway_paths import gateway_socket
from xgen_deploy.state.host import Host
from xgen_deploy.state.instance_config import InstanceConfig
from xgen_deploy.state.layout import SECOND, Layout
from xgen_deploy.state.site import Site


def probe_request(site: Site, host: Host, layout: Layout, *, health: bool = False) -> ProbeRequest:
    """One round trip's worth: models, engine builds, and how the host is set up."""
    declared = site.on(host.name)
    gateway_stats = gateway_image_request(site, host)
    return ProbeRequest(
        project=site.project,
        state_dir=layout.state_dir,
        etc_dir=layout.etc_dir,
        process_dir=layout.process_dir,
        models=_models(host, declared),
        engines=_engines(declared) + ((gateway_stats,) if gateway_stats else ()),
        files=gateway_files(site, host, layout.etc_dir),
        ports=_ports(site, host, declared),
        software_gpu=host.software_gpu,
        health=health,
        units={d.name: _units(d.name, layout) for d in declared} if health else {},
        gateway_stats=gateway_socket(layout)
        if health and is_gateway_host(site, host.name)
        else None,
        watchdog=layout.heal if health and layout.process_dir is None else None,
    )


def _ports(
    site: Site, host: Host, declared: tuple[InstanceConfig, ...]
) -> tuple[tuple[int, int], ...]:
    """What an instance or the gateway there may get."""
    ranges = [one.ports for one in declared]
    fixed = [one.port for one in declared if one.port is not None]
    if site.gateway is not None and is_gateway_host(site, host.name):
        fixed.append(site.gateway.port)
    return tuple(dict.fromkeys([*ranges, *((port, port) for port in fixed)]))


def _units(name: str, layout: Layout) -> tuple[str, str]:
    first, second = (f"{layout.service(place)}.service" for place in (name, name + SECOND))
    return first, second


def _models(host: Host, declared: tuple[InstanceConfig, ...]) -> tuple[ModelRequest, ...]:
    found: dict[str, ModelRequest] = {}
    for one in declared:
        for source in sources(one).values():
            key = model_key(source, one.revision)
            found[key] = ModelRequest(
                key=key,
                source=source,
                revision=one.revision,
                model_dir=host.model_dir,
                hf_home=host.hf_home,
            )
    return tuple(found.values())


def _engines(declared: tuple[InstanceConfig, ...]) -> tuple[EngineRequest, ...]:
    found = (
        build_named(one, one.runtime, backend) for one in declared for backend in candidates(one)
    )
    return tuple(dict.fromkeys(request for request in found if request is not None))
