"""Images out of this machine's own Docker, through its `docker` package."""

import io
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, Any, cast

from xgen_deploy.images.archive import read_stream
from xgen_deploy.images.oci_layout import ImageError, OciLayout
from xgen_deploy.probe.remote.docker_layers import settings
from xgen_deploy.state.facts import PushedImage
from xgen_deploy.state.oci_image import OciImage

_PATIENCE = 600
_HINT = "State an `archive` for it (`docker save` writes one), or start Docker here."


class ThisDocker:
    """Asks the daemon that `docker` on this machine would ask (`DOCKER_HOST`)."""

    def id_of(self, name: str) -> str:
        """Raises ImageError."""
        with _asked(name) as client:
            return str(client.images.get(name).id)

    def looked_for(self, name: str) -> PushedImage:
        """Raises ImageError."""
        with _asked(name) as client:
            return _looked_for(client.images.get(name).attrs, name)

    def read(self, name: str, layout: OciLayout) -> OciImage:
        """The image into the layout. Raises ImageError and OSError."""
        with _asked(name) as client:
            pieces = client.images.get(name).save(named=name)
            stream = io.BufferedReader(cast(io.RawIOBase, _Pieces(iter(pieces))))
            return read_stream(cast(IO[bytes], stream), layout, name)


def _looked_for(seen: dict[str, Any], name: str) -> PushedImage:
    config = seen.get("Config") or {}
    layers = (seen.get("RootFS") or {}).get("Layers") or ()
    try:
        return PushedImage(
            ids=(seen["Id"],), settings=settings(config), layers=tuple(map(str, layers))
        )
    except (KeyError, TypeError, ValueError):
        raise ImageError(f"this machine's Docker tells nothing usable of {name}") from None


@contextmanager
def _asked(name: str) -> Iterator[Any]:
    try:
        import docker  # takes long, and is seldom needed
        import requests
    except ImportError:
        raise ImageError(
            f"{name} cannot be had from this machine's Docker: Python's `docker` is not installed",
            f"`pip install docker`. {_HINT}",
        ) from None
    try:
        client = docker.from_env(timeout=_PATIENCE)
        try:
            yield client
        finally:
            client.close()
    except docker.errors.ImageNotFound:
        raise ImageError(
            f"this machine's Docker has no image {name}",
            "Build or pull it here, or state an `archive` for it.",
        ) from None
    except (docker.errors.DockerException, requests.exceptions.RequestException) as error:
        reason = " ".join(str(error).split())[:300]
        raise ImageError(f"this machine's Docker does not give {name}: {reason}", _HINT) from None


class _Pieces(io.RawIOBase):
    """An iterator of bytes as a stream."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces, self._rest = pieces, b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self._rest:
            piece = next(self._pieces, None)
            if piece is None:
                return 0
            self._rest = piece
        count = min(len(buffer), len(self._rest))
        buffer[:count] = self._rest[:count]
        self._rest = self._rest[count:]
        return count
