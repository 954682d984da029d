"""What an instance must answer to be accepted: values of the manifest, and of what was recorded."""

import re
from typing import Annotated, Self

from pydantic import AfterValidator, Field, model_validator

from xgen_deploy.frozen import Frozen
from xgen_deploy.state.field_types import Flag, Number

MIN_COSINE = 0.99
Text = Annotated[str, Field(min_length=1, max_length=8000)]
Vector = Annotated[tuple[float, ...], Field(min_length=1, max_length=1 << 14)]


def _pattern(value: str) -> str:
    try:
        re.compile(value)
    except re.error as error:
        raise ValueError(f"not a regular expression: {error}") from None
    return value


class AcceptPrompt(Frozen):
    """A prompt and what its answer has to be; asked with temperature 0 and a fixed seed."""

    prompt: Text
    expect: str | None = Field(
        default=None, max_length=8000, description="Text that has to be in the answer."
    )
    pattern: Annotated[str, AfterValidator(_pattern)] | None = Field(
        default=None, max_length=1000, description="A regular expression that has to match in it."
    )
    max_tokens: Annotated[int, Field(strict=True, ge=1, le=512)] = 32
    raw: Flag = Field(default=False, description="The prompt as it is, without a chat template.")

    @model_validator(mode="after")
    def _exactly_one(self) -> Self:
        if (self.expect is None) == (self.pattern is None):
            raise ValueError("a prompt has either `expect` or `pattern`; give one of them")
        return self

    def wrong_with(self, answer: str) -> str:
        """As a clause; "" where the answer is as expected."""
        if self.expect is not None and self.expect.strip() not in answer:
            return f"expected `{_cut(self.expect)}`, the answer was `{_cut(answer)}`"
        if self.pattern is not None and not re.search(self.pattern, answer):
            return f"`{_cut(self.pattern)}` is not in the answer `{_cut(answer)}`"
        return ""


class AcceptVector(Frozen):
    """A text and the vector that it has to have, or nearly."""

    text: Text
    vector: Vector


class Recorded(Frozen):
    """What `accept record` wrote of one model."""

    prompts: tuple[AcceptPrompt, ...] = Field(default=(), max_length=100)
    vectors: tuple[AcceptVector, ...] = Field(default=(), max_length=100)


class AcceptFile(Frozen):
    """The whole file, by model."""

    models: dict[str, Recorded] = Field(default_factory=dict)


class Accept(Frozen):
    """Checked before a change counts, and by `verify`."""

    prompts: tuple[AcceptPrompt, ...] = Field(
        default=(), max_length=100, description="Prompts with an expected text or pattern."
    )
    vectors: tuple[AcceptVector, ...] = Field(
        default=(), max_length=100, description="Texts with their vectors, of an embedding model."
    )
    min_cosine: Annotated[Number, Field(gt=0, le=1)] | None = Field(
        default=None, description="How close a vector has to be; 0.99 unless stated."
    )
    file: str | None = Field(
        default=None,
        description="More of both, written by `accept record`; relative to this manifest.",
    )


def _cut(text: str) -> str:
    return text if len(text) <= 100 else f"{text[:100]}…"
