"""The probe request of a host: what resolving its instances needs to know."""

from collections.abc import Mapping

from xgen_deploy.files.routes import mode_of
from xgen_deploy.frozen import replace
from xgen_deploy.resolve.engines import build_named, candidates
from xgen_deploy.resolve.gateway_needs import gateway_files, gateway_image_request, is_gateway_host
from xgen_deploy.resolve.locked import locked_as, locked_images
from xgen_deploy.resolve.model_request import model_request
from xgen_deploy.resolve.monitoring_needs import (
    is_monitoring_host,
    monitoring_files,
    monitoring_ports,
)
from xgen_deploy.resolve.quantize import quantizer_request
from xgen_deploy.resolve.stated_files import model_files, stated_files
from xgen_deploy.state.facts import EngineRequest, ModelRequest, ProbeRequest, PushedImage
from xgen_deploy.state.gateway_paths import gateway_socket
from xgen_deploy.state.host import Host
from xgen_deploy.state.image_name import registry_of
from xgen_deploy.state.instance_config import InstanceConfig
from xgen_deploy.state.layout import SECOND, Layout
from xgen_deploy.state.monitoring_config import PROMETHEUS
from xgen_deploy.state.monitoring_paths import data_folder
from xgen_deploy.state.site import Site

_FORMS = 2
_MOST_PLACES = 16
NO_IMAGES: Mapping[str, PushedImage] = {}


def probe_request(
    site: Site,
    host: Host,
    layout: Layout,
    *,
    health: bool = False,
    pushed: Mapping[str, PushedImage] = NO_IMAGES,
) -> ProbeRequest:
    """Everything for one round trip; `health` also asks for what `status` shows. `pushed` are the
    images that this machine has for hosts."""
    declared = site.on(host.name)
    engines = engine_requests(site, host)
    looked_for = {**locked_images(site), **pushed}
    return ProbeRequest(
        project=site.project,
        state_dir=layout.state_dir,
        etc_dir=layout.etc_dir,
        process_dir=layout.process_dir,
        models=model_requests(host, declared),
        engines=tuple(
            replace(e, pushed=looked_for.get(e.image or ""), login=_login(site, e)) for e in engines
        ),
        files=(
            *gateway_files(site, host, layout.etc_dir),
            *monitoring_files(site, host),
            *layout.watchdog_files,
        ),
        adopt_units=tuple(d.adopt.unit for d in declared if d.adopt and d.adopt.unit),
        adopt_containers=tuple(
            d.adopt.container for d in declared if d.adopt and d.adopt.container
        ),
        ports=ports_of(site, host, declared),
        software_gpu=host.software_gpu,
        folders=(
            host.model_dir,
            host.hf_home,
            *((layout.images,) if pushed else ()),
            *_data_folders(site, host, layout),
        ),
        outside=outside(site, host),
        quantizer=quantizer_request(declared, host.model_dir),
        health=health,
        units={d.name: _units(d.name, layout) for d in declared} if health else {},
        gateway_stats=gateway_socket(layout)
        if health and is_gateway_host(site, host.name)
        else None,
        watchdog=layout.watchdog if health and layout.process_dir is None else None,
        writes=layout.written,
    )


def engine_requests(site: Site, host: Host) -> tuple[EngineRequest, ...]:
    """The builds that may come into question there, and the gateway's image."""
    gateway_image = gateway_image_request(site, host)
    return _engines(site.on(host.name)) + ((gateway_image,) if gateway_image else ())


def _login(site: Site, engine: EngineRequest) -> bool:
    return engine.image is not None and registry_of(engine.image) in site.registries


def outside(site: Site, host: Host) -> tuple[str, ...]:
    """What a host tries to reach where it may fetch a model by itself."""
    if host.egress is False:
        return ()
    fetching = (c for c in site.on(host.name) if mode_of(c, host) in ("auto", "host"))
    stated = (s for c in fetching for s in (*model_files(c), *stated_files(c, host)))
    places = (site.fetch.contact(s.source) for s in stated)
    return tuple(dict.fromkeys(p for p in places if p is not None))[:_MOST_PLACES]


def ports_of(
    site: Site, host: Host, declared: tuple[InstanceConfig, ...]
) -> tuple[tuple[int, int], ...]:
    """The port ranges that its instances, the gateway and monitoring may use."""
    ranges = [d.ports for d in declared]
    fixed = [d.port for d in declared if d.port is not None]
    if site.gateway is not None and is_gateway_host(site, host.name):
        fixed.append(site.gateway.port)
    fixed += monitoring_ports(site, host.name).values()
    return tuple(dict.fromkeys([*ranges, *((port, port) for port in fixed)]))


def _data_folders(site: Site, host: Host, layout: Layout) -> tuple[str, ...]:
    """Where Prometheus keeps its values."""
    return (data_folder(layout, PROMETHEUS),) if is_monitoring_host(site, host.name) else ()


def _units(name: str, layout: Layout) -> tuple[str, str]:
    first, second = (f"{layout.service(n)}.service" for n in (name, name + SECOND))
    return first, second


def model_requests(host: Host, declared: tuple[InstanceConfig, ...]) -> tuple[ModelRequest, ...]:
    """The models, and what is loaded beside them."""
    requests: dict[str, ModelRequest] = {}
    for config in declared:
        for stated in (*model_files(config), *stated_files(config, host)):
            requests[stated.key] = model_request(
                stated, host.model_dir, host.hf_home, locked=locked_as(config, stated)
            )
    return tuple(requests.values())


def _engines(declared: tuple[InstanceConfig, ...]) -> tuple[EngineRequest, ...]:
    requests = (build_named(d, d.runtime, backend) for d in declared for backend in candidates(d))
    reading = _FORMS if any(_uses_forms(d) for d in declared) else 1
    named = (replace(request, reading=reading) for request in requests if request is not None)
    return tuple(dict.fromkeys(named))


def _uses_forms(config: InstanceConfig) -> bool:
    """Whether its command depends on the forms of options' values, which an older version of this
    tool did not read.
    """
    return config.draft is not None or bool(config.loras)
