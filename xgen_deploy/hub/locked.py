"""Sources by the word of a lock file: what they meant when it was written, without asking them."""

from collections.abc import Sequence
from pathlib import Path

from xgen_deploy.files.places import content_state
from xgen_deploy.hub.asking import HubError
from xgen_deploy.hub.catalog import Described, Relayed, Request, Way, origin_name
from xgen_deploy.hub.hubs import hub_of
from xgen_deploy.state.artifact import Artifact, ArtifactFile, Kind
from xgen_deploy.state.fetch import FetchSettings
from xgen_deploy.state.lock_file import LockedFile, LockedModel, LockFile
from xgen_deploy.state.source import Source, read_source

_LEFT_OUT = 200


class LockedSources:
    """`sources` are asked where a rollback goes to another commit than the locked one, and for
    files of this machine."""

    def __init__(self, lock: LockFile, settings: FetchSettings, sources: Relayed) -> None:
        self._lock, self._settings, self._sources = lock, settings, sources

    def by_way_of(self, way: Way) -> "LockedSources":
        """The same lock file, over sources that this machine does not reach."""
        return LockedSources(self._lock, self._settings, self._sources.by_way_of(way))

    def describe(self, request: Request) -> Described:
        """Raises HubError."""
        entry = self._lock.entry(request)
        if entry is None or request.commit not in (None, entry.commit):
            if request.commit is not None or request.local is not None:
                return self._sources.describe(request)
            raise HubError("the lock file does not have it", "Run `xgen-deploy lock`.")
        if request.local is not None:
            return self._local(request, entry)
        return Described(
            artifact_of(entry, request, self._settings),
            gguf=entry.gguf,
            config=entry.config,
            config_format=entry.config_format,
        )

    def _local(self, request: Request, entry: LockedModel) -> Described:
        """It has to be here, and the same."""
        described = self._sources.describe(request)
        if content_state(described.artifact) != entry.content:
            raise HubError(
                f"{request.local} is another file than the locked one",
                f"Put that file there, or take this one with `xgen-deploy lock --update "
                f"{request.source}`.",
            )
        return described


def artifact_of(entry: LockedModel, request: Request, settings: FetchSettings) -> Artifact:
    """A locked one is a commit, whatever a branch means by now."""
    source = read_source(entry.source)
    local = entry.local is not None
    kind: Kind = "local" if local else "url" if source.repository is None else "hub"
    return Artifact(
        name=request.source,
        kind=kind,
        origin="this machine" if local else origin_name(source, settings),
        repository=None if local else source.repository,
        revision=entry.commit,
        commit=entry.commit,
        files=tuple(_file(entry, f, source, settings) for f in entry.files),
        loaded=entry.loaded,
        left_out=entry.left_out,
        code=entry.code_files,
        license=entry.license,
        gated=entry.gated,
        trusted=entry.trusted,
    )


def _file(
    entry: LockedModel, file: LockedFile, source: Source, settings: FetchSettings
) -> ArtifactFile:
    url = None
    if entry.local is None and source.repository is not None:
        hub = hub_of(settings)
        url = hub.file_url(source.repository, entry.commit or "", file.path)
    elif entry.local is None:
        url = source.url
    return ArtifactFile(path=file.path, size=file.size, sha256=file.sha256, sha1=file.sha1, url=url)


def entry_of(models: Sequence[str], request: Request, described: Described) -> LockedModel:
    """What a lock file says of a source that was just asked."""
    artifact = described.artifact
    return LockedModel(
        models=tuple(models),
        source=request.source,
        revision=request.revision,
        patterns=request.patterns,
        code=request.code,
        local=None if request.local is None else Path(request.local).name,
        commit=artifact.commit,
        license=artifact.license,
        gated=artifact.gated,
        trusted=artifact.trusted,
        loaded=artifact.loaded,
        files=tuple(
            LockedFile(path=f.path, size=f.size, sha256=f.sha256, sha1=f.sha1)
            for f in artifact.files
        ),
        left_out=artifact.left_out[:_LEFT_OUT],
        code_files=artifact.code,
        gguf=described.gguf,
        config=described.config,
        config_format=described.config_format,
        content=content_state(artifact),
    )
