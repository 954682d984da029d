"""`xgen-deploy gpus`: each host's GPUs, what it can run and what is missing."""

import time
from collections.abc import Mapping

import click

from xgen_deploy.backends.availability import available_backends, recommended_family
from xgen_deploy.cli.documents.gpus import GPUsDocument, HostGPUs
from xgen_deploy.cli.error_entry import host_errors
from xgen_deploy.cli.manifest_command import ManifestCommand
from xgen_deploy.cli.opening import open_run
from xgen_deploy.cli.options import Settings, host_options
from xgen_deploy.cli.screens.gpu_overview import cordon_on, gpu_entry, overall_type
from xgen_deploy.cli.screens.gpu_table import gpu_table, owners
from xgen_deploy.cli.screens.screen import Screen
from xgen_deploy.errors import XgenError, exit_code_of, reason_of
from xgen_deploy.frozen import replace
from xgen_deploy.plan.out_of_service import in_force
from xgen_deploy.resolve.readiness import not_ready
from xgen_deploy.run.run import Run
from xgen_deploy.state.facts import HostFacts
from xgen_deploy.state.observation import Observation

# What a recorded fleet is planned on: nothing of what runs there, or of who uses it.
_RECORDED = {
    *("format", "probe", "hostname", "arch", "kernel", "os", "user", "uid", "now", "cores"),
    *("cpu_model", "memory_total_mb", "gpu", "systemd", "ephemeral_ports", "models", "engines"),
    *("groups", "device_files", "docker"),
}
_EVERY = 5.0  # seconds; amdsmi was seen to fail when asked more often


@click.command("gpus", cls=ManifestCommand)
@click.option("--watch", is_flag=True, help="Refresh every 5 s; Ctrl-C ends.")
@host_options
def command(settings: Settings, watch: bool) -> int:
    """Show every host's GPUs, who uses them, what the host can run and what is missing."""
    screen = Screen(settings)
    with open_run(settings, brings=False) as run:
        while True:
            observed = in_force(run.observe(), time.time())
            if watch and not settings.json:
                click.clear()
            width = screen.width
            screen.lines(gpu_table(run.site, observed, verbose=settings.verbose, width=width))
            if settings.json:
                screen.value(_document(run, observed), more=watch)
            if not watch:
                break
            time.sleep(_EVERY)
    return exit_code_of(o for o in observed.values() if isinstance(o, XgenError))


def _document(run: Run, observed: Mapping[str, Observation | XgenError]) -> GPUsDocument:
    hosts = {n: _value(run, n, o) for n, o in observed.items()}
    return GPUsDocument(hosts=hosts, errors=tuple(host_errors(observed)))


def _value(run: Run, name: str, observation: Observation | XgenError) -> HostGPUs:
    if isinstance(observation, XgenError):
        return HostGPUs(reachable=False, error=reason_of(observation))
    facts = observation.facts
    instances = owners(run.site, name, facts)
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
        not_ready=not_ready(run.site, run.site.hosts[name], facts),
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
