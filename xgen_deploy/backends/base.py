"""What an engine has to tell the rest of the tool; one module an engine implements it."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from xgen_deploy.backends.entrypoint import Program
from xgen_deploy.backends.hardware import Hardware
from xgen_deploy.backends.loading_stages import Stage
from xgen_deploy.backends.smoke_request import SmokeRequest, openai_smoke_request
from xgen_deploy.fit.layers import Choice
from xgen_deploy.frozen import replace
from xgen_deploy.state.facts import ModelFacts
from xgen_deploy.state.forecast import Forecast
from xgen_deploy.state.gpu import GPUInfo
from xgen_deploy.state.instance import Engine, Instance, Spec
from xgen_deploy.state.instance_config import InstanceConfig
from xgen_deploy.state.load_report import LoadReport
from xgen_deploy.state.record import InstanceRecord


@dataclass(frozen=True)
class Command:
    """An engine's arguments (without the program) and environment, in values for Jinja.

    `extra` goes to the end as it is. `compiles`: the engine builds code while it runs and loads
    it from its home, which must therefore be writable and may hold programs. `mlock`: it may
    lock memory. `shm_size` is what its container has of shared memory where the manifest says
    nothing. `numbered_gpus` are UUIDs of NVIDIA GPUs whose numbers the engine wants in
    CUDA_VISIBLE_DEVICES: looked up where it runs, at each start.
    """

    template: str
    values: Mapping[str, object]
    env: Mapping[str, str] = field(default_factory=dict)
    extra: tuple[str, ...] = ()
    compiles: bool = False
    mlock: bool = False
    shm_size: str | None = None
    numbered_gpus: tuple[str, ...] = ()


@dataclass(frozen=True)
class KeyFile:
    """An API key that the engine reads from a file: its name, and the template of its content
    (over `key`). `pattern` matches that content, its group the key as a JSON string; without one
    the content is the key and a line break.
    """

    name: str
    template: str
    pattern: str | None = None


@dataclass(frozen=True)
class KeyVariable:
    """An API key that the engine takes from its environment alone."""

    variable: str


@dataclass(frozen=True)
class MemoryShare:
    """The share of each GPU's memory that an instance takes at its start: `stated` in the
    manifest's field `setting`, or the engine's default. `grows`: with more memory it serves more
    requests at a time.
    """

    share: float
    setting: str
    stated: bool
    grows: bool = True


@dataclass(frozen=True)
class Place:
    """Where the engine finds things: on the host itself, or inside its container.

    `address` and `port` are what it binds to; `api_key_file` is None without a key, and where
    the engine takes its key from the environment. `contained`: the program is the image's
    ENTRYPOINT, which gets options only.
    """

    model_path: str
    address: str
    port: int
    api_key_file: str | None = None
    contained: bool = False


@dataclass(frozen=True)
class LoadMetrics:
    """Names in its /metrics: tokens that it made and read (counters), requests that it works on
    and that wait (gauges).
    """

    generated: str
    prompt: str
    running: str
    waiting: str


class Unsupported(Exception):
    """This build of the engine cannot do what the manifest asks; the text says what."""


@dataclass(frozen=True)
class SmallCache:
    """A type of cache, and the settings that ask for it."""

    name: str
    settings: Mapping[str, str]


class Backend(ABC):
    """One build of an engine, and all that the tool knows of it. The class is the engine: what it
    states once holds for all builds, and what most engines share is stated here.
    """

    # The engine as its makers write it, for messages.
    title: str
    # All its builds; a word of `backend:` and of the tables too.
    family: str
    # The model formats that it takes: gguf, hf.
    formats: tuple[str, ...]
    # What it binds to inside a container.
    container_port: int
    # How it is given its API key: never on its command line.
    api_key: KeyFile | KeyVariable

    # Whether a table's entry for its family or vendor is one for it.
    shares_tables: bool = True
    # What an image's ENTRYPOINT is where it is this engine: the words to write, for messages, and
    # the programs or modules of Python by which it is known. None are judged where none are known.
    entrypoint: tuple[str, ...] = ()
    programs: frozenset[str] = frozenset()
    # Programs beside it that take other options: they would not serve.
    not_serving: frozenset[str] = frozenset()
    # The section of a model's settings that is its own (see `ENGINE_SETTINGS`).
    settings: str | None = None
    # The type of its cache where none is stated, and the smaller one to try.
    usual_cache: str = "f16"
    small_cache: SmallCache | None = None
    # What it can load beside a model: fields of the spec.
    features: frozenset[str] = frozenset()
    # Whether clients ask for an adapter by its own name; else it is applied to the model.
    names_adapters: bool = False
    # Whether `n_gpu_layers` means anything to it.
    offloads_layers: bool = True
    # Whether it answers only to the model names that it was started with.
    checks_model_name: bool = False
    # Whether its `--help` tells what this build can do, quickly enough for a probe.
    has_help: bool = False
    # Whether a build that is brought is tried out with a small GGUF, as llama-server serves one.
    trial_with_gguf: bool = False
    # Whether it takes `--option=value` as well as two arguments.
    joins_values: bool = False
    # A page that answers 200 once it serves, with a key or without.
    health_path: str = "/health"
    # Endpoints that tell more than the log does, asked once it serves.
    report_endpoints: tuple[str, ...] = ()
    # Metrics of its /metrics that move while a request runs.
    counters: tuple[str, ...] = ()
    # Gauges of its /metrics: what it works on or has waiting.
    in_flight: tuple[str, ...] = ()
    # What its /metrics tell of its load; None where it has none.
    load_metrics: LoadMetrics | None = None
    # Lines of its log that tell how far its loading is.
    loading_stages: tuple[Stage, ...] = ()

    def __init__(
        self, name: str, vendor: str, hardware: Hardware, *, automatic: bool = True
    ) -> None:
        """`name` is the build's in `backend:` of a manifest and in the tables `images:` and
        `binaries:`, `vendor` their entry that stands for all engines on such hardware.
        `automatic`: it may be chosen where the manifest does not name it.
        """
        self.name = name
        self.vendor = vendor
        self.hardware = hardware
        self.automatic = automatic

    @abstractmethod
    def command(self, instance: Instance, place: Place) -> Command:
        """Raises Unsupported."""

    @abstractmethod
    def read_report(self, log: str) -> LoadReport | None:
        """What it said of its last start; unknown is None. None where the log does not have how
        the model was loaded: nothing is proved by what was not said."""

    @property
    def short_name(self) -> str:
        """For the narrow column of a table."""
        return self.name

    def serves_by(self, program: Program) -> bool:
        """Whether one of its `programs` serves with what an image gives it."""
        return program.name in self.programs

    def smoke_request(self, spec: Spec) -> SmokeRequest:
        return openai_smoke_request(spec.model, spec.type)

    def report_endpoint(self, report: LoadReport, path: str, page: str) -> LoadReport:  # noqa: ARG002
        """With what a page of `report_endpoints` adds; unchanged where it makes no sense."""
        return report

    def completed(self, spec: Spec) -> Spec:
        """With what it is to be told where the manifest says nothing."""
        return spec

    def check_completed(self, declared: InstanceConfig, spec: Spec, model: ModelFacts) -> None:  # noqa: B027
        """Raises Refused for what it would not serve as stated. What was applied so is not asked
        again.
        """

    def splits_inputs(self, spec: Spec, model: ModelFacts) -> bool:  # noqa: ARG002
        """Whether an input of an embedding model or a reranker need not fit one batch."""
        return True

    def forecast(
        self,
        spec: Spec,  # noqa: ARG002
        model: ModelFacts,  # noqa: ARG002
        gpus: tuple[GPUInfo, ...],  # noqa: ARG002
        engine: Engine,  # noqa: ARG002
    ) -> Forecast | None:
        """What it will take of memory; None where that is not known."""
        return None

    def forecast_after(
        self,
        spec: Spec,  # noqa: ARG002
        model: ModelFacts,  # noqa: ARG002
        gpus: tuple[GPUInfo, ...],  # noqa: ARG002
        last: InstanceRecord,  # noqa: ARG002
    ) -> Forecast | None:
        """The same with what the report of its last start tells; None where that tells nothing."""
        return None

    def least_of(
        self,
        spec: Spec,  # noqa: ARG002
        model: ModelFacts,  # noqa: ARG002
        gpus: tuple[GPUInfo, ...],  # noqa: ARG002
        engine: Engine,  # noqa: ARG002
    ) -> Sequence[int] | None:
        """Bytes of each GPU that a forecast would tell at least, in a fraction of its time; None
        where only the forecast tells.
        """
        return None

    def with_beside(
        self,
        told: Forecast,
        spec: Spec,  # noqa: ARG002
        gpus: tuple[GPUInfo, ...],  # noqa: ARG002
        engine: Engine,  # noqa: ARG002
        files: Sequence[ModelFacts],  # noqa: ARG002
    ) -> Forecast:
        """With what is loaded beside the model, by what is known of the host's `files`."""
        return told

    def most_layers(
        self,
        spec: Spec,  # noqa: ARG002
        model: ModelFacts,  # noqa: ARG002
        gpus: tuple[GPUInfo, ...],  # noqa: ARG002
        engine: Engine,  # noqa: ARG002
        free: Sequence[int],  # noqa: ARG002
    ) -> Choice | None:
        """The most layers, whatever the spec says of them, that fit in so many bytes of each GPU;
        None where nothing does, or where that is not known. Several GPUs are split by what is free,
        unless a split is stated.
        """
        return None

    def longest_input(self, instance: Instance) -> int | None:  # noqa: ARG002
        """Of an embedding model or a reranker, in tokens; None: not known, so it is not tried."""
        return None

    def slots(self, spec: Spec) -> int:  # noqa: ARG002
        """Requests that it works on at once, however long; more would wait where nobody can move
        them.
        """
        return 1

    def stated_slots(self, spec: Spec) -> int | None:  # noqa: ARG002
        """The slots that it is told to have, where each holds a whole context from the start."""
        return None

    def sharing_slots(self, spec: Spec) -> int | None:  # noqa: ARG002
        """The slots that share one context, where it is left to the engine (see `completed`)."""
        return None

    def batch_tokens(self, spec: Spec) -> int:  # noqa: ARG002
        """The longest prompt, in tokens, that it decodes in one go and counts only afterwards."""
        return 2048

    def memory_share(self, spec: Spec) -> MemoryShare | None:  # noqa: ARG002
        """None where it takes what the model needs."""
        return None

    def with_settings(self, spec: Spec, settings: Mapping[str, str]) -> Spec:
        """With these of its own section stated."""
        if self.settings is None:
            return spec
        own = replace(getattr(spec, self.settings), **settings)
        return replace(spec, **{self.settings: own})

    def with_memory_share(self, spec: Spec, share: float) -> Spec:  # noqa: ARG002
        """With that share stated, for an engine that has one."""
        return spec

    def context_limit(self, model: ModelFacts) -> int | None:
        """The longest context that the model's files tell; None where they do not."""
        return model.gguf.context_length if model.gguf else None

    def check(  # noqa: B027
        self, declared: InstanceConfig, model: ModelFacts, gpus: tuple[GPUInfo, ...], n_ctx: int
    ) -> None:
        """Raises Refused for what it would not start with, or not serve as stated."""
