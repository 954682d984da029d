"""Models on this machine, on their way to hosts: kept in its own caches, so that neither the next
host nor the next day fetches them again.
"""

import os
import sys
import threading
from pathlib import Path

from xgen_deploy.errors import XgenError
from xgen_deploy.state.fetch import Places
from xgen_deploy.state.transfer import Access, TransferRequest
from xgen_deploy.transfer.chain import Hop, bring
from xgen_deploy.transfer.host_transfer import Tell
from xgen_deploy.transport.local import LocalConnection

HERE = "this machine"


class LocalStore:
    """Of one artifact: `places` are where it lies on this machine. Thread-safe."""

    def __init__(self, places: Places, access: Access, origin: str, tell: Tell) -> None:
        self._places, self._access, self._origin, self._tell = places, access, origin, tell
        self._lock = threading.Lock()
        self._there = False

    def path(self, number: int) -> Path:
        """Of the file of this number in `places`; all are fetched first. Raises XgenError."""
        with self._lock:
            if not self._there:
                self._fetch()
                self._there = True
        return Path(self._places.files[number].place)

    def _fetch(self) -> None:
        request = TransferRequest(
            files=self._places.files,
            links=self._places.links,
            texts=self._places.texts,
            route="download",
            root=self._places.root,
            origin=self._origin,
            access=self._access,
        )
        here = LocalConnection(HERE, python=sys.executable, become="never", password=None)
        error = bring([Hop(connection=here, request=request)], _nowhere, self._tell)[HERE]
        if error is not None:
            raise error


def hugging_face_home() -> str:
    """As Hugging Face's own libraries find it."""
    stated = os.environ.get("HF_HOME", "")
    return stated if stated.startswith("/") else str(Path.home() / ".cache/huggingface")


def _nowhere(number: int) -> Path:
    raise XgenError(f"file {number} is not on this machine")
