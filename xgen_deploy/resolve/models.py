"""The model's files on the host, and the layers and context that they allow."""

from dataclasses import dataclass
from typing import Literal

from xgen_deploy.backends.registry import model_formats
from xgen_deploy.state.facts import ModelFacts
from xgen_deploy.state.instance_config import InstanceConfig
from xgen_deploy.state.refuse import refuse
from xgen_deploy.state.settings import SourceByFormat

DEFAULT_CONTEXT = 4096
# GGUF architectures that cannot generate text: llama.cpp loads them, reports ok, and answers every
# completion with an error.
_ENCODERS = frozenset(
    {
        "bert",
        "eurobert",
        "jina-bert-v2",
        "jina-bert-v3",
        "modern-bert",
        "neo-bert",
        "nomic-bert",
        "nomic-bert-moe",
        "t5encoder",
    }
)


def sources(declared: InstanceConfig) -> dict[str, str]:
    """Format (`gguf`, `hf`, or `any` for a single source) -> source, in the engines' order of
    preference.
    """
    if isinstance(declared.source, SourceByFormat):
        stated = declared.source.model_dump(exclude_none=True)
        return {f: stated[f] for f in model_formats() if f in stated}
    return {"any": declared.source}


def model_key(source: str, revision: str) -> str:
    """The key of a source in the probe's request and answer."""
    return f"{source}@{revision}"


@dataclass(frozen=True)
class Layers:
    """How many layers go to the GPU; `offloaded` None: no GPU. `total` counts the output
    layer too.
    """

    offloaded: int | Literal["all"] | None
    total: int | None
    note: str | None = None


def usable_model(declared: InstanceConfig, facts: ModelFacts) -> ModelFacts:
    """Raises Refused when the files are missing, cut short, not what they claim to be, or closed
    to the user that the engine runs as.
    """
    if facts.error is not None:
        raise refuse(
            declared,
            f"model {facts.key.rsplit('@', 1)[0]}: {facts.error}",
            "Copy the file to the host, or correct `source`.",
            "source",
        )
    closed = facts.closed_file if declared.runtime != "process" else None
    if closed is None and declared.runtime == "systemd":  # a container sees the model alone
        closed = facts.closed_folder
    if closed is not None:
        bits = "o+rX" if closed == facts.closed_file else "o+x"
        raise refuse(
            declared,
            f"model {facts.key.rsplit('@', 1)[0]}: the engine, which runs as its own user, may not "
            f"read {closed}",
            f"Run on the host: `chmod {bits} {closed}`.",
            "source",
        )
    architecture = facts.gguf.architecture if facts.gguf else None
    if declared.type == "llm" and architecture in _ENCODERS:
        raise refuse(
            declared,
            f"model {facts.key.rsplit('@', 1)[0]}: its architecture, {architecture}, makes vectors "
            "or scores, not text",
            "State `type: embedding` or `type: reranker`, or correct `source`.",
            "source",
        )
    return facts


def decide_layers(declared: InstanceConfig, facts: ModelFacts, *, on_gpu: bool) -> Layers:
    """-1 and `all` are every layer, and so is no count with a GPU; a count above the model's is
    every layer, with a note. Raises Refused for a count without a GPU.
    """
    stated = declared.n_gpu_layers
    total = facts.gguf.layers + 1 if facts.gguf and facts.gguf.layers is not None else None
    if not on_gpu:
        if stated not in (None, 0):
            raise refuse(
                declared,
                f"n_gpu_layers: {stated} was asked for, and this placement has no GPU",
                "State `n_gpu_layers: 0` here, or give it a GPU.",
                "n_gpu_layers",
            )
        return Layers(None, total)
    if stated in (None, -1, "all"):
        return Layers("all", total)
    count = int(stated) if stated is not None else 0
    if total is not None and count > total:
        return Layers("all", total, f"n_gpu_layers: {count} is more than the model's {total}: all")
    return Layers(count, total)


def decide_context(declared: InstanceConfig, limit: int | None) -> tuple[int, str | None]:
    """The context of one request in tokens, and a note for the plan or None. `limit` is the
    context in the model's files.
    """
    if declared.n_ctx is None:
        n_ctx = min(DEFAULT_CONTEXT, limit or DEFAULT_CONTEXT)
        return n_ctx, f"n_ctx is not stated: {n_ctx}"
    if limit is not None and declared.n_ctx > limit:
        return (
            declared.n_ctx,
            f"n_ctx: {declared.n_ctx} is more than the {limit} that the model was trained for",
        )
    return declared.n_ctx, None
