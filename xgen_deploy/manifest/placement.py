"""Placements after merging: each instance that a host is asked to run, fields complete."""

from typing import Literal

from pydantic import Field

from xgen_deploy.manifest.host import Host
from xgen_deploy.manifest.schema import (
    Audit,
    ContainerSettings,
    Gateway,
    GPURef,
    Image,
    Layers,
    LlamaSettings,
    ModelType,
    Notify,
    Pull,
    Runtime,
    Sampling,
    SecretRef,
    SourceByFormat,
    Update,
    VllmSettings,
)
from xgen_deploy.values import Frozen


class Mark(Frozen):
    """A place in a file, counted from 1."""

    file: str
    line: int
    column: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"


class Declared(Frozen):
    """One instance that the manifest asks for on one host, before anything is known of the host.

    Defaults of the contract are filled in where it states one; None elsewhere means «not
    stated». `gpus` None: left out; `()`: the CPU; `"all"`. `marks` tells where each dotted
    field (`llama.tensor_split`) was written; the key "" is the placement itself. `layers_here`
    is true where the placement itself stated `n_gpu_layers`.
    """

    host: str
    name: str
    model: str
    source: str | SourceByFormat
    revision: str = "main"
    sha256: str | None = None
    type: ModelType = "llm"
    backend: str = "auto"
    runtime: Runtime = "docker"
    pull: Pull = "missing"
    ports: tuple[int, int]
    port: int | None = None
    n_ctx: int | None = None
    n_gpu_layers: Layers | None = None
    layers_here: bool = False
    gpus: tuple[GPURef, ...] | Literal["all"] | None = None
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
    spare_gpus: tuple[GPURef, ...] = ()
    marks: dict[str, Mark] = Field(default_factory=dict)

    @property
    def has_secrets(self) -> bool:
        """Whether it needs any."""
        values = (self.api_key, *self.env.values())
        return any(isinstance(value, SecretRef) for value in values)


class Site(Frozen):
    """A manifest and its inventory, read, merged and checked: what every command starts from.

    `declared` is in manifest order; a host of the manifest without an instance (`gpu-a: []`)
    is in `hosts` all the same. `manifest_digest` is of all `files` that took part. A gateway has
    its `hosts` filled in. What `--limit` cut off is in `other_hosts` and `elsewhere`: it is to be
    left alone, neither forgotten nor removed; with `limited_models`, so is every instance of a
    host that is not in `declared`.
    """

    project: str
    manifest_file: str
    manifest_digest: str
    files: tuple[str, ...] = ()
    runtime: Runtime = "docker"
    pull: Pull = "missing"
    images: dict[str, Image] = Field(default_factory=dict)
    binaries: dict[str, str] = Field(default_factory=dict)
    hosts: dict[str, Host]
    groups: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    declared: tuple[Declared, ...] = ()
    gateway: Gateway | None = None
    notify: Notify | None = None
    audit: Audit | None = None
    warnings: tuple[str, ...] = ()
    other_hosts: dict[str, Host] = Field(default_factory=dict)
    elsewhere: tuple[Declared, ...] = ()
    limited_to: tuple[str, ...] = ()
    limited_models: tuple[str, ...] = ()

    def on(self, host: str) -> tuple[Declared, ...]:
        """The instances of one host, in manifest order."""
        return tuple(d for d in self.declared if d.host == host)
