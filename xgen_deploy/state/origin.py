"""Which manifest a project is applied from, so that a copy of it is told apart."""

from typing import Annotated

from pydantic import Field

from xgen_deploy.frozen import Frozen

MOST = 1000  # characters of a path


class Origin(Frozen):
    """`repository` is its first commit, None where that is unknown; `path` the manifest's in it,
    outside of any the file's name.
    """

    repository: Annotated[str, Field(pattern="^[0-9a-f]{7,64}$")] | None = None
    path: Annotated[str, Field(max_length=MOST)]

    def differs_from(self, other: "Origin") -> bool:
        """By the file's name alone where a repository is unknown."""
        if self.repository is None or other.repository is None:
            return self.path.rpartition("/")[2] != other.path.rpartition("/")[2]
        return self != other

    def __str__(self) -> str:
        where = f" (repository {self.repository[:7]})" if self.repository else ""
        return f"{self.path}{where}"
