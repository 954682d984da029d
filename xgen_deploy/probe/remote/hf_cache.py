"""The local Hugging Face cache."""

from __future__ import annotations

import os
import re

from xgen_deploy.probe.remote.reading import read_text

_REPOSITORY = re.compile(r"^\w[\w.-]*/\w[\w.-]*$")
_PREFIX = "models--"
_SHORT_COMMIT = re.compile(r"^[0-9a-f]{7,39}$")
_SHOWN = 5


class Missing(Exception):
    """A model that is not on the host; `path` is where it would be."""

    def __init__(self, path: str | None, problem: str) -> None:
        super().__init__(problem)
        self.path = path


class Several(Exception):
    """More than one file may be meant; `choices` is how a manifest would name each."""

    def __init__(self, path: str, problem: str, choices: list[str]) -> None:
        super().__init__(problem)
        self.path = path
        self.choices = choices


def snapshot(
    places: tuple[str, str], repository: str, revision: str, any_revision: bool
) -> tuple[str, str | None]:
    """The folder of one revision: below `hub/` or, in an older layout, right in `hf_home`; and its
    commit, where that is not what was asked for. `places` are hf_home and model_dir.

    Raises Missing, and ValueError where the name can be no repository's.
    """
    if not _REPOSITORY.match(repository) or ".." in revision.split("/"):
        raise ValueError(f"`{repository}` is neither an absolute path, a URL nor org/name")
    hf_home = places[0]
    name = _PREFIX + repository.replace("/", "--")
    held: dict[str, str] = {}
    known = False
    for folder in (os.path.join(hf_home, "hub", name), os.path.join(hf_home, name)):
        reference = read_text(os.path.join(folder, "refs", revision))
        path = os.path.join(folder, "snapshots", (reference or revision).strip())
        if os.path.isdir(path):
            return path, None
        known = known or reference is not None
        held.update(_held(folder))
    meant = [c for c in held if _SHORT_COMMIT.match(revision) and c.startswith(revision)]
    if any_revision and not known:
        meant = meant or list(held)
    if len(meant) == 1:
        return held[meant[0]], meant[0]
    place = os.path.join(hf_home, "hub", name)
    others = _revisions(held) if held else _elsewhere(places, repository)
    raise Missing(place, f"is not in the local Hugging Face cache (revision {revision}){others}")


def _held(folder: str) -> dict[str, str]:
    """Commit -> the folder of its files."""
    snapshots = os.path.join(folder, "snapshots")
    return {name: os.path.join(snapshots, name) for name in _names(snapshots)}


def _revisions(held: dict[str, str]) -> str:
    names: list[str] = []
    for commit, path in sorted(held.items()):
        refs = os.path.join(os.path.dirname(os.path.dirname(path)), "refs")
        called = [
            n for n in _names(refs) if (read_text(os.path.join(refs, n)) or "").strip() == commit
        ]
        names.append(called[0] if called else commit[:12])
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return "; it is there in revision " + ", ".join(names[:_SHOWN]) + more


def _elsewhere(places: tuple[str, str], repository: str) -> str:
    """A clause about a copy of the repository, or one of nearly the same name."""
    hf_home, model_dir = places
    for copy in (repository, repository.rpartition("/")[2]):
        path = os.path.join(model_dir, copy)
        if os.path.isdir(path):
            return f"; {path} is there: name that path, if it is the same"
    cached = [
        name[len(_PREFIX) :].replace("--", "/", 1)
        for folder in (os.path.join(hf_home, "hub"), hf_home)
        for name in _names(folder)
        if name.startswith(_PREFIX)
    ]
    near = [c for c in cached if c.lower() == repository.lower()]
    from difflib import get_close_matches  # only where something is missing

    near = near or get_close_matches(repository, cached, n=3, cutoff=0.7)
    return f"; the cache has {', '.join(near)}" if near else ""


def _names(folder: str) -> list[str]:
    try:
        return sorted(os.listdir(folder))
    except OSError:
        return []
