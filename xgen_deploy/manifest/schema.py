"""The manifest's schema: one pydantic model a section, with the manifest's own keys.

Every field of a model is optional here, `source` too, because `defaults:`, the model and the
placement are merged before the result is validated (see `expand.py`). None means not stated.
Editors show the descriptions (see `json_schema.py`). Names of engines are checked against the
`EngineWords` given as the context.
"""

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from xgen_deploy.frozen import Frozen
from xgen_deploy.state.accept import Accept
from xgen_deploy.state.choice import GPUCount
from xgen_deploy.state.features import Draft, Lora
from xgen_deploy.state.fetch import FetchMode, FetchSettings, ModelFetch
from xgen_deploy.state.field_types import (
    Address,
    EnvName,
    Fit,
    HostPath,
    InstanceName,
    ModelName,
    Port,
    Ports,
    Positive,
    ProjectName,
    RegistryName,
    Sha256,
    SourceText,
    Word,
    gpu_lists,
)
from xgen_deploy.state.monitoring_config import Monitoring
from xgen_deploy.state.quantize import QuantizeType
from xgen_deploy.state.serve import Serve
from xgen_deploy.state.settings import (
    Adopt,
    Audit,
    AutoLayers,
    BackendChoice,
    Binary,
    ContainerSettings,
    Gateway,
    GPURef,
    Image,
    LlamaSettings,
    ModelType,
    Notify,
    Objectives,
    Pull,
    Registry,
    Runtime,
    Sampling,
    SecretRef,
    SourceByFormat,
    TableKey,
    Update,
    VllmSettings,
)


class ModelFields(Frozen):
    """The fields of a model, in `defaults:`, `models:` and placements."""

    source: SourceText | SourceByFormat | None = Field(
        default=None,
        description="An absolute path on the host; {local: PATH} on this machine; "
        "`org/name` or `org/name:file.gguf` on Hugging Face; https://…; or {gguf: …, hf: …}.",
    )
    revision: Word | None = Field(
        default=None, description="Branch, tag or commit on Hugging Face; main unless stated."
    )
    sha256: Sha256 | None = Field(
        default=None, description="SHA-256 of the model's file, checked on the host before a start."
    )
    quantize: QuantizeType | None = Field(
        default=None,
        description="Made of `source` on each host by llama.cpp's quantizer: Q4_K_M, Q8_0, …",
    )
    type: ModelType | None = Field(default=None, description="llm unless stated.")
    backend: BackendChoice | None = Field(
        default=None, description="auto, one engine build, or a family ({families})."
    )
    n_ctx: Positive | Literal["auto"] | None = Field(
        default=None,
        description="Context length of one request, in tokens; auto: the longest that fits, "
        "between `min_ctx` and `max_ctx`.",
    )
    max_ctx: Positive | None = Field(
        default=None, description="With `n_ctx: auto`: not longer than this; 32768 unless stated."
    )
    min_ctx: Positive | None = Field(
        default=None, description="With `n_ctx: auto`: not shorter than this; 4096 unless stated."
    )
    n_gpu_layers: AutoLayers | None = Field(
        default=None,
        description="-1 or `all`: every layer; a number or a share such as `50%`; auto: the most "
        "that fit; 0: CPU. Ignored by vLLM.",
    )
    mmproj: SourceText | None = Field(
        default=None,
        description="Multimodal projector, for a model that takes images. Ignored by vLLM.",
    )
    draft: Draft | None = Field(default=None, description="Draft model, for speculative decoding.")
    loras: dict[ModelName, SourceText | Lora] | None = Field(
        default=None,
        description="Adapters by name. vLLM serves each under its name, beside the model; "
        "llama-server applies all of them to the model.",
    )
    chat_template: HostPath | None = Field(
        default=None, description="A Jinja file on the host, in place of the model's own."
    )
    aliases: tuple[ModelName, ...] | None = Field(
        default=None, description="Further names that clients may ask for."
    )
    sampling: Sampling | None = None
    llama: LlamaSettings | None = None
    vllm: VllmSettings | None = None
    api_key: SecretRef | None = Field(default=None, description="Key that clients must send.")
    env: dict[EnvName, str | SecretRef] | None = Field(
        default=None, description="The engine's environment; values are text or secrets."
    )
    container: ContainerSettings | None = None
    image: Image | None = Field(default=None, description="Overrides the table `images`.")
    binary: Binary | None = Field(default=None, description="Overrides the table `binaries`.")
    listen: Address | None = Field(
        default=None,
        description="Address on the host; loopback unless stated or the gateway needs more.",
    )
    fallback: tuple[str, ...] | None = Field(
        default=None,
        description="Models that the gateway turns to while no instance of this one answers.",
    )
    update: Update | None = None
    accept: Accept | None = Field(
        default=None, description="What it must answer before a change counts."
    )
    slo: Objectives | None = Field(
        default=None, description="How soon it is to answer: alerts fire beyond it."
    )
    protect: bool | None = Field(
        default=None,
        description="true: `xgen-deploy serve` does not stop or remove it; the command line does.",
    )
    spare_gpus: tuple[GPURef, ...] | None = Field(
        default=None, description="GPUs that may take over when one of `gpus` is lost."
    )
    fit: Fit | None = Field(
        default=None,
        description="What cannot fit into memory by the forecast: refuse it (the default), warn, "
        "or make no forecast (off).",
    )
    fetch: FetchMode | ModelFetch | None = Field(
        default=None,
        description="Who brings the files: the host itself (host), this machine (push), what can "
        "(auto, the default), nobody (never).",
    )


Gpus = Annotated[
    tuple[GPURef, ...] | tuple[tuple[GPURef, ...], ...] | Literal["all", "auto"] | GPUCount,
    BeforeValidator(gpu_lists),
]


class Placement(ModelFields):
    """A model on a host. `gpus` of lists is one replica for each list."""

    model: str = Field(description="A name under `models`.")
    gpus: Gpus | None = Field(
        default=None,
        description="In the engine's order: index, UUID or PCI address; [] is the CPU; `all`; "
        "`auto` and `{count: 2}`: those with room; [[0], [1]] one replica each.",
    )
    name: InstanceName | None = Field(
        default=None, description="The instance's name on the host; the model's unless stated."
    )
    port: Port | None = Field(
        default=None,
        description="Unless stated: the lowest free one of `ports`, kept from then on.",
    )
    replicas: Positive | None = Field(
        default=None, description="Number of instances on this host, each with all of `gpus`."
    )
    spread: Literal["host", "gpu"] | None = Field(
        default=None,
        description="On a group: `replicas` are so many in all, over as many hosts (or GPUs) as "
        "there are.",
    )
    adopt: Adopt | None = Field(
        default=None,
        description="Takes over what was started by hand and listens on the port: a unit or a "
        "container. It is stopped for good once the instance is proved.",
    )


class Manifest(Frozen):
    """A whole manifest, validated after `extends` was merged and `x-` keys were dropped."""

    extends: str | tuple[str, ...] | None = Field(
        default=None,
        description="Manifests that this one overrides: maps merge, placements by instance name, "
        "other lists replace, null resets.",
    )
    project: ProjectName = Field(description="Part of every name on the hosts.")
    inventory: str | dict[str, object] | None = Field(
        default=None,
        description="An Ansible inventory: a path from this file, or inline.",
    )
    runtime: Runtime = Field(default="docker", description="docker unless stated.")
    ports: Ports = Field(default="8001-8020", description="Ports for instances to listen on.")
    pull: Pull = Field(
        default="missing",
        description="missing: a host pulls the images that it lacks; push: this machine sends "
        "them; never.",
    )
    images: dict[TableKey, Image] = Field(
        default_factory=dict,
        description="Image of each backend, family ({families}) or GPU vendor.",
    )
    binaries: dict[TableKey, Binary] = Field(
        default_factory=dict,
        description="Executable of each of these, for the runtimes systemd and process: a path on "
        "the host, or {archive: …, path: …} of this machine.",
    )
    registries: dict[RegistryName, Registry] = Field(
        default_factory=dict,
        description="Logins for pulls, by the registry's host as images name it (docker.io for "
        "Docker Hub's).",
    )
    fetch: FetchSettings | None = Field(
        default=None, description="How models' files are brought to the hosts."
    )
    packages: tuple[Word, ...] = Field(
        default=(),
        description="Files where xgen-deploy runs that go into a bundle, such as packages/*.deb; "
        "relative to this manifest.",
    )
    defaults: ModelFields = Field(
        default=ModelFields(), description="Any field of a model, for all models."
    )
    notify: Notify | None = None
    audit: Audit | None = None
    serve: Serve | None = None
    models: dict[ModelName, ModelFields] = Field(description="By the name that clients ask for.")
    gateway: Gateway | None = None
    monitoring: Monitoring | None = None
    hosts: dict[str, tuple[Placement, ...]] = Field(
        description="What runs where, by host or group; `gpu-a: []` clears it."
    )
