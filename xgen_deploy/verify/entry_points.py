"""Where a model can be asked: through a gateway, or one of its instances itself. Pure."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from xgen_deploy.backends.endpoint import further_names
from xgen_deploy.backends.question import Question
from xgen_deploy.state.endpoint import LOOPBACK
from xgen_deploy.state.gateway import GATEWAY
from xgen_deploy.state.host import Host
from xgen_deploy.state.observation import Observed, records_of
from xgen_deploy.state.record import Record
from xgen_deploy.state.settings import ModelType, SecretRef
from xgen_deploy.state.site import Site


@dataclass(frozen=True)
class Way:
    """`name` is `gateway` or an instance on `host`. `model` is what a request calls it, `names`
    are the others that it answers to. `address` is where others reach it, None where only its own
    host does. `locked`: it wants a key; `api_key` is the one that all may use.
    """

    host: str
    name: str
    model: str
    kind: ModelType
    listen: str
    port: int
    address: str | None
    names: tuple[str, ...] = ()
    tls: bool = False
    locked: bool = False
    api_key: SecretRef | None = None

    @property
    def through_gateway(self) -> bool:
        return self.name == GATEWAY

    @property
    def url(self) -> str:
        address = self.address or self.listen
        shown = f"[{address}]" if ":" in address else address
        return f"{'https' if self.tls else 'http'}://{shown}:{self.port}"


def ways_to(site: Site, observed: Observed, name: str) -> tuple[Way, ...]:
    """To a model by one of its names, through a gateway first; or to an instance of this name. What
    was stopped on purpose is none."""
    records = records_of(observed)
    instances = tuple(instance_ways(site, records))
    by_name = tuple(
        replace(way, model=name)
        for way in (*gateway_ways(site, records), *instances)
        if name in (way.model, *way.names)
    )
    return by_name or tuple(w for w in instances if w.name == name)


def gateway_ways(site: Site, records: Mapping[str, Record]) -> Iterator[Way]:
    """One for each gateway and model."""
    for host, record in records.items():
        gateway = record.gateway
        if gateway is None or gateway.stopped is not None or host not in site.hosts:
            continue
        spec = gateway.spec
        for route in spec.routes:
            yield Way(
                host=host,
                name=GATEWAY,
                model=route.model,
                kind=route.type,
                listen=spec.listen,
                port=spec.port,
                address=_address(site.hosts[host], spec.listen),
                names=route.names,
                tls=spec.tls is not None,
                locked=spec.asks_for_key,
                api_key=spec.api_key,
            )


def instance_ways(site: Site, records: Mapping[str, Record]) -> Iterator[Way]:
    declared = {(d.host, d.name): d for d in site.declared}
    for host, record in records.items():
        for name, last in record.instances.items():
            if last.stopped is not None or host not in site.hosts:
                continue
            spec = last.spec
            yield Way(
                host=host,
                name=name,
                model=spec.model,
                kind=spec.type,
                listen=spec.listen,
                port=spec.port,
                address=_address(site.hosts[host], spec.listen),
                names=further_names(spec, declared.get((host, name))),
                locked=spec.api_key is not None,
                api_key=spec.api_key,
            )


def _address(host: Host, listen: str) -> str | None:
    if listen in LOOPBACK:
        return None
    return host.client_address or host.address or host.name


def example(way: Way) -> Question:
    """The question that shows how to ask."""
    documents = ("Paris is in France.", "Bread is baked.") if way.kind == "reranker" else ()
    return Question(way.model, way.kind, "Hello", documents)
