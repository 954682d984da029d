"""llama-server's own command line, as far as it decides what memory it takes. After its `--help`
(b10434) and common/arg.cpp.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain

from xgen_deploy.state.extra_args import spelled

# Each option with its spellings; those of the first table have a value, of the second none.
_WITH_VALUE = {
    "context": "-c --ctx-size --n-ctx",
    "batch": "-b --batch-size --n-batch",
    "ubatch": "-ub --ubatch-size --n-ubatch",
    "slots": "-np --parallel",
    "key_type": "-ctk --cache-type-k",
    "value_type": "-ctv --cache-type-v",
    "flash": "-fa --flash-attn",
    "layers": "-ngl --gpu-layers --n-gpu-layers",
    "split": "-ts --tensor-split",
    "split_mode": "-sm --split-mode",
    "main_device": "-mg --main-gpu",
    "devices": "-dev --device",
    "overrides": "-ot --override-tensor",
    "host_experts": "-ncmoe --n-cpu-moe",
    "pooling": "--pooling",
    "fit": "-fit --fit",
}
_SWITCHES = {
    "unified": "-kvu --kv-unified",
    "not unified": "-no-kvu --no-kv-unified",
    "cache on device": "-kvo --kv-offload",
    "cache on host": "-nkvo --no-kv-offload",
    "moves operations": "--op-offload",
    "leaves operations": "--no-op-offload",
    "embeddings": "--embedding --embeddings",
    "reranking": "--rerank --reranking",
    "full_window": "--swa-full",
    "all_experts_on_host": "-cmoe --cpu-moe",
}
# What takes memory and is not counted, with a value.
_BESIDE = {
    "the projector": "-mm --mmproj -mmu --mmproj-url",
    "the draft model": "-md --model-draft --spec-draft-model -hfd -hfrd --hf-repo-draft "
    "--spec-draft-hf --spec-type",
    "adapters": "--lora --lora-scaled",
    "control vectors": "--control-vector --control-vector-scaled",
}
# What computes otherwise than is known here; the first with a value.
_OTHERWISE = ("--rpc", "--override-kv")
_OTHERWISE_SWITCHES = ("--no-host", "-bs", "--backend-sampling")
# What changes nothing that is told here.
_NEUTRAL = frozenset(
    """
    -t --threads -tb --threads-batch -C --cpu-mask -Cr --cpu-range --cpu-strict --prio --poll -Cb
    --cpu-mask-batch -Crb --cpu-range-batch --cpu-strict-batch --prio-batch --poll-batch -n
    --predict --n-predict --keep --rope-scaling --rope-scale --rope-freq-base --rope-freq-scale
    --yarn-orig-ctx --yarn-ext-factor --yarn-attn-factor --yarn-beta-slow --yarn-beta-fast -dt
    --defrag-thold -lm --load-mode --numa -fitt --fit-target -fitc --fit-ctx
    --control-vector-layer-range -m --model -mu --model-url -dr --docker-repo -hf -hfr --hf-repo
    -hff --hf-file -hft --hf-token --log-file --log-colors -lv --verbosity --log-verbosity
    --samplers -s --seed --sampler-seq --sampling-seq --temp --temperature --top-k --top-p --min-p
    --top-nsigma --top-n-sigma --xtc-probability --xtc-threshold --typical --typical-p
    --repeat-last-n --repeat-penalty --presence-penalty --frequency-penalty --dry-multiplier
    --dry-base --dry-allowed-length --dry-penalty-last-n --dry-sequence-breaker --adaptive-target
    --adaptive-decay --dynatemp-range --dynatemp-exp --mirostat --mirostat-lr --mirostat-ent -l
    --logit-bias --grammar --grammar-file -j --json-schema -jf --json-schema-file -ctxcp
    --ctx-checkpoints --swa-checkpoints -cms --checkpoint-min-step -cram --cache-ram -r
    --reverse-prompt --image-min-tokens --image-max-tokens -a --alias --tags --embd-normalize --host
    --port --path --cors-origins --cors-methods --cors-headers --api-prefix --ui-config
    --webui-config --ui-config-file --webui-config-file --tools --tools-runtime
    --mcp-servers-config --mcp-servers-json --api-key --api-key-file --ssl-key-file --ssl-cert-file
    --chat-template-kwargs -to --timeout --sse-ping-interval --threads-http --cache-reuse
    --slot-save-path --media-path --reasoning-format -rea --reasoning --reasoning-effort
    --reasoning-budget --reasoning-budget-message --chat-template --chat-template-file -sps
    --slot-prompt-similarity --sleep-idle-seconds --log-prompts-dir
    """.split()  # noqa: SIM905
)
_NEUTRAL_SWITCHES = frozenset(
    """
    --perf --no-perf -e --escape --no-escape --repack -nr --no-repack --mlock --mmap --no-mmap -dio
    --direct-io -ndio --no-direct-io --check-tensors --log-disable -v --verbose --log-verbose
    --offline --log-prefix --no-log-prefix --log-timestamps --no-log-timestamps --ignore-eos
    --cache-idle-slots --no-cache-idle-slots --context-shift --no-context-shift -sp --special
    --warmup --no-warmup --spm-infill -cb --cont-batching -nocb --no-cont-batching --mmproj-auto
    --no-mmproj --no-mmproj-auto --mmproj-offload --no-mmproj-offload --reuse-port
    --cors-credentials --no-cors-credentials --ui-mcp-proxy --webui-mcp-proxy --no-ui-mcp-proxy
    --no-webui-mcp-proxy -ag --agent -no-ag --no-agent --ui --webui --no-ui --no-webui
    --cache-prompt --no-cache-prompt --metrics --props --slots --no-slots --jinja --no-jinja
    --reasoning-preserve --no-reasoning-preserve --skip-chat-parsing --no-skip-chat-parsing
    --prefill-assistant --no-prefill-assistant --lora-init-without-apply
    """.split()  # noqa: SIM905
)


def _names(table: Mapping[str, str]) -> dict[str, str]:
    return {spelling: name for name, spellings in table.items() for spelling in spellings.split()}


_VALUES, _SWITCHED, _UNCOUNTED = map(_names, (_WITH_VALUE, _SWITCHES, _BESIDE))
_TAKES_VALUE = _VALUES.keys() | _UNCOUNTED.keys() | _NEUTRAL | set(_OTHERWISE)
_OPTION = re.compile(r"--?[A-Za-z]")


class BadWords(Exception):
    """llama-server would not take these options; the text says why."""


@dataclass
class Words:
    """`values` and `switches` by name, in the order of the command line. `doubts` say what of the
    rest may matter."""

    values: dict[str, str] = field(default_factory=dict)
    switches: dict[str, None] = field(default_factory=dict)
    doubts: list[str] = field(default_factory=list)


def read_words(words: Sequence[str]) -> Words:
    """Raises BadWords."""
    told, rest = Words(), list(chain.from_iterable(map(_apart, words)))
    while rest:
        option = rest.pop(0)
        if not _OPTION.match(option):
            raise BadWords(f"`{option}` follows no option of llama-server")
        if option in _SWITCHED:
            name = _SWITCHED[option]
            told.switches.pop(name, None)
            told.switches[name] = None
        elif option in _NEUTRAL_SWITCHES:
            continue
        elif option in _OTHERWISE_SWITCHES:
            told.doubts.append(f"`{option}` is not known to this forecast")
        elif option in _TAKES_VALUE:
            _take(told, option, rest)
        else:
            if rest and not _OPTION.match(rest[0]):
                rest.pop(0)
            told.doubts.append(f"`{option}` is not known: whether it takes memory is not looked at")
    return told


def _take(told: Words, option: str, rest: list[str]) -> None:
    """With its value. Raises BadWords."""
    if not rest:
        raise BadWords(f"`{option}` lacks its value")
    value = rest.pop(0)
    if option in _VALUES:
        name = _VALUES[option]
        several = name == "overrides" and name in told.values
        told.values[name] = f"{told.values[name]},{value}" if several else value
    elif option in _UNCOUNTED:
        if value != "none":
            told.doubts.append(f"`{option}`: memory of {_UNCOUNTED[option]} is not counted")
    elif option in _OTHERWISE:
        told.doubts.append(f"`{option}` is not known to this forecast")


def _apart(word: str) -> Iterator[str]:
    """`--ctx-size=8192` is two words."""
    name, equals, value = word.partition("=")
    if not name.startswith("--"):
        yield word
    else:
        yield spelled(name)
        yield from (value,) if equals else ()
