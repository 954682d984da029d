"""Reads a manifest or inventory file: small, UTF-8 text; anything else is a ManifestError."""

import errno
import os
import re
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from xgen_deploy.manifest.diagnostics import failure
from xgen_deploy.state.instance_config import Mark
from xgen_deploy.state.settings import SecretRef

MAX_BYTES = 1 << 20
_UNPRINTABLE = re.compile(
    "[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]"
)


class Files:
    """Every file that was read, in order, with its bytes; `edited` ones as they would be."""

    def __init__(self, edited: Mapping[str, bytes] = MappingProxyType({})) -> None:
        self.read: list[tuple[str, bytes]] = []
        self.edited = edited

    def text(self, path: str, what: str = "manifest") -> str:
        """The file as text. Raises ManifestError with a sentence that begins with the path."""
        content = self.edited[path] if path in self.edited else _bytes(path, what)
        self.read.append((path, content))
        return _decoded(path, content)


def _bytes(path: str, what: str) -> bytes:
    try:
        if not path:
            raise failure("(no path)", f"no {what} was named")
        if Path(path).is_dir():
            raise failure(path, f"this is a folder; {_a(what)} is one YAML file")
        with Path(path).open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise failure(path, _why(error, what)) from None
    except ValueError:
        raise failure(repr(path), f"this cannot be the name of {_a(what)}") from None
    if len(content) > MAX_BYTES:
        raise failure(path, f"{_a(what)} is at most {MAX_BYTES >> 20} MiB; this file is larger")
    return content


def _a(what: str) -> str:
    return f"an {what}" if what[0] in "aeiou" else f"a {what}"


def _why(error: OSError, what: str) -> str:
    if error.errno == errno.ENOENT:
        return f"there is no such file; expected {_a(what)}"
    if error.errno in (errno.EACCES, errno.EPERM):
        return f"the {what} cannot be read: permission denied"
    return f"the {what} cannot be read: {error.strerror}"


def _decoded(path: str, content: bytes) -> str:
    if b"\0" in content:
        raise failure(path, "this is a binary file, not YAML text")
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError as error:
        line, column = position(content[: error.start].decode("utf-8"), error.start)
        message = f"byte 0x{content[error.start]:02x} is not UTF-8; save the file as UTF-8"
        raise failure(path, message, line, column) from None
    text = text.removeprefix("\ufeff")
    if odd := _UNPRINTABLE.search(text):
        line, column = position(text, odd.start())
        message = f"control character U+{ord(odd.group()):04X} is not allowed in YAML; remove it"
        raise failure(path, message, line, column)
    return text


def beside(file: str, path: str) -> str:
    """`path`, relative to the folder of `file`."""
    return os.path.normpath(Path(file).parent / path)


def position(text: str, offset: int) -> tuple[int, int]:
    """Line and column, from 1, of a character."""
    before = text[:offset]
    return before.count("\n") + 1, len(before) - (before.rfind("\n") + 1) + 1


def absolute_secret(secret: SecretRef, mark: Mark) -> SecretRef:
    """A relative `file:` is relative to the manifest it was written in, at `mark`."""
    return secret if secret.file is None else SecretRef(file=absolute_path(secret.file, mark))


def absolute_path(path: str, mark: Mark) -> str:
    """The same for a path on this machine; `~` stays."""
    return path if path.startswith(("/", "~")) else str(Path(beside(mark.file, path)).absolute())
