"""`gpus --json` of what was observed. Pure."""

from xgen_deploy.backends.availability import available_backends, recommended_family
from xgen_deploy.documents.error_entry import host_errors
from xgen_deploy.documents.gpu_entries import cordon_on, gpu_entry, overall_type, owners
from xgen_deploy.documents.gpus import GPUsDocument, HostGPUs
from xgen_deploy.errors import XgenError, reason_of
from xgen_deploy.frozen import replace
from xgen_deploy.resolve.readiness import not_ready
from xgen_deploy.state.facts import HostFacts
from xgen_deploy.state.observation import Observation, Observed
from xgen_deploy.state.site import Site

# What a recorded fleet is planned on: nothing of what runs there, or of who uses it.
_RECORDED = {
    *("format", "probe", "hostname", "arch", "kernel", "os", "user", "uid", "now", "cores"),
    *("cpu_model", "memory_total_mb", "gpu", "systemd", "ephemeral_ports", "models", "engines"),
    *("groups", "device_files", "docker"),
}


def gpus_document(site: Site, observed: Observed) -> GPUsDocument:
    hosts = {n: _host(site, n, o) for n, o in observed.items()}
    return GPUsDocument(hosts=hosts, errors=tuple(host_errors(observed)))


def _host(site: Site, name: str, observation: Observation | XgenError) -> HostGPUs:
    if isinstance(observation, XgenError):
        return HostGPUs(reachable=False, error=reason_of(observation))
    facts = observation.facts
    instances = owners(site, name, facts)
    record = observation.record
    gpus = tuple(gpu_entry(g, instances, cordon_on(g, record)) for g in facts.gpu.gpus)
    primary = facts.gpu.primary_gpu
    available = available_backends(facts.gpu.gpus)
    return HostGPUs(
        reachable=True,
        available=facts.gpu.available,
        detection_method=facts.gpu.detection_method,
        gpu_type=overall_type(facts.gpu.gpus),
        gpus=gpus,
        primary_gpu=next((g for g in gpus if primary and g.index == primary.index), None),
        available_backends=available.backends,
        recommended_backend=recommended_family(available.backends),
        not_ready=not_ready(site, site.hosts[name], facts),
        unavailable=available.reasons,
        attempts=facts.gpu.attempts,
        probe=facts.probe,
        facts=_recorded(facts),
    )


def _recorded(facts: HostFacts) -> dict[str, object]:
    gpus = [
        replace(
            gpu,
            processes=(),
            mig_instances=tuple(replace(part, processes=()) for part in gpu.mig_instances),
        )
        for gpu in facts.gpu.gpus
    ]
    idle = replace(
        facts,
        gpu=replace(facts.gpu, gpus=tuple(gpus)),
        docker=replace(facts.docker, containers=()),
    )
    return idle.model_dump(mode="json", by_alias=True, include=_RECORDED, exclude_none=True)
