"""What a model's source has now: its files with their digests, each source asked once a run."""

from collections.abc import Callable
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path
from typing import Literal, NamedTuple, Protocol, runtime_checkable

from pydantic import ValidationError

from xgen_deploy.hub.allowed import is_allowed
from xgen_deploy.hub.asking import HubError, is_commit
from xgen_deploy.hub.header import beginning_here, beginning_of, config_of, gguf_facts
from xgen_deploy.hub.hubs import hub_of
from xgen_deploy.hub.local_digests import LocalDigests
from xgen_deploy.hub.selection import NotSelected, select
from xgen_deploy.state.artifact import Artifact, ArtifactFile
from xgen_deploy.state.facts import GGUFFacts
from xgen_deploy.state.fetch import HUGGING_FACE, MODELSCOPE, FetchSettings
from xgen_deploy.state.source import Source, read_source
from xgen_deploy.state.source_request import Request as Request
from xgen_deploy.transfer.remote.web_source import (
    WEB_PAGE,
    Access,
    Connect,
    Refused,
    Unavailable,
    open_at,
)

_FILE_ITSELF = "State the address that the page's download link leads to."


@dataclass(frozen=True)
class Described:
    """An artifact, and what its files say of the model. `unavailable`: it is known, and cannot be
    brought."""

    artifact: Artifact
    gguf: GGUFFacts | None = None
    config: dict[str, object] | None = None
    config_format: Literal["mistral"] | None = None
    unavailable: HubError | None = None


class Way(NamedTuple):
    """A host that reaches what this machine does not, and how a connection by way of it is made."""

    host: str
    connect: Connect


class Sources(Protocol):
    """What knows models' sources."""

    def describe(self, request: Request) -> Described:
        """Raises HubError."""


@runtime_checkable
class Relayed(Sources, Protocol):
    """Sources that can be asked by way of a host."""

    def by_way_of(self, way: Way) -> "Relayed":
        """For where this machine does not reach them."""


class Catalog:
    """The sources themselves, of one run. `token` is for the hub alone; `proxy` and `ca` (PEM text)
    for all sources. `way` is a host that they are asked by way of."""

    def __init__(
        self,
        settings: FetchSettings,
        access: Access,
        digests: Callable[[], LocalDigests],
        way: Way | None = None,
    ) -> None:
        self._settings, self._access, self._digests, self._way = settings, access, digests, way
        self._plain = access._replace(token=None)
        self._connect = way.connect if way is not None else None
        # What is not TLS a host can read, and change.
        self._open = way is not None and settings.hub.startswith("http://")
        self._hub = hub_of(settings, self._plain if self._open else access, self._connect)
        self._known: dict[Request, Described | HubError] = {}
        self._silent: HubError | None = None

    def by_way_of(self, way: Way) -> "Catalog":
        """The same sources, for where this machine does not reach them."""
        return Catalog(self._settings, self._access, self._digests, way)

    def describe(self, request: Request) -> Described:
        """Raises HubError."""
        known = self._known.get(request)
        if known is None:
            try:
                known = self._describe(request)
            except HubError as error:
                known = error
                if error.unreachable and read_source(request.source).repository:
                    self._silent = error  # nobody waits for it once more
            except ValidationError as error:
                known = HubError(f"{request.source}: {error.errors()[0]['msg']}")
            except (NotSelected, OSError) as error:
                known = HubError(str(error))
            self._known[request] = known
        if isinstance(known, HubError):
            raise known
        return known

    def _describe(self, request: Request) -> Described:
        if request.local is not None:
            return self._local(request, Path(request.local).expanduser())
        source = read_source(request.source)
        self._check_allowed(source)
        if source.repository is None:
            return self._url(request)
        return self._repository(request, source, source.repository)

    def _check_allowed(self, source: Source) -> None:
        if not is_allowed(source, self._settings.allow):
            raise HubError(
                f"`fetch.allow` does not name {source.text}",
                "Add it there, or take another source.",
            )

    def _repository(self, request: Request, source: Source, repository: str) -> Described:
        wanted = request.commit or source.revision or request.revision
        if request.code and not is_commit(wanted):
            raise HubError(
                f"{repository} may bring code (`trust_remote_code: true`), and "
                f"`revision: {wanted}` can change",
                "State the commit that was read as `revision`.",
            )
        if self._silent is not None:
            raise self._silent
        revision = self._hub.revision(repository, wanted)
        files = {f.path: f for f in self._hub.files(repository, revision.commit)}
        chosen = select(list(files), source, patterns=request.patterns, code=request.code)
        artifact = Artifact(
            name=request.source,
            kind="hub",
            origin=origin_name(source, self._settings),
            repository=repository,
            revision=wanted,
            loaded=chosen.loaded,
            commit=revision.commit,
            files=tuple(files[name] for name in chosen.files),
            left_out=chosen.left_out,
            code=chosen.code,
            license=revision.license,
            gated=revision.gated,
            through=self._way.host if self._way is not None else None,
            trusted=self._open,
        )
        _check_digest(artifact, request.sha256)
        return self._read(
            artifact, lambda file: beginning_of(file, self._hub.access, self._connect)
        )

    def _url(self, request: Request) -> Described:
        url = request.source
        if "@" in url.partition("://")[2].partition("/")[0]:
            raise HubError(
                "its address has a login in it, which plans and records would show",
                "Serve it without one, or take it from this machine with `source: {local: ...}`.",
            )
        try:
            answer = open_at(url, self._plain, 0, None, connect=self._connect)
            answer.response.close()
        except Refused as error:
            hint = _FILE_ITSELF if error.code == WEB_PAGE else ""
            raise HubError(f"{url} cannot be read: {error}", hint) from None
        except (Unavailable, OSError, HTTPException) as error:
            reason = f"{url} cannot be read from here: {error}"
            raise HubError(reason, unreachable=True) from None
        if answer.total is None:
            raise HubError(f"{url} does not tell how long it is")
        name = url.partition("?")[0].partition("#")[0].rpartition("/")[2] or "model"
        digest = request.sha256.lower() if request.sha256 else None
        file = ArtifactFile(path=name, size=answer.total, sha256=digest, url=url)
        origin = origin_name(read_source(url), self._settings)
        artifact = Artifact(
            name=request.source,
            kind="url",
            origin=origin,
            files=(file,),
            through=self._way.host if self._way is not None else None,
        )
        return self._read(artifact, lambda file: beginning_of(file, self._plain, self._connect))

    def _local(self, request: Request, path: Path) -> Described:
        paths = [path] if path.is_file() else _files_of(path)
        if not paths:
            raise HubError(f"{path} is not there", "Correct `source: {local: ...}`.")
        base = path.parent if path.is_file() else path
        digests = self._digests()
        files = []
        for each in paths:
            here = digests.of(each)
            name = each.relative_to(base).as_posix()
            files.append(
                ArtifactFile(
                    path=name,
                    size=here.size,
                    sha256=here.sha256,
                    chunks=here.chunks,
                    here=str(each),
                )
            )
        artifact = Artifact(
            name=request.source, kind="local", origin="this machine", files=tuple(files)
        )
        return self._read(artifact, lambda file: beginning_here(base / file.path))

    def _read(
        self, artifact: Artifact, beginning: Callable[..., Callable[[int], bytes]]
    ) -> Described:
        ggufs = [f for f in artifact.files if f.path.endswith(".gguf")]
        if ggufs:
            return Described(artifact, gguf=gguf_facts(beginning(ggufs[0]), len(ggufs)))
        config = config_of(artifact, beginning)
        return Described(artifact, config=config.values, config_format=config.form)


def _files_of(folder: Path) -> list[Path]:
    """Without what is hidden: caches and notes of other tools."""
    files = (p for p in folder.rglob("*") if p.is_file())
    return sorted(
        p for p in files if not any(n.startswith(".") for n in p.relative_to(folder).parts)
    )


def _check_digest(artifact: Artifact, stated: str | None) -> None:
    """The manifest's `sha256`, which is of the file that the engine loads. Raises HubError."""
    alone = artifact.files[0].path if len(artifact.files) == 1 else ""
    known = {file.path: file.sha256 for file in artifact.files}.get(artifact.loaded or alone)
    if stated is not None and known is not None and known != stated.lower():
        raise HubError(
            f"{artifact.origin} has it with the SHA-256 {known}, the manifest says {stated}",
            "Correct `sha256`, or state the `revision` that had it.",
        )


def origin_name(source: Source, settings: FetchSettings) -> str:
    """Of a repository's hub or an address's host, for the reader."""
    if source.repository is None:
        return (source.url or "").partition("://")[2].partition("/")[0]
    named = {HUGGING_FACE: "Hugging Face", MODELSCOPE: "ModelScope"}
    return named.get(settings.hub, settings.hub.partition("://")[2])
