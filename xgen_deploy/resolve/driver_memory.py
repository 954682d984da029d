"""Measures what the driver takes for each process: what runs, against its engine's report. Pure."""

from collections.abc import Iterator

from xgen_deploy.resolve.memory_shares import share_of
from xgen_deploy.resolve.room import MIB, cgroups_of, reported, takes_from_the_host
from xgen_deploy.state.driver_memory import MOST_MIB, DriverMemory
from xgen_deploy.state.facts import HostFacts
from xgen_deploy.state.gpu import GPUInfo
from xgen_deploy.state.layout import Layout
from xgen_deploy.state.record import InstanceRecord, Record


def measured(facts: HostFacts, record: Record, layout: Layout) -> Iterator[DriverMemory]:
    """Nothing of an engine that takes a share, nor where something is loaded that none reports."""
    for name, last in record.instances.items():
        spec = last.spec
        unreported = spec.mmproj is not None or spec.loras or share_of(spec)
        if last.stopped is not None or last.report is None or unreported:
            continue
        cgroups = cgroups_of(name, facts, record, layout)
        for gpu in facts.gpu.devices:
            held, told = _held(gpu, cgroups), _told(gpu, last)
            if held is None or told is None or held < told or takes_from_the_host(gpu):
                continue
            yield DriverMemory(
                gpu=gpu.device_name or gpu.gpu_type,
                driver=gpu.driver_version,
                engine=spec.backend,
                build=last.report.version,
                mib=min(held - told, MOST_MIB),
            )


def _held(gpu: GPUInfo, cgroups: frozenset[str]) -> int | None:
    """MiB of the one process of an instance."""
    own = [p for p in gpu.processes if p.cgroup and any(c in p.cgroup for c in cgroups)]
    return own[0].memory_mb if len(own) == 1 else None


def _told(gpu: GPUInfo, last: InstanceRecord) -> int | None:
    """MiB, by its engine."""
    place = next((i for i, name in enumerate(last.spec.gpus) if name in gpu.names), None)
    size = None if place is None else reported(last.report, place, len(last.spec.gpus))
    return None if size is None else size // MIB
