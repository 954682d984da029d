"""What vLLM computes with, by its own report of its last start: before the first nobody knows."""

from dataclasses import replace

from xgen_deploy import frozen
from xgen_deploy.backends.vllm_asked import MIB, Asked
from xgen_deploy.backends.vllm_forecast import held
from xgen_deploy.state.instance import Spec
from xgen_deploy.state.record import InstanceRecord
from xgen_deploy.state.settings import VllmSettings

_MOST = 3  # times what is assumed: more is something else


def learned(asked: Asked, spec: Spec, last: InstanceRecord) -> int | None:
    """Bytes of each GPU beside the weights and the cache; None where that start said too little, or
    was of other settings than its share of the GPUs and the length of a request."""
    report = last.report
    if report is None or not report.kv_cache_tokens or not report.context:
        return None
    if not _alike(spec, last.spec) or last.spec.vllm.kv_cache_memory_bytes is not None:
        return None
    before = replace(asked, settings=last.spec.vllm, length=report.context)
    sizes, weights = held(before), [device.model_mib * MIB for device in report.devices]
    if sizes is None or len(weights) != len(before.budgets) or not all(weights):
        return None
    if before.batch != asked.batch:
        return None
    cache = report.kv_cache_tokens * sizes.request(before) // report.context
    room = min(budget - own for budget, own in zip(before.budgets, weights, strict=True))
    return min(max(0, int(room) - cache), _MOST * before.allowance) if cache else None


def _alike(spec: Spec, last: Spec) -> bool:
    """But for its share, and the length of a request."""
    same = (spec.model_path, spec.gpus, spec.draft, spec.loras)
    if same != (last.model_path, last.gpus, last.draft, last.loras):
        return False
    return _without_share(spec.vllm) == _without_share(last.vllm)


def _without_share(settings: VllmSettings) -> VllmSettings:
    return frozen.replace(settings, gpu_memory_utilization=None, kv_cache_memory_bytes=None)
