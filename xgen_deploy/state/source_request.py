"""What is asked of a model's source."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Request:
    """A source as the manifest states it. `local` is a path on this machine (`source` is then the
    model's name), `sha256` what the manifest says of a single file. `patterns` are the files that
    it names, `code`: modules of Python too. `commit` is what a lock file says of the revision.
    """

    source: str
    revision: str = "main"
    patterns: tuple[str, ...] = ()
    code: bool = False
    local: str | None = None
    sha256: str | None = None
    commit: str | None = None
