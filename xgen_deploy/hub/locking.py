"""A lock file made from what a manifest's sources say now, and what moved since the last one."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from xgen_deploy.files.places import places
from xgen_deploy.frozen import replace
from xgen_deploy.hub.asking import HubError
from xgen_deploy.hub.catalog import Described, Sources
from xgen_deploy.hub.local_digests import LocalDigests, cache_folder
from xgen_deploy.hub.locked import entry_of
from xgen_deploy.state.lock_file import LockedFile, LockedModel, LockFile
from xgen_deploy.state.source_request import Request

Verdict = Literal["added", "kept", "same", "moved", "removed"]


@dataclass(frozen=True)
class Change:
    """Of one source: `kept` was not asked, `same` was asked and is what it was. `before` is None of
    an added one, `now` of a removed one; `entry` is the newer that there is."""

    verdict: Verdict
    entry: LockedModel
    before: LockedModel | None

    @property
    def now(self) -> LockedModel | None:
        return None if self.verdict == "removed" else self.entry


@dataclass(frozen=True)
class FileChange:
    """None: it is not there."""

    path: str
    before: LockedFile | None
    now: LockedFile | None


class NotLocked(Exception):
    """A source cannot be asked."""

    def __init__(self, request: Request, error: HubError) -> None:
        super().__init__(error.reason)
        self.request, self.reason, self.hint = request, error.reason, error.hint


def relocked(
    old: LockFile,
    requests: Mapping[Request, Sequence[str]],
    asked: Callable[[LockedModel | None, Sequence[str]], bool],
    sources: Sources,
) -> tuple[Change, ...]:
    """`requests` are the manifest's, each with the models that load from it; `asked` tells which
    sources are asked, by their entry and models. Raises NotLocked."""
    changes = []
    for request, models in requests.items():
        before = old.entry(request)
        if before is not None and not asked(before, models):
            changes.append(Change("kept", replace(before, models=tuple(models)), before))
        elif before is not None or asked(before, models):
            changes.append(_change(before, _asked(request, models, sources)))
    taken = {id(c.before) for c in changes}
    gone = (entry for entry in old.models if id(entry) not in taken)
    return (*changes, *(Change("removed", entry, entry) for entry in gone))


def _change(before: LockedModel | None, now: LockedModel) -> Change:
    if before is None:
        return Change("added", now, None)
    same = (before.commit, before.files) == (now.commit, now.files)
    return Change("same" if same else "moved", now, before)


def _asked(request: Request, models: Sequence[str], sources: Sources) -> LockedModel:
    """Raises NotLocked."""
    try:
        described = sources.describe(request)
    except HubError as error:
        raise NotLocked(request, error) from None
    if described.artifact.kind == "url":
        described = _with_own_digest(described)
    return entry_of(models, request, described)


def _with_own_digest(described: Described) -> Described:
    """An address tells no digest: where this machine fetched the file, that copy's is taken."""
    artifact = described.artifact
    (file,) = artifact.files
    if file.sha256 is not None:
        return described
    here = places(artifact, model_dir=str(cache_folder() / "models"), hf_home="").files[0].place
    try:
        copy = LocalDigests(cache_folder()).of(Path(here))
    except OSError:
        return described
    if copy.size != file.size:
        return described
    known = replace(file, sha256=copy.sha256)
    return Described(replace(artifact, files=(known,)), described.gguf, described.config)


def file_changes(before: LockedModel | None, now: LockedModel | None) -> tuple[FileChange, ...]:
    """The files that are not what they were."""
    old = {f.path: f for f in before.files} if before is not None else {}
    new = {f.path: f for f in now.files} if now is not None else {}
    paths = dict.fromkeys((*old, *new))
    return tuple(
        FileChange(path, old.get(path), new.get(path))
        for path in paths
        if old.get(path) != new.get(path)
    )


def by_length(entry: LockedModel) -> bool:
    """Whether no digest is known of some file."""
    return any(f.sha256 is None and f.sha1 is None for f in entry.files)
