"""How long an input of an embedding model or a reranker llama.cpp's servers take: it is decoded in
one go, so that it has to fit one batch. A longer one fails in llama-server, which goes on in parts
only where the last token's vector stands for all, and is cut off by llama-cpp-python.
"""

from xgen_deploy.state.extra_args import values_of
from xgen_deploy.state.facts import ModelFacts
from xgen_deploy.state.instance import Spec
from xgen_deploy.state.instance_config import InstanceConfig
from xgen_deploy.state.refuse import refuse
from xgen_deploy.state.settings import LlamaSettings

_OWN = 512  # llama.cpp's own physical batch, where nothing is stated
_POOLINGS = ("none", "mean", "cls", "last", "rank")  # as GGUF numbers them
_BATCH = frozenset(["-b", "--batch-size", "--n-batch"])
_UBATCH = frozenset(["-ub", "--ubatch-size", "--n-ubatch"])


def pooling_of(llama: LlamaSettings, model: ModelFacts) -> str | None:
    """As stated, else as the model's file says; None where neither does."""
    stated = _stated_pooling(llama)
    number = model.gguf.pooling_type if model.gguf else None
    if stated is not None or number is None:
        return stated
    return _POOLINGS[number] if 0 <= number < len(_POOLINGS) else str(number)


def keeps_no_tokens(model: ModelFacts) -> bool:
    """Whether its architecture has no cache, from which a second part could go on."""
    architecture = (model.gguf.architecture if model.gguf else None) or ""
    return "bert" in architecture or architecture == "t5encoder"


def batches(spec: Spec, *, splits: bool) -> tuple[int | None, int | None]:
    """The logical and the physical batch to be told: as stated, else what holds a whole input."""
    llama = spec.llama
    if spec.type == "llm" or splits or spec.n_ctx <= _OWN:
        return llama.n_batch, llama.n_ubatch
    logical, physical = _stated(llama)
    whole = max(spec.n_ctx, logical or 0, physical or 0)
    return (llama.n_batch if logical else whole, llama.n_ubatch if physical else whole)


def longest_input(spec: Spec, *, splits: bool) -> int:
    """In tokens."""
    if spec.type == "llm" or splits:
        return spec.n_ctx
    return min(spec.n_ctx, *(size for size in _stated(spec.llama) if size), spec.n_ctx)


def check_inputs(declared: InstanceConfig, spec: Spec, *, splits: bool) -> None:
    """Raises Refused where a stated batch is less than the context."""
    if longest_input(spec, splits=splits) == spec.n_ctx:
        return
    logical, physical = _stated(spec.llama)
    small = physical is not None and physical <= (logical or physical)
    field, size = ("n_ubatch", physical) if small else ("n_batch", logical)
    what = "a reranker" if spec.type == "reranker" else "an embedding model"
    raise refuse(
        declared,
        f"{field}: {size} is less than n_ctx: {spec.n_ctx}, and an input of {what} is decoded in "
        "one go: a longer one would fail",
        f"State `n_ctx: {size}`, or leave the batch out: it follows n_ctx.",
        f"llama.{field}",
    )


def check_pooling(declared: InstanceConfig, model: ModelFacts, hint: str) -> None:
    """Raises Refused where each token would have a vector of its own, which is no answer, and where
    what is stated is not what the type needs."""
    known = model.gguf is not None and model.gguf.architecture is not None
    pooling = pooling_of(declared.llama, model)
    _check_rank(declared)
    if declared.type != "embedding" or not known or pooling not in (None, "none"):
        return
    found = "names no pooling type" if pooling is None else "has no pooling, as is stated"
    raise refuse(
        declared,
        f"the model {found}: llama.cpp would make a vector of each token, and answers no "
        "`/v1/embeddings` with that",
        hint,
        "llama.pooling",
    )


def _check_rank(declared: InstanceConfig) -> None:
    """`rank` is a reranker's alone, and its only one; llama-server is told so by `--reranking`."""
    stated = _stated_pooling(declared.llama)
    if stated is None or declared.type == "llm":
        return
    if declared.type == "reranker" and stated != "rank":
        reason = f"pooling is {stated}, and a reranker ranks: llama.cpp would answer no request"
    elif declared.type == "embedding" and stated == "rank":
        reason = "pooling is rank, which makes a score and no vector"
    else:
        return
    raise refuse(declared, reason, "Leave `pooling` out, or correct `type`.", "llama.pooling")


def _stated_pooling(llama: LlamaSettings) -> str | None:
    return next(values_of(llama.extra_args or (), frozenset(["--pooling"])), llama.pooling)


def _stated(llama: LlamaSettings) -> tuple[int | None, int | None]:
    arguments = llama.extra_args or ()
    return (
        _number(next(values_of(arguments, _BATCH), None)) or llama.n_batch,
        _number(next(values_of(arguments, _UBATCH), None)) or llama.n_ubatch,
    )


def _number(text: str | None) -> int | None:
    return int(text) if text is not None and text.isascii() and text.isdecimal() else None
