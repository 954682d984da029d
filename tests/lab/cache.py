"""Things built once per recipe: a directory that is either whole or not there."""

from __future__ import annotations

import fcntl
import hashlib
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.lab import places


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Two labs starting at once build one thing once."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def built(name: str, recipe: str, build: Callable[[Path], None]) -> Path:
    """The directory for this recipe, built beside its place and renamed when complete."""
    digest = hashlib.sha256(recipe.encode()).hexdigest()[:16]
    place = places.cache_dir() / f"{name}-{digest}"
    with locked(places.cache_dir() / f"{name}.lock"):
        if place.exists():
            return place
        draft = place.with_name(f"{place.name}.draft")
        shutil.rmtree(draft, ignore_errors=True)
        draft.mkdir(parents=True)
        build(draft)
        draft.rename(place)
    return place
