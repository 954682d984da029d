"""The manifest's file: read for an edit, written in one step where nobody else did meanwhile."""

import os
import tempfile
from dataclasses import dataclass
from pathlib import Path

from xgen_deploy.manifest.diagnostics import ManifestError, failure
from xgen_deploy.manifest.file_text import Files

_BOM = b"\xef\xbb\xbf"


@dataclass(frozen=True)
class ManifestFile:
    """A manifest as it was when it was read; `text` is without a byte order mark."""

    path: str
    content: bytes
    text: str

    def with_text(self, text: str) -> bytes:
        mark = _BOM if self.content.startswith(_BOM) else b""
        return mark + text.encode()


class FileChanged(ManifestError):
    """Somebody else wrote the file since it was read."""


def read_file(path: str) -> ManifestFile:
    """Raises ManifestError."""
    files = Files()
    text = files.text(path)
    return ManifestFile(path, files.read[0][1], text)


def write_file(path: str, content: bytes, before: bytes) -> None:
    """Raises FileChanged where it is not as it was `before`, ManifestError where it cannot be
    written. A link is followed, and the file's mode is kept."""
    try:
        _write(Path(path).resolve(), content, before)
    except OSError as error:
        raise failure(path, f"the manifest cannot be written: {error.strerror}") from None


def _write(path: Path, content: bytes, before: bytes) -> None:
    mode = path.stat().st_mode & 0o7777
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    new = Path(name)
    try:
        with open(handle, "wb") as file:  # noqa: PTH123
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        new.chmod(mode)
        if path.read_bytes() != before:
            raise _changed(str(path))
        new.replace(path)
    finally:
        new.unlink(missing_ok=True)


def _changed(path: str) -> FileChanged:
    message = "the file was changed meanwhile; look at it, then ask for the change again"
    return FileChanged(failure(path, message).problems)
