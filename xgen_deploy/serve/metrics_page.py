"""What was seen of hosts, in Prometheus' text format and the names of `docs/metrics.md`. Pure."""

from collections.abc import Iterator

from xgen_deploy.state.gpu import GPUInfo
from xgen_deploy.state.observation import Observation, Observed
from xgen_deploy.state.site import Site
from xgen_deploy.verify.site_status import SiteStatus
from xgen_deploy.verify.status import Status
from xgen_deploy.visible import visible
from xgen_deploy.watch.remote.samples import Sample, known, page_text, sample

_MIB = 1 << 20


def metrics_page(site: Site, observed: Observed, status: SiteStatus) -> str:
    """What is unknown is left out; `xgen_collection_error` is 1 of a host that was not reached."""
    samples = [s for host, o in observed.items() for s in _of_host(host, o)]
    samples += [s for each in status.instances for s in _of_instance(each)]
    return page_text(map(_visible, samples), (("project", site.project),))


def _visible(each: Sample) -> Sample:
    """What a host says is printed by whoever asks for the page."""
    return each._replace(labels=tuple((name, visible(value)) for name, value in each.labels))


def _of_host(host: str, observation: object) -> Iterator[Sample]:
    reached = isinstance(observation, Observation)
    yield _on(host, sample("xgen_collection_error", not reached, source="host"))
    if not isinstance(observation, Observation):
        return
    facts = observation.facts
    memory = {
        "xgen_host_memory_total_bytes": facts.memory_total_mb,
        "xgen_host_memory_available_bytes": facts.memory_available_mb,
    }
    for name, mib in memory.items():
        yield from (_on(host, s) for s in known(name, _bytes(mib)))
    for gpu in facts.gpu.gpus:
        yield from (_on(host, s) for s in _of_gpu(gpu))


def _of_gpu(gpu: GPUInfo) -> Iterator[Sample]:
    labels = {"gpu_uuid": gpu.uuid or gpu.pci_bus_id or "", "gpu_index": str(gpu.index)}
    values = {
        "xgen_gpu_memory_total_bytes": _bytes(gpu.memory_total_mb),
        "xgen_gpu_memory_used_bytes": _bytes(gpu.memory_used_mb),
        "xgen_gpu_memory_free_bytes": _bytes(gpu.memory_free_mb),
        "xgen_gpu_utilization_ratio": _ratio(gpu.utilization_percent),
    }
    for name, value in values.items():
        yield from known(name, value, **labels)


def _of_instance(status: Status) -> Iterator[Sample]:
    if status.status == "unknown":
        return
    labels = {"instance": status.instance, "model": status.model_id}
    stopped = status.status == "stopped"
    yield _on(status.host, sample("xgen_instance_up", status.status == "running", **labels))
    yield _on(status.host, sample("xgen_instance_stopped_by_intent", stopped, **labels))
    offloaded = known("xgen_instance_layers_offloaded", status.offloaded_layers, **labels)
    layers = known("xgen_instance_layers", status.total_layers, **labels)
    yield from (_on(status.host, s) for s in (*offloaded, *layers))


def _on(host: str, each: Sample) -> Sample:
    return each._replace(labels=(("host", host), *each.labels))


def _bytes(mib: int | None) -> float | None:
    return None if mib is None else float(mib * _MIB)


def _ratio(percent: int | None) -> float | None:
    return None if percent is None else percent / 100
