"""The settings of the engine that came to serve; those of the other kind are ignored, and said."""

from dataclasses import dataclass

from xgen_deploy.resolve.engines import family
from xgen_deploy.resolve.models import Layers, decide_layers
from xgen_deploy.resolve.vllm import check_vllm
from xgen_deploy.state.facts import ModelFacts
from xgen_deploy.state.gpu import GPUInfo
from xgen_deploy.state.instance_config import InstanceConfig
from xgen_deploy.state.settings import LlamaSettings, VllmSettings


@dataclass(frozen=True)
class EngineSettings:
    """What goes into the spec, and notes for the reader of the plan."""

    layers: Layers
    llama: LlamaSettings
    vllm: VllmSettings
    notes: tuple[str, ...]


def engine_settings(
    declared: InstanceConfig, backend: str, model: ModelFacts, gpus: tuple[GPUInfo, ...], n_ctx: int
) -> EngineSettings:
    """Raises Refused for what the engine would not start with."""
    ignored = f"ignored: {backend} serves here"
    if family(backend) == "vllm":
        check_vllm(declared, model, gpus, n_ctx)
        stated = {
            "llama": declared.llama != LlamaSettings(),
            "n_gpu_layers": declared.n_gpu_layers is not None and bool(gpus),
        }
        notes = tuple(f"{name} is {ignored}" for name, is_set in stated.items() if is_set)
        return EngineSettings(Layers(None, None), LlamaSettings(), declared.vllm, notes)
    layers = decide_layers(declared, model, on_gpu=bool(gpus))
    notes = (f"vllm is {ignored}",) if declared.vllm != VllmSettings() else ()
    if layers.note:
        notes += (layers.note,)
    return EngineSettings(layers, declared.llama, VllmSettings(), notes)
