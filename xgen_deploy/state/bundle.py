"""Which bundle a project was applied from."""

from typing import Annotated

from pydantic import Field

from xgen_deploy.frozen import Frozen
from xgen_deploy.state.artifact import Sha256

LONGEST_NAME = 300
# Above every moment written as 14 digits.
Serial = Annotated[int, Field(ge=0, lt=10**15)]


class BundleOrigin(Frozen):
    """`digest` is of its index, `signer` whose signature was good, None for one without. `git` is
    the commit of the manifest where the bundle was made. `older`: it may be older than the last
    one that was applied.
    """

    file: Annotated[str, Field(max_length=LONGEST_NAME)]
    digest: Sha256
    serial: Serial
    signer: Annotated[str, Field(max_length=LONGEST_NAME)] | None = None
    git: Annotated[str, Field(max_length=LONGEST_NAME)] | None = None
    older: bool = Field(default=False, exclude=True)

    def __str__(self) -> str:
        by = f"signed by {self.signer}" if self.signer is not None else "not signed"
        return f"{self.file}, serial {self.serial}, {by}"
