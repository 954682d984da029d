"""The base of every value object."""

from pydantic import BaseModel, ConfigDict


class Frozen(BaseModel):
    """Immutable; a key that it does not know, a NaN or an infinity is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)
