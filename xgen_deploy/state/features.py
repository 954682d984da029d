"""What can be loaded beside a model: a projector, a draft model, adapters, a chat template. As the
manifest states it, and as it was found on a host.
"""

from typing import Annotated, Literal

from pydantic import Field

from xgen_deploy.frozen import Frozen
from xgen_deploy.state.field_types import Number, Positive, SourceText, Word
from xgen_deploy.state.settings import Layers, SourceByFormat

# The fields of a placement and of a spec that state them.
FEATURES = ("mmproj", "draft", "loras", "chat_template")


class Draft(Frozen):
    """A small model that guesses tokens, which the model then checks: speculative decoding."""

    source: SourceText | SourceByFormat = Field(description="As the model's own `source`.")
    revision: Word | None = Field(default=None, description="main unless stated.")
    n_gpu_layers: Layers | None = Field(
        default=None,
        description="-1 or `all`, the default: every layer; a number or a share. Ignored by vLLM.",
    )
    tokens: Positive | None = Field(default=None, description="Most tokens guessed at once.")


class Lora(Frozen):
    """An adapter with more than its source."""

    source: SourceText | SourceByFormat = Field(description="As the model's own `source`.")
    revision: Word | None = Field(default=None, description="main unless stated.")
    scale: Annotated[Number, Field(ge=0)] | None = Field(
        default=None, description="1 unless stated. Ignored by vLLM."
    )


class FoundFile(Frozen):
    """A file or folder on a host; `state` identifies its content."""

    path: str
    state: str | None = None


class FoundDraft(FoundFile):
    """A draft model. `n_gpu_layers` None: no GPU, or not the engine's to choose."""

    n_gpu_layers: int | Literal["all"] | None = None
    tokens: int | None = None


class FoundLora(FoundFile):
    """An adapter. `rank` is what its own configuration says."""

    scale: float | None = None
    rank: int | None = None
