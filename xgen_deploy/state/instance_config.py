"""Placements after merging: each instance that a host is asked to run, fields complete."""

from typing import Literal

from pydantic import Field

from xgen_deploy.frozen import Frozen
from xgen_deploy.state.accept import Accept
from xgen_deploy.state.choice import Choice, GPUCount
from xgen_deploy.state.features import Draft, Lora
from xgen_deploy.state.fetch import FetchMode, ModelFetch
from xgen_deploy.state.field_types import Fit
from xgen_deploy.state.locked import Locked
from xgen_deploy.state.settings import (
    Adopt,
    AutoLayers,
    ContainerSettings,
    GPURef,
    Image,
    LlamaSettings,
    ModelType,
    Objectives,
    Pull,
    Runtime,
    Sampling,
    SecretRef,
    SourceByFormat,
    Update,
    VllmSettings,
)


class Mark(Frozen):
    """A place in a file, counted from 1."""

    file: str
    line: int
    column: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"


class InstanceConfig(Frozen):
    """One instance that the manifest asks for on one host, before anything is known of the host.

    Defaults of the contract are filled in where it states one; None elsewhere means not
    stated. `gpus` None: left out; `()`: the CPU; `"all"`. `marks` tells where each dotted
    field (`llama.tensor_split`) was written; the key "" is the placement itself. `layers_here`
    is true where the placement itself stated `n_gpu_layers`. `local` is the file or folder on this
    machine that is brought to `source`. `locked` is what the lock file says of its sources, by
    `source@revision`.
    `spread`: one of the hosts that have it in the manifest is to run it
    (`resolve/choosing/spread.py`).
    `chosen` is what the tool chose when this was applied, or planned and saved.
    """

    host: str
    name: str
    model: str
    source: str | SourceByFormat
    local: str | None = None
    fetch: FetchMode | ModelFetch | None = None
    revision: str = "main"
    sha256: str | None = None
    quantize: str | None = None
    type: ModelType = "llm"
    backend: str = "auto"
    runtime: Runtime = "docker"
    pull: Pull = "missing"
    ports: tuple[int, int]
    port: int | None = None
    n_ctx: int | Literal["auto"] | None = None
    max_ctx: int | None = None
    min_ctx: int | None = None
    n_gpu_layers: AutoLayers | None = None
    layers_here: bool = False
    gpus: tuple[GPURef, ...] | Literal["all", "auto"] | GPUCount | None = None
    mmproj: str | None = None
    draft: Draft | None = None
    loras: dict[str, str | Lora] = Field(default_factory=dict)
    chat_template: str | None = None
    aliases: tuple[str, ...] = ()
    sampling: Sampling = Sampling()
    llama: LlamaSettings = LlamaSettings()
    vllm: VllmSettings = VllmSettings()
    api_key: SecretRef | None = None
    env: dict[str, str | SecretRef] = Field(default_factory=dict)
    container: ContainerSettings = ContainerSettings()
    image: Image | None = None
    images: dict[str, Image] = Field(default_factory=dict)
    binary: str | None = None
    binaries: dict[str, str] = Field(default_factory=dict)
    listen: str | None = None
    fallback: tuple[str, ...] = ()
    update: Update = Update()
    adopt: Adopt | None = None
    spare_gpus: tuple[GPURef, ...] = ()
    accept: Accept | None = None
    slo: Objectives | None = None
    protect: bool = False
    fit: Fit = "refuse"
    locked: dict[str, Locked] = Field(default_factory=dict)
    spread: Literal["host", "gpu"] | None = None
    chosen: Choice | None = None
    marks: dict[str, Mark] = Field(default_factory=dict)

    @property
    def has_secrets(self) -> bool:
        """Whether it needs a secret."""
        values = (self.api_key, *self.env.values())
        return any(isinstance(value, SecretRef) for value in values)
