"""The digests of files on this machine, remembered so that a large one is read once."""

import json
import os
import threading
from contextlib import suppress
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from xgen_deploy.frozen import Frozen
from xgen_deploy.transfer.local_file import LocalFile, digested

_MOST = 10_000
_BYTES = 64 << 20


class _Remembered(Frozen):
    state: str
    sha256: str
    chunks: tuple[str, ...]


_ALL = TypeAdapter(dict[str, _Remembered])


class LocalDigests:
    """`folder` is a cache: what is lost there is only read again."""

    def __init__(self, folder: Path) -> None:
        self._lock = threading.Lock()
        self._path = folder / "digests.json"
        self._known = self._read()

    def of(self, path: Path) -> LocalFile:
        """For one thread at a time: two that want the same file read it once. Raises OSError."""
        with self._lock:
            return self._of(path)

    def _of(self, path: Path) -> LocalFile:
        status = path.stat()
        state = f"{status.st_size} {status.st_mtime_ns} {status.st_ino}"
        known = self._known.get(str(path))
        if known is not None and known.state == state:
            return LocalFile(
                path=path, size=status.st_size, sha256=known.sha256, chunks=known.chunks
            )
        file = digested(path)
        self._known[str(path)] = _Remembered(state=state, sha256=file.sha256, chunks=file.chunks)
        self._write()
        return file

    def _read(self) -> dict[str, _Remembered]:
        with suppress(OSError, ValidationError):
            if self._path.stat().st_size <= _BYTES:
                return _ALL.validate_json(self._path.read_bytes())
        return {}

    def _write(self) -> None:
        newest = dict(list(self._known.items())[-_MOST:])
        with suppress(OSError):
            self._path.parent.mkdir(parents=True, exist_ok=True)
            draft = self._path.with_name(f"{self._path.name}.{os.getpid()}")
            draft.write_text(json.dumps({k: v.model_dump() for k, v in newest.items()}))
            draft.replace(self._path)


def cache_folder() -> Path:
    """`$XDG_CACHE_HOME/xgen-deploy`."""
    stated = os.environ.get("XDG_CACHE_HOME", "")
    base = Path(stated) if stated.startswith("/") else Path.home() / ".cache"
    return base / "xgen-deploy"
