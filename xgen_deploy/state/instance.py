"""A resolved instance: its config and the host's facts combined."""

import hashlib
import json
from dataclasses import dataclass, field
from typing import Literal

from pydantic import Field

from xgen_deploy.frozen import Frozen
from xgen_deploy.state.facts import DOCKER_UNIT, AdoptableFacts
from xgen_deploy.state.features import FoundDraft, FoundFile, FoundLora
from xgen_deploy.state.field_types import Address, ModelName, Port, Positive
from xgen_deploy.state.forecast import Forecast
from xgen_deploy.state.gpu import GPUInfo
from xgen_deploy.state.instance_config import InstanceConfig, Mark
from xgen_deploy.state.layout import Slot
from xgen_deploy.state.settings import (
    ContainerSettings,
    LlamaSettings,
    ModelType,
    Runtime,
    Sampling,
    SecretRef,
    VllmSettings,
)

SPEC_VERSION = 1


class Spec(Frozen):
    """What was asked for, resolved; it decides whether an instance has changed.

    A field left at its default does not enter the digest, so that a newer tool can add fields
    without restarting anything. `gpus` are identities in the engine's order; () is the CPU.
    `also_serves` are further models whose name the engine must answer to. `config_format` tells a
    model in Mistral's own layout.
    """

    spec_version: int = SPEC_VERSION
    model: ModelName
    also_serves: tuple[str, ...] = ()
    type: ModelType = "llm"
    backend: str
    runtime: Runtime
    source: str
    revision: str | None = None
    sha256: str | None = None
    model_path: str
    model_state: str | None = None
    config_format: Literal["mistral"] | None = None
    image: str | None = None
    entrypoint: tuple[str, ...] | None = None
    binary: str | None = None
    engine_state: str | None = None
    gpus: tuple[str, ...] = ()
    n_ctx: Positive
    n_gpu_layers: int | Literal["all"] | None = None
    mmproj: FoundFile | None = None
    draft: FoundDraft | None = None
    loras: dict[str, FoundLora] = Field(default_factory=dict)
    chat_template: FoundFile | None = None
    sampling: Sampling = Sampling()
    llama: LlamaSettings = LlamaSettings()
    vllm: VllmSettings = VllmSettings()
    api_key: SecretRef | None = None
    env: dict[str, str | SecretRef] = Field(default_factory=dict)
    container: ContainerSettings = ContainerSettings()
    listen: Address = "127.0.0.1"
    port: Port

    def stated(self) -> dict[str, object]:
        """As JSON values, without what was left at its default."""
        return self.model_dump(mode="json", exclude_defaults=True) | {
            "spec_version": self.spec_version
        }

    @property
    def beside(self) -> tuple[FoundFile, ...]:
        """The files and folders that it loads besides the model."""
        optional = (self.mmproj, self.draft, self.chat_template)
        return (*(f for f in optional if f is not None), *self.loras.values())

    @property
    def loads_more(self) -> bool:
        """Whether something is loaded beside the model that takes memory of its own."""
        return self.mmproj is not None or self.draft is not None or bool(self.loras)

    @property
    def digest(self) -> str:
        """SHA-256 over the canonical JSON of what was asked for."""
        text = json.dumps(self.stated(), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()


@dataclass(frozen=True, kw_only=True)
class Engine:
    """The build to run: a binary or an image, and the options that its `--help` lists."""

    backend: str
    binary: str | None = None
    image: str | None = None
    state: str | None = None
    entrypoint: tuple[str, ...] = ()
    override_entrypoint: bool = False
    flags: frozenset[str] = frozenset()
    markers: frozenset[str] = frozenset()
    pull: bool = False
    coming: bool = False

    @property
    def known(self) -> bool:
        """Whether its options could be asked for; an image that is still to come cannot."""
        return bool(self.flags)


@dataclass(frozen=True, kw_only=True)
class Instance:
    """One instance, ready to be rendered.

    `ordinals` are the positions of `gpus` among the host's GPUs of their vendor, in PCI order.
    `total_layers` counts as the engine does (blocks and the output layer). `model_size` is of the
    model's files. `pins` maps what the
    manifest called a GPU to its identity. `share` names instances before this one on the same
    GPU: they start first. `nodes`, `cdi` and `device_request` are how its GPUs are given to it
    (see resolve/gpu_devices.py). `model_folders` are what a container may see of the host's models,
    `linked_folders` (or files) where links in there lead; `awaited_files` and `mounted_folders` are
    what its start waits for.
    `docker_unit` runs the Docker daemon, `docker_userns` is whether that gives containers other
    users than the host's.
    `notes` are for the reader of the plan. `systemd` is the host's version of it. `slot` is "" or
    ".b", `spare_port` what the other slot would listen on; None where the port is fixed or nobody
    could switch. `adopts` is what it takes the place of, started by hand. `splits_inputs`: an input
    of an embedding model or a reranker need not fit one batch. `unproved_files` are locked to these
    SHA-256, and nobody has seen yet that they are that.
    """

    host: str
    project: str
    name: str
    declared: InstanceConfig
    spec: Spec
    engine: Engine
    gpus: tuple[GPUInfo, ...] = ()
    ordinals: tuple[int, ...] = ()
    total_layers: int | None = None
    model_size: int | None = None
    pins: dict[str, str] = field(default_factory=dict)
    share: tuple[str, ...] = ()
    software_gpu: bool = False
    groups: dict[str, int] = field(default_factory=dict)
    nodes: tuple[str, ...] = ()
    cdi: tuple[str, ...] = ()
    device_request: tuple[str, ...] = ()
    model_folders: tuple[str, ...] = ()
    linked_folders: tuple[str, ...] = ()
    awaited_files: tuple[str, ...] = ()
    mounted_folders: tuple[str, ...] = ()
    docker_cli: str = "/usr/bin/docker"
    docker_unit: str = DOCKER_UNIT
    docker_userns: bool = False
    notes: tuple[str, ...] = ()
    systemd: int | None = None
    slot: Slot = ""
    spare_port: int | None = None
    adopts: AdoptableFacts | None = None
    splits_inputs: bool = True
    forecast: Forecast | None = None
    unproved_files: dict[str, str] = field(default_factory=dict)

    @property
    def name_on_host(self) -> str:
        """Its name on the host."""
        return f"{self.name}{self.slot}"

    @property
    def digest(self) -> str:
        return self.spec.digest


@dataclass(frozen=True, kw_only=True)
class Refusal:
    """Why a host cannot be brought to what the manifest says, and what to do."""

    host: str
    instance: str | None = None
    reason: str
    hint: str = ""
    mark: Mark | None = None

    @property
    def where(self) -> str:
        return f"{self.host}/{self.instance}" if self.instance else self.host

    def __str__(self) -> str:
        at = f" ({self.mark})" if self.mark else ""
        out = "".join(f"\n    {line}" for line in self.hint.splitlines())
        return f"{self.where}: {self.reason}{at}{out}"

    @property
    def on_one_line(self) -> str:
        """Without where it is."""
        first, *ways = self.hint.splitlines() or ("",)
        listed = "; ".join(f"`{way.strip()}`" for way in ways)
        return ". ".join(filter(None, (self.reason, f"{first} {listed}".strip())))
