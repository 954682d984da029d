"""The base of every model that is read or written, bounded types for a host's values, and `replace`
for changed copies.
"""

import dataclasses
from typing import TYPE_CHECKING, Annotated

from pydantic import BaseModel, ConfigDict, Field

# A server's health page: characters that are plain in a URL, a shell and HAProxy's configuration.
UrlPath = Annotated[str, Field(pattern=r"^/[A-Za-z0-9/_.-]{0,200}$")]
# Seconds since the epoch, up to the year 9999: what a calendar can show.
Moment = Annotated[float, Field(ge=0, le=253_402_300_799)]
# Seconds, up to a century.
Duration = Annotated[float, Field(ge=0, le=3_155_760_000)]


class Frozen(BaseModel):
    """Immutable; unknown keys, NaN and infinities are errors."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


if TYPE_CHECKING:
    # mypy checks field names and types of pydantic models too, but only under this very name.
    from dataclasses import replace as replace
else:

    def replace(value, /, **changes):
        """A copy of a dataclass or a pydantic model with changed fields. A model is not validated
        again; mypy checks the fields at the call.
        """
        if not isinstance(value, BaseModel):
            return dataclasses.replace(value, **changes)
        unknown = changes.keys() - type(value).model_fields.keys()
        if unknown:
            raise TypeError(f"{type(value).__name__} has no field {', '.join(sorted(unknown))}")
        return value.model_copy(update=changes)
