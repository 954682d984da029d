"""The models of a manifest, as files on this machine that go into a bundle."""

import os
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from xgen_deploy.bundle.index import CHUNK, Blob, Member, ModelPart, digest_of
from xgen_deploy.bundle.quantized import to_make
from xgen_deploy.bundle.write import Source
from xgen_deploy.errors import XgenError
from xgen_deploy.files.places import places
from xgen_deploy.frozen import replace
from xgen_deploy.hub.asking import HubError
from xgen_deploy.hub.catalog import Described, Request, Sources
from xgen_deploy.hub.local_digests import LocalDigests, cache_folder
from xgen_deploy.run.engine_archives import archive_requests
from xgen_deploy.run.lacking import wanted_models
from xgen_deploy.state.artifact import Artifact, ArtifactFile
from xgen_deploy.state.have import HostHave
from xgen_deploy.state.site import Site
from xgen_deploy.state.transfer import Access
from xgen_deploy.transfer.host_transfer import Tell
from xgen_deploy.transfer.local_store import LocalStore, hugging_face_home


@dataclass
class Blobs:
    """What a bundle is to hold, each content once. `have` is what hosts have: what all have that
    need it is left out."""

    have: Mapping[str, HostHave] = field(default_factory=dict)
    blobs: dict[str, Blob] = field(default_factory=dict)
    sources: dict[str, Source] = field(default_factory=dict)

    def add_text(self, content: bytes) -> str:
        """Its digest."""
        pieces = (content[at : at + CHUNK] for at in range(0, len(content), CHUNK))
        chunks = tuple(digest_of(piece) for piece in pieces)
        blob = Blob(sha256=digest_of(content), size=len(content), chunks=chunks)
        return self._add(blob, content)

    def add_file(self, path: Path, digests: LocalDigests) -> str:
        """Raises OSError."""
        file = digests.of(path)
        return self._add(Blob(sha256=file.sha256, size=file.size, chunks=file.chunks), path)

    def leave_out(self, sha256: str, size: int) -> str:
        """What the site has already."""
        self.blobs.setdefault(sha256, Blob(sha256=sha256, size=size, held=False))
        return sha256

    def is_had(self, sha256: str, hosts: Collection[str]) -> bool:
        return all(host in self.have and sha256 in self.have[host].files for host in hosts)

    def lacks(self, digests: Collection[str], host: str) -> int:
        """Bytes of these that a host has not got."""
        had = self.have[host].files if host in self.have else frozenset[str]()
        return sum(self.blobs[d].size for d in set(digests) if d not in had)

    def layers_had(self, layers: Sequence[str], hosts: Collection[str]) -> int:
        """How many layers of an image, from the first on, all of these hosts have."""
        had = (self.have[h].layers_of(layers) if h in self.have else 0 for h in hosts)
        return min(had, default=0)

    def _add(self, blob: Blob, source: Source) -> str:
        if blob.sha256 not in self.sources:
            self.blobs[blob.sha256] = blob
            self.sources[blob.sha256] = source
        return blob.sha256

    def member(self, path: str, content: bytes) -> Member:
        return Member(path=path, sha256=self.add_text(content))

    def named(self, path: str, sha256: str) -> Member:
        """Of what was added."""
        return Member(path=path, sha256=sha256)


@dataclass
class Collected:
    """`lacking` is what hosts need and nobody brings; `arriving` the bytes that come to a host, by
    folder."""

    models: list[ModelPart] = field(default_factory=list)
    lacking: list[str] = field(default_factory=list)
    arriving: Counter[tuple[str, str]] = field(default_factory=Counter)


@dataclass(frozen=True, kw_only=True)
class Collector:
    """`folder` is the manifest's. Models of a hub come to this machine's own caches first."""

    site: Site
    folder: str
    catalog: Sources
    access: Access
    digests: LocalDigests
    blobs: Blobs
    tell: Callable[[Artifact], Tell]

    def models(self) -> Collected:
        """Raises XgenError where one cannot be had."""
        collected = Collected()
        for request, users in self._requests().items():
            part = self._part(request, users)
            collected.models.append(part)
            for host in users:
                root = self._root(part.artifact, host)
                collected.arriving[host, root] += self.blobs.lacks(part.blobs, host)
        for made in to_make(self.site, self.catalog):
            collected.arriving[made.host, made.root] += made.size
            collected.lacking.append(made.need)
        collected.lacking += _left_to_hosts(self.site)
        return collected

    def _requests(self) -> dict[Request, dict[str, str]]:
        """With the hosts that need it, and an instance of each that loads it."""
        requests: dict[Request, dict[str, str]] = {}
        for host in self.site.hosts.values():
            for wanted in wanted_models(self.site, host):
                requests.setdefault(wanted.request, {}).setdefault(host.name, wanted.instance)
            for request, instance in archive_requests(self.site, host):
                requests.setdefault(request, {}).setdefault(host.name, instance)
        return requests

    def _root(self, artifact: Artifact, host: str) -> str:
        stated = self.site.hosts[host]
        return places(artifact, model_dir=stated.model_dir, hf_home=stated.hf_home).root

    def _part(self, request: Request, users: Mapping[str, str]) -> ModelPart:
        try:
            described = self.catalog.describe(request)
        except HubError as error:
            hint = f"\n  {error.hint}" if error.hint else ""
            host, instance = next(iter(users.items()))
            where = f"{host}/{instance}: {request.source}"
            raise XgenError(f"{where}: {error.reason}{hint}") from None
        store = self._store(described.artifact)
        files = described.artifact.files
        digests = tuple(self._add(file, store, users) for file in files)
        return _model_part(request, described, digests, self.folder)

    def _add(
        self, file: ArtifactFile, store: Callable[[ArtifactFile], Path], hosts: Collection[str]
    ) -> str:
        if file.sha256 is not None and self.blobs.is_had(file.sha256, hosts):
            return self.blobs.leave_out(file.sha256, file.size)
        return self.blobs.add_file(store(file), self.digests)

    def _store(self, artifact: Artifact) -> Callable[[ArtifactFile], Path]:
        """Where its files lie on this machine; they are fetched where they are not here yet."""
        home = str(cache_folder() / "models")
        here = places(artifact, model_dir=home, hf_home=hugging_face_home())
        numbers = {(w.sha256 or w.sha1, w.url): number for number, w in enumerate(here.files)}
        store = LocalStore(here, self.access, artifact.origin, self.tell(artifact))

        def path(file: ArtifactFile) -> Path:
            if file.here is not None:
                return Path(file.here)
            same = (n for (digest, _), n in numbers.items() if digest == (file.sha256 or file.sha1))
            return store.path(numbers.get((file.sha256 or file.sha1, file.url), next(same, 0)))

        return path


def _model_part(
    request: Request, described: Described, digests: tuple[str, ...], folder: str
) -> ModelPart:
    files = tuple(
        replace(file, here=None, chunks=None, sha256=file.sha256 or (None if file.sha1 else digest))
        for file, digest in zip(described.artifact.files, digests, strict=True)
    )
    local = request.local
    return ModelPart(
        source=request.source,
        revision=request.revision,
        patterns=request.patterns,
        code=request.code,
        local=(os.path.relpath(local, folder), local) if local is not None else None,
        sha256=request.sha256,
        artifact=replace(described.artifact, files=files),
        blobs=digests,
        gguf=described.gguf,
        config=described.config,
        config_format=described.config_format,
    )


def _left_to_hosts(site: Site) -> Iterator[str]:
    """Models that the manifest takes from where they lie."""
    for config in site.declared:
        known = {w.instance for w in wanted_models(site, site.hosts[config.host])}
        if config.name not in known:
            yield f"{config.host}/{config.name}: its model, which the manifest leaves to the host"
