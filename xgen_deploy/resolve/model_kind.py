"""What a model's files turn out to be. What is no model, or one that answers nothing of the stated
type, is refused: an engine would load much of it, report ok, and fail every request. Pure.
"""

from dataclasses import dataclass

from xgen_deploy.resolve.models import shown_source, usable_files
from xgen_deploy.state.facts import GGUFFacts, ModelFacts
from xgen_deploy.state.instance_config import InstanceConfig
from xgen_deploy.state.refuse import refuse

# By GGUF's architecture and by `model_type` of a config.json alike.
_ENCODERS = frozenset(
    (
        *("bert", "eurobert", "jina-bert-v2", "jina-bert-v3", "modern-bert", "neo-bert"),
        *("nomic-bert", "nomic-bert-moe", "t5encoder"),
        *("albert", "camembert", "deberta", "deberta-v2", "distilbert", "electra", "ernie"),
        *("modernbert", "mpnet", "new", "nomic_bert", "roberta", "xlm-roberta", "clip", "siglip"),
    )
)
_SPEECH_TO_TEXT = frozenset(("whisper", "wav2vec2", "hubert", "speech_to_text", "moonshine"))
_TEXT_TO_SPEECH = frozenset(("wavtokenizer-dec", "vits", "bark", "speecht5", "parler_tts"))
_IMAGES = frozenset(
    (
        *("flux", "sd1", "sd2", "sd3", "sdxl", "aura", "hidream", "lumina2", "qwen_image"),
        *("wan", "ltxv", "hyvid", "cosmos"),
    )
)
_NO_GENERATION = ("ForSequenceClassification", "ForTokenClassification", "ForMaskedLM")


@dataclass(frozen=True)
class _Kind:
    """`what` is a clause about the files; `instead` what to do."""

    what: str
    instead: str


_PROJECTOR = _Kind(
    "it is a projector, which is loaded beside a model",
    "State it as `mmproj`, and the model's own file as `{field}`.",
)
_ADAPTER = _Kind(
    "it is an adapter, which is loaded beside a model",
    "State it under `loras`, and the model that it is for as `{field}`.",
)
_VOCABULARY = _Kind("it holds a vocabulary and no weights", "Correct `{field}`.")
_MATRIX = _Kind("it is an importance matrix, with which models are quantised", "Correct `{field}`.")


def usable_model(declared: InstanceConfig, facts: ModelFacts) -> ModelFacts:
    """Raises Refused when the files cannot be used, or hold a model of another type."""
    usable_files(declared, facts, "model", "source")
    check_is_model(declared, facts, "model", "source")
    architecture = _vectors_only(facts) if declared.type == "llm" else None
    if architecture is not None:
        raise refuse(
            declared,
            f"model {shown_source(facts.key)}: its architecture, {architecture}, makes vectors "
            "or scores, not text",
            "State `type: embedding` or `type: reranker`, or correct `source`.",
            "source",
        )
    return facts


def check_is_model(declared: InstanceConfig, facts: ModelFacts, what: str, field: str) -> None:
    """Raises Refused for what is something else, or serves something else."""
    kind = _no_model(facts) or _other_work(facts)
    if kind is not None:
        reason = f"{what} {shown_source(facts.key)}: {kind.what}"
        raise refuse(declared, reason, kind.instead.format(field=field), field)


def is_whole_model(facts: ModelFacts) -> bool:
    """Whether the files are known to be a model, and no adapter."""
    if facts.gguf is not None:
        return facts.gguf.type == "model"
    return bool(facts.config) and "peft_type" not in (facts.config or {})


def _no_model(facts: ModelFacts) -> _Kind | None:
    if facts.gguf is None:
        return _ADAPTER if "peft_type" in (facts.config or {}) else None
    return _no_model_in(facts.gguf)


def _no_model_in(gguf: GGUFFacts) -> _Kind | None:
    if gguf.architecture == "clip" or gguf.type == "mmproj":
        return _PROJECTOR
    if gguf.type == "adapter" or gguf.architecture == "controlvector":
        return _ADAPTER
    if gguf.type == "imatrix":
        return _MATRIX
    return _VOCABULARY if gguf.type == "vocab" or gguf.tensor_count == 0 else None


def _other_work(facts: ModelFacts) -> _Kind | None:
    kind, name = _model_type(facts), _architecture(facts)
    work = {
        **dict.fromkeys(_SPEECH_TO_TEXT, "turns speech into text"),
        **dict.fromkeys(_TEXT_TO_SPEECH, "makes speech"),
        **dict.fromkeys(_IMAGES, "makes images or films"),
    }.get(kind or "")
    if work is None:
        return None
    return _Kind(
        f"its architecture, {name}, {work}, and xgen-deploy serves language, embedding and "
        "reranking models",
        "Correct `{field}`, or serve it by other means.",
    )


def _vectors_only(facts: ModelFacts) -> str | None:
    """The architecture, where it generates no text."""
    name = _architecture(facts)
    if _model_type(facts) in _ENCODERS or (name or "").endswith(_NO_GENERATION):
        return name
    return None


def _model_type(facts: ModelFacts) -> str | None:
    if facts.gguf is not None:
        return facts.gguf.architecture
    kind = (facts.config or {}).get("model_type")
    return kind if isinstance(kind, str) else None


def _architecture(facts: ModelFacts) -> str | None:
    """As the files name it."""
    names = (facts.config or {}).get("architectures")
    if isinstance(names, list) and names and isinstance(names[0], str):
        return names[0]
    return _model_type(facts)
