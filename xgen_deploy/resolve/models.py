"""The model's files on the host, and the layers and context that they allow."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from xgen_deploy.backends.registry import model_formats
from xgen_deploy.resolve.file_access import check_access
from xgen_deploy.state.facts import ModelFacts
from xgen_deploy.state.instance_config import InstanceConfig
from xgen_deploy.state.refuse import refuse
from xgen_deploy.state.settings import SourceByFormat

DEFAULT_CONTEXT = 4096


def sources(declared: InstanceConfig) -> dict[str, str]:
    """Of the model itself (see `formats_of`)."""
    return formats_of(declared.source)


def formats_of(source: str | SourceByFormat) -> dict[str, str]:
    """Format (`gguf`, `hf`, or `any` for a single source) -> source, in the engines' order of
    preference.
    """
    if isinstance(source, SourceByFormat):
        stated = source.model_dump(exclude_none=True)
        return {f: stated[f] for f in model_formats() if f in stated}
    return {"any": source}


def model_key(source: str, revision: str, quantize: str | None = None) -> str:
    """The key of a source in the probe's request and answer, or of what is made of it."""
    return f"{source}@{revision}" + (f" as {quantize}" if quantize else "")


def own_key(declared: InstanceConfig, model_format: str, source: str) -> str:
    """Of one of the model's own sources. What is quantized is a GGUF."""
    quantize = declared.quantize if model_format != "hf" else None
    return model_key(source, declared.revision, quantize)


def other_revision(declared: InstanceConfig, facts: ModelFacts) -> str | None:
    """A note for the plan where the cache has another revision than the default."""
    if facts.revision is None:
        return None
    taken = facts.revision[:12]
    return f"revision {declared.revision} is not in the cache; the only one there is taken: {taken}"


@dataclass(frozen=True)
class Layers:
    """How many layers go to the GPU; `offloaded` None: no GPU. `total` counts the output
    layer too.
    """

    offloaded: int | Literal["all"] | None
    total: int | None
    note: str | None = None


def facts_of(
    declared: InstanceConfig, key: str, models: Mapping[str, ModelFacts], field: str = "source"
) -> ModelFacts:
    """What the probe reports on files. Raises Refused where it left them out."""
    facts = models.get(key)
    if facts is None:
        reason = f"the probe did not report on the model {shown_source(key)}"
        raise refuse(declared, reason, "Run the command again.", field)
    return facts


def usable_files(declared: InstanceConfig, facts: ModelFacts, what: str, field: str) -> None:
    """Raises Refused when the files are missing, cut short, not what they claim to be, or closed
    to the user that the engine runs as. `field` is where the manifest states them.
    """
    name = f"{what} {shown_source(facts.key)}"
    if facts.error is not None:
        raise refuse(
            declared,
            f"{name}: {facts.error}",
            _way_out(facts, field),
            field,
        )
    check_access(declared, facts, name, field)


def _way_out(facts: ModelFacts, field: str) -> str:
    if facts.hint:
        return facts.hint
    if facts.choices:
        return f"Name one of them in `{field}`, such as `{facts.choices[0]}`."
    return f"Copy the file to the host, or correct `{field}`."


def shown_source(key: str) -> str:
    """The source in the key of a request, for the reader."""
    return key.rsplit("@", 1)[0]


def decide_layers(
    declared: InstanceConfig,
    facts: ModelFacts,
    stated: int | str | None,
    *,
    on_gpu: bool,
    field: str = "n_gpu_layers",
) -> Layers:
    """`stated` is what the manifest's `field` says. -1 and `all` are every layer, and so is no
    count with a GPU; a count above the model's is every layer, with a note; a share is rounded
    down. Raises Refused for a count without a GPU, and for a share of nobody knows how many.
    """
    total = facts.gguf.layers + 1 if facts.gguf and facts.gguf.layers is not None else None
    if not on_gpu:
        if stated not in (None, 0):
            raise refuse(
                declared,
                f"{field}: {stated} was asked for, and this placement has no GPU",
                f"State `{field}: 0` here, or give it a GPU.",
                field,
            )
        return Layers(None, total)
    if stated in (None, -1, "all"):
        return Layers("all", total)
    if isinstance(stated, str) and stated.endswith("%"):
        stated = _share(declared, stated, total, field)
    count = int(stated)
    if total is not None and count > total:
        return Layers("all", total, f"{field}: {count} is more than the model's {total}: all")
    return Layers(count, total)


def _share(declared: InstanceConfig, stated: str, total: int | None, field: str) -> int:
    """Raises Refused."""
    if total is None:
        reason = f"{field} is {stated}, and its file does not tell how many layers it has"
        raise refuse(declared, reason, f"State `{field}` as a number.", field)
    return total * int(stated[:-1]) // 100


def decide_context(declared: InstanceConfig, limit: int | None) -> tuple[int, str | None]:
    """The context of one request in tokens, and a note for the plan or None. `limit` is the
    context in the model's files.
    """
    stated = declared.n_ctx
    if not isinstance(stated, int):
        n_ctx = min(DEFAULT_CONTEXT, limit or DEFAULT_CONTEXT)
        return n_ctx, f"n_ctx is not stated: {n_ctx}"
    if limit is not None and stated > limit:
        note = f"n_ctx: {stated} is more than the {limit} that the model was trained for"
        return stated, note
    return stated, None
