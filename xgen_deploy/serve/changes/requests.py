"""What may be asked for: a closed list of fields. All else is changed by editing the manifest."""

from typing import Annotated, Literal

from pydantic import AliasChoices, Field

from xgen_deploy.frozen import Frozen
from xgen_deploy.plan.maintenance import Maintaining
from xgen_deploy.state.field_types import Positive

Name = Annotated[str, Field(min_length=1, max_length=253)]
GPUIndex = Annotated[int, Field(ge=0, le=255)]
Count = Annotated[int, Field(ge=1, le=256)]
GPUId = GPUIndex | Annotated[str, Field(max_length=100)]
GPUs = (
    tuple[GPUId, ...]
    | tuple[tuple[GPUId, ...], ...]
    | Literal["all", "auto"]
    | dict[Literal["count"], Count]
)
Layers = int | Annotated[str, Field(pattern=r"^(all|auto|\d{1,2}(\.\d+)?%|100%)$")]
Proportion = Annotated[int | float, Field(ge=0, le=1e6)]
Share = Annotated[float, Field(gt=0, le=1)]


class LoadRequest(Frozen):
    """A model on a host: a new placement, or other settings of the one of this name that is there.
    What is left out stays as it is."""

    model: Name = Field(
        validation_alias=AliasChoices("model", "model_id"),
        description="A name under `models:`.",
    )
    host: Name
    name: Name | None = Field(
        default=None, description="The instance's; the model's unless stated."
    )
    gpus: GPUs | None = Field(default=None, description="In the engine's order; [] is the CPU.")
    gpu_index: GPUIndex | Literal[-1] | None = Field(
        default=None, description="One GPU, in place of `gpus`; -1 is the CPU."
    )
    backend: Name | None = Field(
        default=None,
        validation_alias=AliasChoices("backend", "server_type"),
        description="auto, a family or an engine build, such as llama-server-cuda.",
    )
    n_gpu_layers: Layers | None = None
    n_ctx: Positive | Literal["auto"] | None = None
    replicas: Count | None = None
    parallel: Positive | None = Field(default=None, description="llama.cpp: requests at once.")
    main_gpu: GPUIndex | None = None
    split_mode: Literal["none", "layer", "row", "tensor"] | None = None
    tensor_split: tuple[Proportion, ...] | Literal["auto"] | None = None
    tensor_parallel_size: Positive | None = None
    gpu_memory_utilization: Share | None = None
    max_num_seqs: Positive | None = Field(default=None, description="vLLM: requests at once.")


class UnloadRequest(Frozen):
    """An instance of a host, by its name (the model's unless it has its own)."""

    host: Name
    name: Name = Field(validation_alias=AliasChoices("name", "instance", "model", "model_id"))


class ActionRequest(UnloadRequest):
    """The same instance is stopped, started or restarted as it was applied."""

    action: Maintaining


class RollbackRequest(Frozen):
    to: Annotated[int, Field(ge=1)] | None = Field(
        default=None, description="The number of an apply; the one before the last unless stated."
    )


class ApplyRequest(Frozen):
    """`fingerprint` is that of the plan that was shown. `name` is typed by a person where the plan
    interrupts, stops or removes something: see `confirm` of the change."""

    fingerprint: Annotated[str, Field(max_length=200)]
    name: Annotated[str, Field(max_length=253)] | None = None


Request = LoadRequest | UnloadRequest | ActionRequest | RollbackRequest
