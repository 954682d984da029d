"""What can be stated of an engine, a host's tables and the gateway: values of the manifest, used
everywhere. None means not stated. The descriptions are what an editor shows
(see manifest/json_schema.py).
"""

from collections.abc import Iterator
from typing import Annotated, ClassVar, Literal, NamedTuple, Self, get_args

from pydantic import (
    AfterValidator,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainValidator,
    WithJsonSchema,
    model_validator,
)

from xgen_deploy.frozen import Frozen
from xgen_deploy.state.artifact import RelativePath
from xgen_deploy.state.engine_words import known_choice, known_table_key
from xgen_deploy.state.extra_args import LLAMA, VLLM, OptionTable, values_of
from xgen_deploy.state.field_types import (
    AbsolutePath,
    Address,
    ClientName,
    ContainerName,
    EnvName,
    Flag,
    Flash,
    HostPath,
    Mount,
    NotNegative,
    Number,
    ObjectiveSeconds,
    Port,
    Positive,
    Rate,
    Seconds,
    ShmSize,
    Size,
    SourceText,
    SyslogAddress,
    TensorPattern,
    UnitName,
    Whole,
    Word,
    gpu,
    layer_share,
    unless_auto,
)
from xgen_deploy.state.gateway_fields import BodySize, Origin

_ARCHIVES = (".tar", ".tar.gz", ".tgz", ".tar.xz", ".txz", ".tar.bz2")
Runtime = Literal["docker", "systemd", "process"]
Pull = Literal["missing", "never", "push"]
ModelType = Literal["llm", "embedding", "reranker"]
CacheType = Literal["f32", "f16", "bf16", "q8_0", "q4_0", "q4_1", "iq4_nl", "q5_0", "q5_1"]
# Words that the registry of engines has; manifest/json_schema.py puts them into the schema.
BackendChoice = Annotated[
    str,
    PlainValidator(known_choice),
    WithJsonSchema({"enum": "{choices}", "type": "string"}),
]
TableKey = Annotated[
    str,
    PlainValidator(known_table_key),
    WithJsonSchema({"enum": "{table_keys}", "type": "string"}),
]
GPURef = Annotated[Whole | str, AfterValidator(gpu)]
# Of the engine's count of layers, such as `50%`.
LayerShare = Annotated[
    str,
    PlainValidator(layer_share),
    WithJsonSchema({"pattern": "^(100|[1-9][0-9]?)%$", "type": "string"}),
]
Layers = Annotated[Whole, Field(ge=-1)] | Literal["all"] | LayerShare
AutoLayers = Layers | Literal["auto"]
_QUANTISED = frozenset(get_args(CacheType)) - {"f32", "f16", "bf16"}
_VALUE_TYPES = frozenset(
    ["-ctv", "--cache-type-v", "--type-v", "-ctvd", "--cache-type-v-draft", "--spec-draft-type-v"]
)


class _SecretSource(Frozen):
    """The places that a secret's value can come from; exactly one is given."""

    env: EnvName | None = Field(
        default=None, description="An environment variable where xgen-deploy runs."
    )
    file: str | None = Field(
        default=None,
        description="A file where xgen-deploy runs; relative to this manifest, `~/` is home.",
    )
    command: str | None = Field(
        default=None, description="A command that prints the secret where xgen-deploy runs."
    )
    host_file: AbsolutePath | None = Field(
        default=None, description="A file that is on the host already; an absolute path."
    )

    @model_validator(mode="after")
    def _exactly_one(self) -> Self:
        if len(self.sources) != 1:
            raise ValueError("a secret has exactly one of env, file, command, host_file")
        return self

    @property
    def sources(self) -> dict[str, str]:
        stated = {name: getattr(self, name) for name in _SecretSource.model_fields}
        return {name: value for name, value in stated.items() if value is not None}


class SecretRef(_SecretSource):
    """Where a secret's value comes from; exactly one is given. The value is resolved by apply."""

    model_config = ConfigDict(json_schema_extra={"minProperties": 1, "maxProperties": 1})


class SourceByFormat(Frozen):
    """One model in two formats; the backend that serves takes the one it needs. Or a file or folder
    of this machine, in whatever format.
    """

    gguf: SourceText | None = Field(default=None, description="What llama.cpp's servers load.")
    hf: SourceText | None = Field(default=None, description="What vLLM loads.")
    local: str | None = Field(
        default=None,
        description="A file or folder where xgen-deploy runs, brought to the hosts; relative to "
        "this manifest, `~/` is home.",
    )

    @model_validator(mode="after")
    def _at_least_one(self) -> Self:
        if self.local is not None and not (self.gguf is None and self.hf is None):
            raise ValueError("a source that is `local` has neither gguf nor hf")
        if self.gguf is None and self.hf is None and self.local is None:
            raise ValueError("a source by format has gguf, hf or both; or local")
        return self


class Sampling(Frozen):
    """Sampling defaults for requests that state none."""

    profile: Literal["creative", "balanced", "precise", "deterministic"] | None = Field(
        default=None, description="A preset; the fields beside it override it."
    )
    temperature: Annotated[Number, Field(ge=0)] | None = None
    top_p: Annotated[Number, Field(gt=0, le=1)] | None = None
    top_k: NotNegative | None = None
    repeat_penalty: Annotated[Number, Field(gt=0)] | None = None
    max_tokens: Positive | None = Field(
        default=None, description="Maximum number of tokens in an answer."
    )


class Contradiction(NamedTuple):
    """A field that cannot be kept beside what else is stated. `found` and `rule` are clauses;
    `by_gpus`: it is the number of GPUs that it does not fit. Not `fatal`: it only has no effect.
    """

    field: str
    found: str
    rule: str
    by_gpus: bool = True
    fatal: bool = True


class EngineSettings(Frozen):
    """The section of a model's settings that one engine takes alone. `trusted` are the fields that
    could run other code or reach other files: an earlier manifest's need the operator's word.
    """

    trusted: ClassVar[tuple[str, ...]] = ("extra_args",)
    # Its engine's options that have a place of their own in a manifest.
    options: ClassVar[OptionTable]

    extra_args: tuple[str, ...] | None = Field(
        default=None, description="Further options of the engine, appended as they are."
    )

    def contradictions(self, gpus: int | None) -> Iterator[Contradiction]:  # noqa: ARG002
        """What cannot work in it with so many GPUs; None: their number is not known."""
        arguments = self.extra_args or ()
        for option, instead in self.options.own_in(arguments):
            yield Contradiction("extra_args", f"has `{option}`", instead, by_gpus=False)
        for option, setting in self.options.named_in(arguments):
            field = setting.rpartition(".")[2]
            twice = getattr(self, field, None) is not None
            rule = f"`{setting}` is stated too" if twice else f"its setting is `{setting}`"
            yield Contradiction("extra_args", f"has `{option}`", rule, by_gpus=False, fatal=twice)


class LlamaSettings(EngineSettings):
    """Settings that only llama.cpp's servers take."""

    options: ClassVar[OptionTable] = LLAMA

    flash_attn: Flash | None = Field(default=None, description="Flash attention.")
    n_batch: Positive | None = Field(default=None, description="Logical batch, in tokens.")
    n_ubatch: Positive | None = Field(default=None, description="Physical batch, in tokens.")
    parallel: Positive | None = Field(
        default=None,
        description="Requests at the same time, each with the whole `n_ctx`; 4 unless stated.",
    )
    cont_batching: Flag | None = Field(default=None, description="Continuous batching.")
    mlock: Flag | None = Field(
        default=None, description="Lock the model in memory, so that it is never swapped."
    )
    cache_type_k: CacheType | None = Field(default=None, description="Data type of the K cache.")
    cache_type_v: CacheType | None = Field(
        default=None, description="Data type of the V cache; a quantised one needs flash attention."
    )
    main_gpu: NotNegative | None = Field(
        default=None, description="Position in `gpus` of the GPU used with `split_mode: none`."
    )
    split_mode: Literal["none", "layer", "row", "tensor"] | None = Field(
        default=None, description="How the model is split over several GPUs."
    )
    tensor_split: Annotated[
        tuple[Annotated[Number, Field(ge=0)], ...] | None, BeforeValidator(unless_auto)
    ] = Field(
        default=None,
        description="Proportions, in the order of `gpus`: `[3, 1]` is 75 % and 25 %; auto, the "
        "default: by the memory that is free.",
    )
    pooling: Literal["none", "mean", "cls", "last", "rank"] | None = Field(
        default=None, description="How an embedding model pools its tokens' vectors into one."
    )
    threads: Positive | None = Field(default=None, description="CPU threads.")
    n_cpu_moe: NotNegative | Literal["all"] | None = Field(
        default=None,
        description="Number of layers whose experts stay on the CPU (mixture of experts).",
    )
    override_tensors: dict[TensorPattern, Word] | None = Field(
        default=None, description="Tensor name pattern to buffer type, such as CPU."
    )
    reasoning: Flash | None = Field(default=None, description="Thinking: auto | on | off.")
    reasoning_format: Literal["auto", "none", "deepseek", "deepseek-legacy"] | None = Field(
        default=None, description="Where an answer carries the reasoning."
    )
    reasoning_budget: Annotated[Whole, Field(ge=-1)] | None = Field(
        default=None, description="Maximum number of reasoning tokens; -1: no limit."
    )

    @property
    def needs_flash_attention(self) -> tuple[tuple[str, str, str], ...]:
        """Fields that do, each with what it says and what that is."""
        in_arguments = values_of(self.extra_args or (), _VALUE_TYPES)
        quantised = "a quantised V cache"
        stated = (
            ("cache_type_v", f"is {self.cache_type_v}", quantised, self.cache_type_v in _QUANTISED),
            ("split_mode", "is tensor", "a model split by tensors", self.split_mode == "tensor"),
            *(("extra_args", f"has {t}", quantised, t in _QUANTISED) for t in in_arguments),
        )
        return tuple((field, says, what) for field, says, what, needs in stated if needs)

    def contradictions(self, gpus: int | None) -> Iterator[Contradiction]:
        yield from super().contradictions(gpus)
        if self.flash_attn == "off":
            for field, says, what in self.needs_flash_attention:
                rule = f"{what} needs flash attention, and flash_attn is off"
                yield Contradiction(field, says, rule, by_gpus=False)
        if self.split_mode == "tensor":
            yield from self._unsplittable()
        if gpus is not None:
            yield from self._misplaced(gpus)

    def _unsplittable(self) -> Iterator[Contradiction]:
        """What `split_mode: tensor` cannot be used with."""
        for field in ("cache_type_k", "cache_type_v"):
            if (stated := getattr(self, field)) in _QUANTISED:
                rule = "split_mode tensor needs a cache that is not quantised: f16, bf16 or f32"
                yield Contradiction(field, f"is {stated}", rule, by_gpus=False)

    def _misplaced(self, gpus: int) -> Iterator[Contradiction]:
        main, parts = self.main_gpu, len(self.tensor_split or ())
        if parts > max(1, gpus):
            rule = "one part for each, in that order"
            yield Contradiction("tensor_split", f"has {parts} parts", rule)
        elif 0 < parts < gpus:
            rule = "those without a part get no layer"
            yield Contradiction(
                "tensor_split", f"has {parts} part{'s'[: parts != 1]}", rule, fatal=False
            )
        if main is not None and gpus and main >= gpus:
            rule = f"a position in that list, counted from 0, is at most {gpus - 1}"
            yield Contradiction("main_gpu", f"is {main}", rule)
        elif main and self.split_mode in (None, "layer"):
            rule = "it is used only with split_mode none or row"
            yield Contradiction("main_gpu", f"is {main}", rule, by_gpus=False, fatal=False)
        if self.split_mode == "none" and gpus > 1:
            rule = "only one of them is used; list that one"
            yield Contradiction("split_mode", "is none", rule, fatal=False)


class VllmSettings(EngineSettings):
    """Settings that only vLLM takes. Sizes like `8G` are the engine's own notation."""

    trusted: ClassVar[tuple[str, ...]] = ("extra_args", "trust_remote_code")
    options: ClassVar[OptionTable] = VLLM

    tensor_parallel_size: Positive | None = Field(
        default=None, description="Unless stated: number of GPUs ÷ `pipeline_parallel_size`."
    )
    pipeline_parallel_size: Positive | None = Field(
        default=None, description="Stages that the layers are split into; 1 unless stated."
    )
    gpu_memory_utilization: Annotated[Number, Field(gt=0, le=1)] | None = Field(
        default=None, description="Share of each GPU's memory that vLLM reserves at its start."
    )
    kv_cache_memory_bytes: Positive | Size | None = Field(
        default=None, description="Size of the KV cache on each GPU, such as `8G`."
    )
    max_num_seqs: Positive | None = Field(
        default=None, description="Maximum number of sequences in a batch."
    )
    quantization: Word | None = Field(
        default=None, description="Quantisation method: awq, gptq, fp8, …"
    )
    dtype: Literal["auto", "bfloat16", "float16", "half", "float32", "float"] | None = None
    enable_prefix_caching: Flag | None = None
    tool_call_parser: Word | None = Field(
        default=None, description="Parser of tool calls; naming one enables them."
    )
    reasoning_parser: Word | None = Field(
        default=None, description="Separates the reasoning from the answer: qwen3, deepseek_r1, …"
    )
    kv_cache_dtype: Word | None = Field(
        default=None, description="Data type of the KV cache: auto, fp8, fp8_e5m2, …"
    )
    limit_mm_per_prompt: dict[Word, NotNegative] | None = Field(
        default=None, description="Maximum number of images, videos, … in a prompt: `{image: 4}`."
    )
    max_loras: Positive | None = Field(
        default=None, description="Maximum number of adapters in a batch; 1 unless stated."
    )
    trust_remote_code: Flag | None = Field(
        default=None, description="Run Python code that comes with the model."
    )
    enforce_eager: Flag | None = Field(
        default=None, description="Run without CUDA graphs: less memory, slower."
    )

    def contradictions(self, gpus: int | None) -> Iterator[Contradiction]:
        yield from super().contradictions(gpus)
        stated, stages = self.tensor_parallel_size, self.pipeline_parallel_size or 1
        if not gpus:
            return
        if stated is None and gpus % stages:
            rule = "the stages must divide their number"
            yield Contradiction("pipeline_parallel_size", f"is {stages}", rule)
        elif stated is not None and stated * stages != gpus:
            product = f"× pipeline_parallel_size is {stated} × {stages} = {stated * stages}"
            rule = "the product is their number; leave `tensor_parallel_size` out"
            yield Contradiction("tensor_parallel_size", product, rule)


# By field of a model, an InstanceConfig and a Spec.
ENGINE_SETTINGS: dict[str, type[EngineSettings]] = {"llama": LlamaSettings, "vllm": VllmSettings}


class ContainerSettings(Frozen):
    """Container settings beyond what the engine needs."""

    shm_size: ShmSize | None = Field(default=None, description="Size of /dev/shm, such as `8g`.")
    mounts: tuple[Mount, ...] | None = Field(
        default=None, description="/path/on/host:/path/inside[:ro][,z]"
    )
    args: tuple[str, ...] | None = Field(
        default=None, description="Further arguments of `docker run`, one in each item."
    )


class Adopt(Frozen):
    """What was started by hand and serves so far: a unit or a container of the host."""

    unit: UnitName | None = Field(default=None, description="As `systemctl` shows it.")
    container: ContainerName | None = Field(default=None, description="As `docker ps` shows it.")

    @model_validator(mode="after")
    def _exactly_one(self) -> Self:
        if (self.unit is None) == (self.container is None):
            raise ValueError("`adopt` names one thing: unit or container")
        return self

    def __str__(self) -> str:
        return f"container {self.container}" if self.container else f"unit {self.unit}"


class Update(Frozen):
    """How a change of a model is carried out. Durations in seconds after reading (`10m`)."""

    strategy: Literal["auto", "start-first", "stop-first"] | None = Field(
        default=None, description="auto: start-first where there is room, else stop-first."
    )
    max_unavailable: Positive | None = Field(
        default=None, description="How many instances of a model may be down at once."
    )
    canary: NotNegative | None = Field(
        default=None, description="How many instances are updated and verified before the others."
    )
    max_parallel: Positive | None = Field(
        default=None, description="How many operations a host carries out at once (4)."
    )
    timeout: Seconds | None = Field(default=None, description="How long a start may take.")
    drain: Seconds | None = Field(
        default=None,
        description="How long active requests may take before their instance is stopped.",
    )


class Objectives(Frozen):
    """How soon a model is to answer. Alerts compare; nothing is started or stopped by it."""

    ttft_p95: ObjectiveSeconds | None = Field(
        default=None, description="Of 95 % of requests, to the first token, such as 1s."
    )
    tpot_p95: ObjectiveSeconds | None = Field(
        default=None, description="Of 95 % of requests, for each further token, such as 60ms."
    )


class ImageWithEntrypoint(Frozen):
    """An image whose own entrypoint is not the engine, or that comes from an archive."""

    image: Word
    entrypoint: tuple[str, ...] | None = None
    archive: Word | None = Field(
        default=None,
        description="With `pull: push`: a file of this machine that has the image, relative to "
        "this manifest; its Docker unless stated.",
    )


Image = Word | ImageWithEntrypoint


def _archive_name(value: str) -> str:
    if not value.endswith(_ARCHIVES):
        raise ValueError(f"an archive is a tar file, and its name ends in {', '.join(_ARCHIVES)}")
    return value


class BinaryArchive(Frozen):
    """An engine build on this machine that is brought to the hosts."""

    archive: Annotated[Word, AfterValidator(_archive_name)] = Field(
        description="A tar file where xgen-deploy runs, brought to the hosts; relative to this "
        "file, `~/` is home."
    )
    path: RelativePath = Field(description="The program in it, such as bin/llama-server.")


Binary = HostPath | BinaryArchive


class Registry(Frozen):
    """The login with which hosts pull from a registry; it is left on none of them."""

    user: Word
    password: SecretRef


class GatewayTLS(Frozen):
    """Certificate and key of the gateway."""

    cert: str
    key: str


class GatewayClient(_SecretSource):
    """A client of the gateway: where its key comes from, and what it may do with it."""

    models: tuple[str, ...] | None = Field(
        default=None, description="The models that it may use; all of them unless stated."
    )
    rate: Rate | None = Field(
        default=None, description="How many requests it may send, such as 60/m; s, m, h or d."
    )

    @property
    def key(self) -> SecretRef:
        return SecretRef.model_validate(self.sources)


class Gateway(Frozen):
    """The one address that clients talk to. `queue_timeout` in seconds after reading."""

    host: str | None = None
    hosts: tuple[str, ...] | None = Field(
        default=None, description="Several hosts, in place of `host`."
    )
    listen: Address | None = None
    port: Port = Field(
        default=8080, description="Port that clients connect to; 8080 unless stated."
    )
    tls: GatewayTLS | None = None
    api_key: SecretRef | None = None
    clients: dict[ClientName, GatewayClient] | None = Field(
        default=None, description="A key for each client, by its name in the log and the metrics."
    )
    queue_timeout: Seconds | None = Field(
        default=None, description="How long a request waits for a free instance."
    )
    cors: tuple[Origin, ...] | None = Field(
        default=None, description="Origins of the web pages that may ask it from a browser."
    )
    max_body: BodySize | None = Field(
        default=None,
        description="Largest request whose body names its model, such as 8M; 1M unless stated.",
    )


class Notify(Frozen):
    """Where the outcome of an apply is sent."""

    webhook: SecretRef | None = None


class Audit(Frozen):
    """Where every change, refusal and override is logged, besides the hosts' own logs."""

    file: str | None = Field(
        default=None,
        description="A file where xgen-deploy runs; relative to this manifest, `~/` is home.",
    )
    syslog: Flag | SyslogAddress | None = Field(
        default=None,
        description="true: this machine's; or HOST[:PORT] (UDP), or the path of a socket.",
    )
    webhook: SecretRef | None = Field(default=None, description="URL that events are posted to.")
