"""A bundle in place of models' sources: what it holds is all that there is."""

import os
from dataclasses import dataclass

from xgen_deploy.bundle.index import ModelPart
from xgen_deploy.bundle.read import Bundle
from xgen_deploy.hub.asking import HubError
from xgen_deploy.hub.catalog import Described, Request
from xgen_deploy.state.transfer import WantedFile
from xgen_deploy.transfer.local_file import Held


@dataclass(frozen=True)
class BundleCatalog:
    """`folder` is that of the manifest in use, by which files of this machine are named."""

    bundle: Bundle
    folder: str

    def describe(self, request: Request) -> Described:
        """Raises HubError where it is not in the bundle."""
        name = self.bundle.path.name
        part = next((p for p in self.bundle.index.models if self._is(p, request)), None)
        if part is None:
            raise HubError(
                f"{name} does not hold it",
                "Make a bundle of this manifest, or use the manifest that is in the bundle.",
            )
        if request.commit not in (None, part.artifact.commit):
            raise HubError(
                f"{name} holds it at commit {part.artifact.commit}, and {request.commit} is locked",
                "Make a bundle of this manifest with its lock file.",
            )
        return Described(
            part.artifact, part.gguf, part.config, part.config_format, self._left_out(part)
        )

    def held(self, file: WantedFile) -> Held:
        """Raises XgenError where it was left out of the bundle, for the site had it."""
        stored, blob = self.bundle.stored(self._digest(file))
        return Held(stored, blob.chunks)

    def _is(self, part: ModelPart, request: Request) -> bool:
        if request.local is None or part.local is None:
            asked = (request.source, request.revision, request.patterns, request.code)
            same = asked == (part.source, part.revision, part.patterns, part.code)
            return same and (request.local, request.sha256) == (part.local, part.sha256)
        from_folder, whole = part.local
        named = request.local == whole or os.path.relpath(request.local, self.folder) == from_folder
        return part.source == request.source and named

    def _left_out(self, part: ModelPart) -> HubError | None:
        if all(self.bundle.has(digest) for digest in part.blobs):
            return None
        return HubError(
            f"{self.bundle.path.name} was made without it, for a site that has it",
            "Make the bundle without `--have`, or with a newer list of what the site has.",
        )

    def _digest(self, file: WantedFile) -> str:
        """Of small files a hub has only git's digest."""
        if file.sha256 is not None:
            return file.sha256
        for part in self.bundle.index.models:
            for own, digest in zip(part.artifact.files, part.blobs, strict=True):
                if own.sha1 is not None and own.sha1 == file.sha1:
                    return digest
        return ""
