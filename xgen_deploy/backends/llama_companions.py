"""llama-server's options for what it loads beside a model; their names changed from build to build.

Flags: common/arg.cpp of llama.cpp; `--draft-max` became `--spec-draft-n-max`, and a draft model is
used without being told only by builds whose `--spec-type` has no `draft-simple`.
"""

from collections.abc import Collection
from dataclasses import dataclass

from xgen_deploy.backends.base import Unsupported
from xgen_deploy.state.features import FoundLora
from xgen_deploy.state.instance import Engine, Spec

_SIMPLE = "draft-simple"
# Each with the newest name first; the last one for a build that could not be asked.
_MODEL = ("--spec-draft-model", "--model-draft")
_DEVICE = ("--spec-draft-device", "--device-draft")
_LAYERS = ("--spec-draft-ngl", "--gpu-layers-draft")
_TOKENS = ("--spec-draft-n-max", "--draft-max")


@dataclass(frozen=True)
class DraftOptions:
    """The names of its options in one build; `type` is the value of `--spec-type`, if any."""

    model: str
    device: str
    layers: str
    tokens: str
    type: str | None


def draft_options(spec: Spec, engine: Engine) -> DraftOptions | None:
    """None without a draft model. Raises Unsupported."""
    if spec.draft is None:
        return None
    words = {w for marker in engine.markers for w in marker.split(",")}
    return DraftOptions(
        model=_named(engine, _MODEL),
        device=_named(engine, _DEVICE),
        layers=_named(engine, _LAYERS),
        tokens=_named(engine, _TOKENS),
        type=_SIMPLE if _SIMPLE in words else None,
    )


def lora_arguments(spec: Spec, engine: Engine) -> tuple[str, ...]:
    """Option and value in turn. Raises Unsupported."""
    arguments: list[str] = []
    for name, lora in spec.loras.items():
        if lora.scale is None:
            arguments += ["--lora", _path(name, lora, ",")]
        elif _takes_pairs(engine):
            arguments += ["--lora-scaled", f"{_path(name, lora, ',:')}:{lora.scale:g}"]
        else:
            arguments += ["--lora-scaled", lora.path, f"{lora.scale:g}"]
    return tuple(arguments)


def _path(name: str, lora: FoundLora, separators: Collection[str]) -> str:
    if any(separator in lora.path for separator in separators):
        raise Unsupported(
            f"loras.{name}: llama-server cannot be given a path with a comma or a colon: "
            f"{lora.path}; rename the file"
        )
    return lora.path


def _takes_pairs(engine: Engine) -> bool:
    """Whether `--lora-scaled` takes `FILE:SCALE`, not two arguments."""
    return not engine.known or any("FNAME:SCALE" in marker for marker in engine.markers)


def _named(engine: Engine, names: tuple[str, ...]) -> str:
    if not engine.known:
        return names[-1]
    known = next((name for name in names if name in engine.flags), None)
    if known is None:
        raise Unsupported(f"this build has no {names[-1]}, which `draft` needs")
    return known
