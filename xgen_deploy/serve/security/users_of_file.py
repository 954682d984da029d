"""The users of `--users FILE`, which is read again whenever it changes."""

import threading
from pathlib import Path

from xgen_deploy.manifest.diagnostics import ManifestError
from xgen_deploy.manifest.users_file import read_users
from xgen_deploy.serve.security.users import Users

Stamp = tuple[int, int, int]


class UsersOfFile:
    """Thread-safe. Raises ManifestError where the file is wrong to begin with."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._stamp = _stamp(path)
        self._users = Users(read_users(path))

    def now(self) -> Users:
        """Those of before while the file has an error."""
        with self._lock:
            stamp = _stamp(self._path)
            if stamp != self._stamp:
                try:
                    self._users = Users(read_users(self._path))
                except ManifestError:
                    return self._users
                self._stamp = stamp
            return self._users


def _stamp(path: str) -> Stamp:
    try:
        status = Path(path).stat()
    except OSError:
        return 0, 0, 0
    return status.st_mtime_ns, status.st_size, status.st_ino
