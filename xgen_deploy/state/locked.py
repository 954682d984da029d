"""What a lock file says of one source of an instance."""

from typing import Annotated

from pydantic import Field

from xgen_deploy.frozen import Frozen
from xgen_deploy.state.artifact import Sha1

# The key, in an instance's `locked`, of a file of this machine: its source names a place then.
LOCAL = "local"


class Locked(Frozen):
    """`content` is the state that the probe tells of these very files, `size` in bytes."""

    commit: Sha1 | None = None
    content: str
    size: Annotated[int, Field(ge=0)]
