"""The last look at hosts with the values that came since. Pure."""

from collections.abc import Mapping
from dataclasses import replace

from xgen_deploy import frozen
from xgen_deploy.errors import UnreachableError, XgenError
from xgen_deploy.live.sample import GPUSample
from xgen_deploy.live.values import Gone, HostValues
from xgen_deploy.state.gpu import GPUInfo
from xgen_deploy.state.observation import Observation, Observed

_VALUES = ("memory_used_mb", "memory_free_mb", "utilization_percent", "gtt_used_mb")


def with_values(observed: Observed, latest: Mapping[str, HostValues | Gone]) -> Observed:
    """A host that was lost since is unreachable; what is not known anew stays as it was."""
    return {name: _merged(name, look, latest.get(name)) for name, look in observed.items()}


def _merged(
    name: str, look: Observation | XgenError, values: HostValues | Gone | None
) -> Observation | XgenError:
    if isinstance(look, XgenError) or values is None:
        return look
    if isinstance(values, Gone):
        return UnreachableError(name, values.reason)
    gpus = tuple(_gpu(gpu, values.gpus) for gpu in look.facts.gpu.gpus)
    facts = frozen.replace(look.facts, gpu=frozen.replace(look.facts.gpu, gpus=gpus))
    return replace(look, facts=facts)


def _gpu(gpu: GPUInfo, samples: tuple[GPUSample, ...]) -> GPUInfo:
    sample = next((s for s in samples if _is_same(gpu, s)), None)
    if sample is None:
        return gpu
    changed = {what: getattr(sample, what) for what in _VALUES}
    return gpu.model_copy(update={w: v for w, v in changed.items() if v is not None})


def _is_same(gpu: GPUInfo, sample: GPUSample) -> bool:
    if gpu.uuid is not None and sample.uuid is not None:
        return gpu.uuid == sample.uuid
    if gpu.pci_bus_id is not None and sample.pci_bus_id is not None:
        return gpu.pci_bus_id == sample.pci_bus_id
    return gpu.index == sample.index
