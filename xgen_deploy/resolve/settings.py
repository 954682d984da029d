"""The settings of the chosen engine; those of other engines are ignored, with a note."""

from dataclasses import dataclass
from typing import Any

from xgen_deploy.backends.base import Backend
from xgen_deploy.resolve.models import Layers, decide_layers
from xgen_deploy.state.facts import ModelFacts
from xgen_deploy.state.gpu import GPUInfo
from xgen_deploy.state.instance_config import InstanceConfig
from xgen_deploy.state.settings import ENGINE_SETTINGS


@dataclass(frozen=True)
class ChosenSettings:
    """`own` are the fields of the spec with the engine's own section; all other sections stay
    empty. `notes` are for the reader of the plan.
    """

    layers: Layers
    own: dict[str, Any]
    notes: tuple[str, ...]


def engine_settings(
    declared: InstanceConfig,
    backend: Backend,
    model: ModelFacts,
    gpus: tuple[GPUInfo, ...],
    n_ctx: int,
) -> ChosenSettings:
    """Raises Refused for settings that the engine would not start with."""
    backend.check(declared, model, gpus, n_ctx)
    layers = Layers(None, None)
    if backend.offloads_layers:
        layers = decide_layers(declared, model, declared.n_gpu_layers, on_gpu=bool(gpus))
    own = {name: getattr(declared, name) for name in ENGINE_SETTINGS if name == backend.settings}
    ignored = [
        name
        for name, kind in ENGINE_SETTINGS.items()
        if name not in own and getattr(declared, name) != kind()
    ]
    if not backend.offloads_layers and declared.n_gpu_layers is not None and gpus:
        ignored.append("n_gpu_layers")
    notes = [f"{name} is ignored: {backend.name} serves here" for name in ignored]
    return ChosenSettings(layers, own, (*notes, *((layers.note,) if layers.note else ())))
