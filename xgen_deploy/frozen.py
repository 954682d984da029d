"""The base of every value that is read or written, the kinds of number that a host may tell, and
how a value is changed.
"""

import dataclasses
from typing import TYPE_CHECKING, Annotated

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


if TYPE_CHECKING:
    # mypy checks field names and types of pydantic models too, but only under this very name.
    from dataclasses import replace as replace
else:

    def replace(value, /, **changes):
        """A copy of a dataclass or a pydantic model with these fields. Fields that a model has are
        not validated again: their types are checked where this is called.
        """
        if not isinstance(value, BaseModel):
            return dataclasses.replace(value, **changes)
        unknown = changes.keys() - type(value).model_fields.keys()
        if unknown:
            raise TypeError(f"{type(value).__name__} has no field {', '.join(sorted(unknown))}")
        return value.model_copy(update=changes)
