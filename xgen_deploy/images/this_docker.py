"""Images out of this machine's own Docker, through its `docker` package."""

import io
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, Any, cast

from xgen_deploy.images.archive import read_stream
from xgen_deploy.images.oci_layout import ImageError, OciLayout
from xgen_deploy.probe.remote.docker_layers import settings
from xgen_deploy.state.facts import PushedImage
from xgen_deploy.state.image_name import full_name
from xgen_deploy.state.oci_image import OciImage, is_digest

_PATIENCE = 3600
_HINT = "State an `archive` for it (`docker save` writes one), or start Docker here."


Login = tuple[str, str]


class NotHere(ImageError):
    """This machine's Docker has none of this name."""


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

    def registry_digest(self, name: str) -> str | None:
        """None where it comes from no registry. Raises ImageError."""
        with _asked(name) as client:
            attributes = client.images.get(name).attrs
        repository = full_name(name).rpartition(":")[0]
        for known in attributes.get("RepoDigests") or ():
            at, _, digest = str(known).partition("@")
            if full_name(at).removesuffix(":latest") == repository and is_digest(digest):
                return digest
        return None

    def pull(self, name: str, login: Login | None) -> None:
        """`login` is a user and a password; None: as `docker login` left it. Raises ImageError."""
        stated = dict(zip(("username", "password"), login, strict=True)) if login else None
        try:
            with _asked(name) as client:
                pulled = client.api.pull(
                    full_name(name), stream=True, decode=True, auth_config=stated
                )
                errors = [str(said["error"]) for said in pulled if "error" in said]
        except NotHere:
            errors = ["its registry has none of this name that this login may read"]
        if errors:
            reason = " ".join(errors[0].split())[:300]
            raise ImageError(f"this machine's Docker does not pull {name}: {reason}")

    def read(self, name: str, layout: OciLayout) -> OciImage:
        """The image into the layout. Raises ImageError and OSError."""
        with _asked(name) as client:
            pieces = client.api.get_image(name)
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
    except docker.errors.NotFound:
        raise NotHere(
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
