"""The base of every value object, and the kinds of number that a host may tell."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

# Where a server says whether it is ready: nothing that would be more than a path elsewhere.
UrlPath = Annotated[str, Field(pattern=r"^/[A-Za-z0-9/_.-]{0,200}$")]
# Seconds since the epoch, up to the year 9999: what a calendar can show.
Moment = Annotated[float, Field(ge=0, le=253_402_300_799)]
# Seconds, up to a century.
Duration = Annotated[float, Field(ge=0, le=3_155_760_000)]


class Frozen(BaseModel):
    """Immutable; a key that it does not know, a NaN or an infinity is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)
