"""A lab of its own for each of several test runs on one machine."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import IO
from unittest.mock import patch

from tests.lab import places

_MOST = 100


@contextmanager
def own_lab() -> Iterator[None]:
    """Within the block `places` means a lab that no other run has. It is free again when this
    process ends, however it ends.
    """
    number, handle = next(_free(range(1, _MOST)))
    with handle, patch.dict(os.environ, {places.NUMBER_VARIABLE: str(number)}):
        yield


def is_taken(number: int) -> bool:
    """Whether a run that has not ended has this lab."""
    for _, handle in _free([number]):
        handle.close()
        return False
    return True


def _free(numbers: Iterable[int]) -> Iterator[tuple[int, IO[str]]]:
    folder = places.cache_dir() / "locks"
    folder.mkdir(parents=True, exist_ok=True)
    for number in numbers:
        handle = (folder / f"{number}-claim").open("w")
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            handle.close()
        else:
            yield number, handle
