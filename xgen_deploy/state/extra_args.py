"""Options in `extra_args` that have a place of their own in a manifest, and files among their
values. An engine takes the last of two, so that what the tool wrote would not count. Pure.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import zip_longest

_OPTION = re.compile(r"--?[A-Za-z][\w-]*")
_LOGGED = "the tool reads the engine's report in its log; leave it out"
_PRINTS = "the engine would print it and end; leave it out"


@dataclass(frozen=True)
class OptionTable:
    """`written` are options that the tool writes itself, with the field to state instead; `refused`
    those that it cannot live with, and why. `named` may be stated, and have a field. `files` are
    followed by a file's path. Variables that begin with `prefix` stand for an option, by its long
    name; `variables` are those with another name.
    """

    written: Mapping[str, str]
    refused: Mapping[str, str]
    named: Mapping[str, str]
    files: frozenset[str] = frozenset()
    prefix: str | None = None
    variables: Mapping[str, str] = field(default_factory=dict)

    def own_in(self, arguments: Sequence[str]) -> Iterator[tuple[str, str]]:
        """What may not be there: the option and what to do instead."""
        for option in options(arguments):
            if option in self.written:
                yield option, f"the tool sets it itself; state `{self.written[option]}` instead"
            elif option in self.refused:
                yield option, self.refused[option]

    def named_in(self, arguments: Sequence[str]) -> Iterator[tuple[str, str]]:
        """The option and its setting."""
        return ((o, self.named[o]) for o in options(arguments) if o in self.named)

    def field_of(self, name: str) -> str | None:
        """The field that stands for an option, by its name without hyphens at its front."""
        fields = {**self.named, **self.written}
        return fields.get(f"--{name}", fields.get(f"-{name}"))

    def option_of(self, variable: str) -> str | None:
        """The option that an environment variable stands for."""
        if variable in self.variables:
            return self.variables[variable]
        if self.prefix is None or not variable.startswith(self.prefix):
            return None
        return "--" + variable.removeprefix(self.prefix).lower().replace("_", "-")

    def files_in(self, arguments: Sequence[str]) -> Iterator[str]:
        """Absolute paths; `--lora a,b` and `--lora-scaled a:0.5` name more than a path."""
        for argument, following in zip_longest(arguments, arguments[1:], fillvalue=""):
            name, _, joined = argument.partition("=")
            if spelled(name) in self.files:
                for part in (joined or following).split(","):
                    path = re.sub(r":-?[\d.]+$", "", part)
                    yield from (path,) if path.startswith("/") else ()


def options(arguments: Sequence[str]) -> Iterator[str]:
    """Those among the arguments, without a value that is joined to one."""
    for argument in arguments:
        name = argument.partition("=")[0]
        if _OPTION.fullmatch(name):
            yield spelled(name)


def values_of(arguments: Sequence[str], names: frozenset[str]) -> Iterator[str]:
    """What follows any of these options, as an argument of its own or joined to it."""
    for argument, following in zip_longest(arguments, arguments[1:], fillvalue=""):
        name, joined, value = argument.partition("=")
        if spelled(name) in names:
            yield value if joined else following


def spelled(option: str) -> str:
    """With hyphens, as engines list them; they take `--ctx_size` as well."""
    return option.replace("_", "-") if option.startswith("--") else option


def _table(*rows: tuple[str, str]) -> dict[str, str]:
    return {option: text for names, text in rows for option in names.split()}


LLAMA = OptionTable(
    written=_table(
        ("-m --model -mu --model-url -hf -hfr --hf-repo -hff --hf-file", "source"),
        ("-dr --docker-repo", "source"),
        ("-a --alias --model-alias", "aliases"),
        ("--host", "listen"),
        ("--port", "port"),
        ("-c --ctx-size --n-ctx", "n_ctx"),
        ("-np --parallel", "llama.parallel"),
        ("-dev --device", "gpus"),
        ("-ngl --gpu-layers --n-gpu-layers", "n_gpu_layers"),
        ("--api-key --api-key-file", "api_key"),
        ("--embedding --embeddings --rerank --reranking", "type"),
    ),
    refused=_table(
        ("-fit --fit", "the tool switches it off, so that the engine gets what is stated"),
        ("--metrics", "the tool sets it itself; leave it out"),
        ("-lv --log-verbosity --verbosity -v --verbose --log-verbose --log-disable", _LOGGED),
        ("-h --help --usage --version --list-devices -cl --cache-list --completion-bash", _PRINTS),
    ),
    named=_table(
        ("-fa --flash-attn", "llama.flash_attn"),
        ("-b --batch-size --n-batch", "llama.n_batch"),
        ("-ub --ubatch-size --n-ubatch", "llama.n_ubatch"),
        ("-cb --cont-batching -nocb --no-cont-batching", "llama.cont_batching"),
        ("-lm --load-mode --mlock --use-mlock", "llama.mlock"),
        ("-ctk --cache-type-k --type-k", "llama.cache_type_k"),
        ("-ctv --cache-type-v --type-v", "llama.cache_type_v"),
        ("-mg --main-gpu", "llama.main_gpu"),
        ("-sm --split-mode", "llama.split_mode"),
        ("-ts --tensor-split", "llama.tensor_split"),
        ("--pooling", "llama.pooling"),
        ("-t --threads --n-threads", "llama.threads"),
        ("-cmoe --cpu-moe -ncmoe --n-cpu-moe", "llama.n_cpu_moe"),
        ("-ot --override-tensor", "llama.override_tensors"),
        ("-rea --reasoning", "llama.reasoning"),
        ("--reasoning-format", "llama.reasoning_format"),
        ("--reasoning-budget", "llama.reasoning_budget"),
        ("-mm --mmproj", "mmproj"),
        ("-md --model-draft --spec-draft-model", "draft.source"),
        ("-ngld --gpu-layers-draft --n-gpu-layers-draft --spec-draft-ngl", "draft.n_gpu_layers"),
        ("--draft --draft-n --draft-max --spec-draft-n-max", "draft.tokens"),
        ("--lora --lora-scaled", "loras"),
        ("--chat-template-file", "chat_template"),
        ("--temp --temperature", "sampling.temperature"),
        ("--top-p", "sampling.top_p"),
        ("--top-k", "sampling.top_k"),
        ("--repeat-penalty", "sampling.repeat_penalty"),
        ("-n --predict --n-predict", "sampling.max_tokens"),
    ),
    files=frozenset(_table(
        ("-mm --mmproj -md --model-draft --spec-draft-model -mv --model-vocoder", ""),
        ("--lora --lora-scaled --control-vector --control-vector-scaled", ""),
        ("--chat-template-file --grammar-file -jf --json-schema-file", ""),
        ("--ssl-key-file --ssl-cert-file -lcs --lookup-cache-static --ui-config-file", ""),
    )),
    prefix="LLAMA_ARG_",
    variables={
        "LLAMA_API_KEY": "--api-key",
        "LLAMA_ARG_N_PARALLEL": "--parallel",
        "LLAMA_ARG_BATCH": "--batch-size",
        "LLAMA_ARG_UBATCH": "--ubatch-size",
        "LLAMA_ARG_ENDPOINT_METRICS": "--metrics",
        "LLAMA_ARG_THINK": "--reasoning-format",
        "LLAMA_ARG_THINK_BUDGET": "--reasoning-budget",
    },
)  # fmt: skip

VLLM = OptionTable(
    written=_table(
        ("--model", "source"),
        ("--served-model-name", "aliases"),
        ("--host", "listen"),
        ("--port --uds", "port"),
        ("--max-model-len", "n_ctx"),
        ("-tp --tensor-parallel-size", "vllm.tensor_parallel_size"),
        ("--device-ids", "gpus"),
        ("--api-key", "api_key"),
    ),
    refused=_table(
        ("-h --help -v --version", _PRINTS),
    ),
    named=_table(
        ("-pp --pipeline-parallel-size", "vllm.pipeline_parallel_size"),
        ("--gpu-memory-utilization --device-memory-utilization", "vllm.gpu_memory_utilization"),
        ("--kv-cache-memory-bytes", "vllm.kv_cache_memory_bytes"),
        ("--kv-cache-dtype", "vllm.kv_cache_dtype"),
        ("--max-num-seqs", "vllm.max_num_seqs"),
        ("-q --quantization", "vllm.quantization"),
        ("--dtype", "vllm.dtype"),
        ("--enable-prefix-caching --no-enable-prefix-caching", "vllm.enable_prefix_caching"),
        ("--tool-call-parser --enable-auto-tool-choice", "vllm.tool_call_parser"),
        ("--reasoning-parser", "vllm.reasoning_parser"),
        ("--limit-mm-per-prompt", "vllm.limit_mm_per_prompt"),
        ("--max-loras", "vllm.max_loras"),
        ("--trust-remote-code", "vllm.trust_remote_code"),
        ("--enforce-eager", "vllm.enforce_eager"),
        ("--runner", "type"),
        ("--enable-lora --lora-modules --max-lora-rank", "loras"),
        ("--speculative-config", "draft"),
        ("--chat-template", "chat_template"),
        ("--override-generation-config", "sampling"),
    ),
    files=frozenset(["--chat-template", "--ssl-keyfile", "--ssl-certfile", "--ssl-ca-certs"]),
    variables={"VLLM_API_KEY": "--api-key"},
)
