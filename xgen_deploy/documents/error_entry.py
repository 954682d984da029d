"""An error as an entry of `errors` in a command's JSON."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from xgen_deploy.errors import XgenError


@dataclass(frozen=True, kw_only=True)
class ErrorEntry:
    """`message` is without the host's name and the place, where these are known. `way_out` is what
    to do about it. None is unknown.
    """

    message: str
    host: str | None = None
    instance: str | None = None
    file: str | None = None
    line: int | None = None
    column: int | None = None
    way_out: str | None = None


def entries_of(error: Exception) -> Iterator[ErrorEntry]:
    """One for each problem of a manifest, one for any other error."""
    if not isinstance(error, XgenError):
        yield ErrorEntry(message=str(error))
        return
    from xgen_deploy.manifest.diagnostics import ManifestError

    if isinstance(error, ManifestError):
        for problem in error.problems:
            yield ErrorEntry(
                message=problem.message,
                file=problem.file,
                line=problem.line or None,
                column=problem.column or None,
            )
        return
    message = error.reason or str(error)
    yield ErrorEntry(message=message, host=error.host, way_out=error.hint or None)


def host_errors(results: Mapping[str, object]) -> Iterator[ErrorEntry]:
    """Of the hosts whose result is an error."""
    for host, error in results.items():
        if isinstance(error, XgenError):
            message = error.reason or str(error).removeprefix(f"{host}: ")
            yield ErrorEntry(message=message, host=host, way_out=error.hint or None)
