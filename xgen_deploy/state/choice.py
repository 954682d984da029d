"""What is left to the tool to choose for an instance, and what it chose."""

from typing import Literal

from xgen_deploy.frozen import Frozen
from xgen_deploy.state.field_types import Positive


class GPUCount(Frozen):
    """So many GPUs of one kind, whichever have room."""

    count: Positive


class Choice(Frozen):
    """None where it was stated, or does not apply. `gpus` are identities in the engine's order,
    `tensor_split` a share for each of them. `memory_share` is that of an instance which is not
    alone on its GPUs."""

    gpus: tuple[str, ...] | None = None
    n_ctx: int | None = None
    n_gpu_layers: int | Literal["all"] | None = None
    tensor_split: tuple[float, ...] | None = None
    memory_share: float | None = None
