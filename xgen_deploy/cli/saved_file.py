"""Writes a file of the user's whole or not at all, and tells beforehand where that cannot be."""

import os
from pathlib import Path

from xgen_deploy.errors import UsageError

_PRIVATE = 0o600


def check_writable(path: str) -> None:
    """Before hosts are asked for what is to be in it. Raises UsageError."""
    target = Path(os.path.realpath(path))
    if target.is_dir():
        raise UsageError(f"{path} cannot be written: it is a folder")
    if not target.parent.is_dir():
        raise UsageError(f"{path} cannot be written: there is no folder {target.parent}")
    if not os.access(target if target.exists() else target.parent, os.W_OK):
        raise UsageError(f"{path} cannot be written: permission denied")


def write_file(path: str, text: str, mode: int = _PRIVATE) -> None:
    """Writes the file atomically; unless told, readable by its owner alone, because it names hosts
    and files. Raises UsageError."""
    target = Path(os.path.realpath(path))
    try:
        if target.exists() and not target.is_file():  # a pipe, a device
            _write(target, text, mode)
            return
        new = target.with_name(f"{target.name}.new")
        try:
            _write(new, text, mode)
            new.replace(target)
        finally:
            new.unlink(missing_ok=True)
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror}") from None


def _write(path: Path, text: str, mode: int) -> None:
    def opened(name: str, flags: int) -> int:
        return os.open(name, flags, mode)

    with open(path, "w", encoding="utf-8", opener=opened) as file:
        file.write(text + "\n")
