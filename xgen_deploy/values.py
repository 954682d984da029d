"""The base of every value object."""

from pydantic import BaseModel, ConfigDict


class Frozen(BaseModel):
    """Immutable; a key that it does not know is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")
