"""The tool's wheels beside a bundle, for a site that has no tool to open the bundle with: they are
checked and installed by ssh-keygen, sha256sum and pip alone.
"""

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path

from xgen_deploy.bundle.index import Index
from xgen_deploy.bundle.write import Source
from xgen_deploy.errors import XgenError

NAMESPACE = "xgen-bootstrap"
SUMS, SIGNATURE = "SHA256SUMS", "SHA256SUMS.sig"
_KINDS = ("wheel", "requirements")
_OWN = (".whl", ".txt", SUMS, SIGNATURE)


def write_bootstrap(
    output: Path,
    index: Index,
    sources: Mapping[str, Source],
    sign: Callable[[bytes], bytes] | None,
) -> Path | None:
    """`site.xgen.bootstrap`; None where the bundle has no wheels. What an earlier bundle left there
    is replaced. Raises XgenError and OSError."""
    files = dict(_files(index))
    folder = output.with_name(f"{output.name}.bootstrap")
    _clear(folder)
    if not files:
        return None
    folder.mkdir()
    for name, digest in files.items():
        content = sources[digest]
        if not isinstance(content, bytes):
            content = content.read_bytes()
        _write(folder / name, content)
    sums = "".join(f"{digest}  {name}\n" for name, digest in sorted(files.items())).encode()
    _write(folder / SUMS, sums)
    if sign is not None:
        _write(folder / SIGNATURE, sign(sums))
    return folder


def _files(index: Index) -> Iterator[tuple[str, str]]:
    """Digests by name."""
    for part in index.files:
        if part.kind in _KINDS:
            yield part.file.path.rpartition("/")[2], part.file.sha256


def _clear(folder: Path) -> None:
    """Raises XgenError where anything else is in there."""
    with suppress(FileNotFoundError):
        names = sorted(path.name for path in folder.iterdir())
        others = [name for name in names if not name.endswith(_OWN)]
        if others:
            raise XgenError(f"{folder} has other files in it, such as {others[0]}: remove it")
        for name in names:
            (folder / name).unlink()
        folder.rmdir()


def _write(path: Path, content: bytes) -> None:
    with path.open("xb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
