"""Images of this machine on their way to hosts: read once into a cache, from archives or from its
Docker.
"""

import json
import os
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Protocol, TypeVar

from pydantic import TypeAdapter, ValidationError

from xgen_deploy.files.image_blobs import looked_for
from xgen_deploy.frozen import Frozen
from xgen_deploy.images.archive import read_archive
from xgen_deploy.images.oci_layout import ImageError, OciLayout
from xgen_deploy.images.this_docker import Login, ThisDocker
from xgen_deploy.state.facts import PushedImage
from xgen_deploy.state.oci_image import OciImage

_BYTES = 16 << 20
_DAY = 86400.0
T = TypeVar("T")


class Images(Protocol):
    """What has images for hosts. `archive` is a file of this machine, None: its Docker."""

    def looked_for(self, name: str, archive: str | None) -> PushedImage:
        """Enough to see whether a host has it. Raises ImageError."""

    def image(self, name: str, archive: str | None) -> OciImage:
        """Raises ImageError."""

    def here(self, digest: str) -> str | None:
        """Where a blob of such an image lies on this machine; None: it is in a bundle. Raises
        ImageError where it is not."""

    def origin(self, archive: str | None) -> str:
        """For the reader."""


class _Known(Frozen):
    """What was read last: `state` tells whether it still is the same."""

    state: str
    manifest: str


_ALL = TypeAdapter(dict[str, _Known])


class LocalImages:
    """`folder` is a cache: what is lost there is read again."""

    def __init__(self, folder: Path) -> None:
        self._layout = OciLayout(folder)
        self._path = folder / "known.json"
        self._docker = ThisDocker()
        self._errors: dict[tuple[str, str | None], ImageError] = {}

    def looked_for(self, name: str, archive: str | None) -> PushedImage:
        if archive is not None:
            return looked_for(self.image(name, archive))
        return self._once(name, None, lambda: self._docker.looked_for(name))

    def image(self, name: str, archive: str | None) -> OciImage:
        return self._once(name, archive, lambda: self._image(name, archive))

    def here(self, digest: str) -> str:
        return str(self._layout.blob(digest))

    def origin(self, archive: str | None) -> str:
        return archive or "this machine's Docker"

    def registry_digest(self, name: str, archive: str | None) -> str | None:
        """Of an image that this machine's Docker has from a registry. Raises ImageError."""
        if archive is not None:
            return None
        return self._once(name, None, lambda: self._docker.registry_digest(name))

    def pulled(self, name: str, login: Login | None) -> OciImage:
        """This machine's Docker gets it from its registry. Raises ImageError."""
        self._docker.pull(name, login)
        self._errors.pop((name, None), None)
        return self.image(name, None)

    def _once(self, name: str, archive: str | None, ask: Callable[[], T]) -> T:
        """What failed is not tried again in this run."""
        if (failed := self._errors.get((name, archive))) is not None:
            raise failed
        try:
            return ask()
        except ImageError as error:
            self._errors[name, archive] = error
            raise
        except OSError as error:
            reason = f"{name} cannot be read into {self._layout.folder}: {error.strerror or error}"
            self._errors[name, archive] = ImageError(reason)
            raise self._errors[name, archive] from None

    def _image(self, name: str, archive: str | None) -> OciImage:
        state = self._docker.id_of(name) if archive is None else _state_of(archive)
        key = f"{name} {archive or ''}"
        known = self._known()
        if (last := known.get(key)) is not None and last.state == state:
            with suppress(ImageError):
                return self._layout.image(last.manifest)
        if archive is None:
            image = self._docker.read(name, self._layout)
        else:
            image = read_archive(Path(archive), self._layout, name)
        self._remember({**known, key: _Known(state=state, manifest=image.manifest.digest)})
        return image

    def _known(self) -> dict[str, _Known]:
        with suppress(OSError, ValidationError):
            if self._path.stat().st_size <= _BYTES:
                return _ALL.validate_json(self._path.read_bytes())
        return {}

    def _remember(self, known: dict[str, _Known]) -> None:
        with suppress(OSError):
            draft = self._path.with_name(f"{self._path.name}.{os.getpid()}")
            draft.write_text(json.dumps({k: v.model_dump() for k, v in known.items()}))
            draft.replace(self._path)
            self._drop_all_but(known)

    def _drop_all_but(self, known: dict[str, _Known]) -> None:
        """Blobs of earlier versions; not those that another run may be reading in."""
        needed: set[str] = set()
        for entry in known.values():
            with suppress(ImageError):
                image = self._layout.image(entry.manifest)
                layers = (layer.blob for layer in image.layers)
                needed |= {b.sha256 for b in (image.manifest, image.config, *layers)}
        for path in self._layout.blob("").iterdir():
            with suppress(OSError):
                if path.name not in needed and path.stat().st_mtime < time.time() - _DAY:
                    path.unlink()


def _state_of(archive: str) -> str:
    try:
        status = Path(archive).stat()
    except OSError as error:
        raise ImageError(f"{archive} cannot be read: {error.strerror}") from None
    return f"{status.st_size} {status.st_mtime_ns} {status.st_ino}"
