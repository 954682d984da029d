"""Gives an image whose blobs lie on this host to its Docker, and proves that it is whole: the
daemon's own word is not enough. What fails leaves no name behind.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
from typing import Any, Callable

from xgen_deploy.transfer.remote import docker_api
from xgen_deploy.transfer.remote.docker_api import DockerError, ask, named
from xgen_deploy.transfer.remote.image_archive import archive
from xgen_deploy.transfer.remote.image_registry import Registry, Served

INCOMING = "xgen-deploy/incoming"
# Of a container that proves an image and is never started.
PROOF = "xgen-deploy.proof"
_OURS = re.compile(rf"{INCOMING}:.*|127\.0\.0\.1:\d+/[0-9a-f]{{32}}/image[:@].*")


class NotLoaded(Exception):
    """`thin`: layers that were taken to be there may be missing."""

    def __init__(self, text: str, *, thin: bool) -> None:
        super().__init__(text)
        self.thin = thin


def load(image: dict[str, Any], tell: Callable[..., None]) -> None:
    """`image` as in state/transfer.py, ImageLoad. Raises NotLoaded and OSError."""
    name = image["name"]
    try:
        if not _is_whole(image, name):
            tell("loading")
            _take(image, tell)
    except DockerError as error:
        thin = any(not os.path.exists(_place(image, x["blob"])) for x in image["layers"])
        raise NotLoaded(f"Docker did not take {name}: {error}", thin=thin) from None
    _clear(image)
    _sweep()


def _take(image: dict[str, Any], tell: Callable[..., None]) -> None:
    if image["store"] == "containerd":
        try:
            return _pulled(image)
        except DockerError as error:
            tell("note", text=f"Docker does not pull it from here ({error}); it is loaded")
    return _loaded(image)


def _pulled(image: dict[str, Any]) -> None:
    with Registry(image["manifest"]["digest"], _served(image)) as registry:
        target = f"/images/create?fromImage={named(registry.reference)}"
        try:
            docker_api.send(target)
            _prove(image, registry.reference)
        except DockerError as error:
            if registry.missed:
                raise DockerError(f"it lacks {registry.missed[0][:19]}") from None
            raise error
        finally:
            _untag(registry.reference)


def _loaded(image: dict[str, Any]) -> None:
    """Under a name of our own until it is proved, so that a broken one never has the other."""
    name = f"{INCOMING}:{image['config']['digest'][7:19]}"
    try:
        pieces = archive(image, name, f"docker.io/{name}")
        docker_api.send("/images/load?quiet=1", pieces)
        _prove(image, name)
    finally:
        _untag(name)


def _prove(image: dict[str, Any], reference: str) -> None:
    """It has the layers, a container can be made of it, and it gets its name."""
    seen = docker_api.image(reference)
    if seen is None:
        raise DockerError("it reports success, and the image is not there")
    if not _has_layers(image, seen):
        raise DockerError("it has other layers than were sent")
    body = {"Image": seen["Id"], "Cmd": ["-"], "NetworkDisabled": True, "Labels": {PROOF: ""}}
    made = ask("POST", "/containers/create", body)
    if made is None:
        raise DockerError("no container can be made of it")
    ask("DELETE", f"/containers/{made['Id']}?force=1&v=1")
    repository, tag = _split(image["name"])
    ask("POST", f"/images/{named(seen['Id'])}/tag?repo={named(repository)}&tag={named(tag)}")


def _is_whole(image: dict[str, Any], name: str) -> bool:
    """Another apply may have brought it meanwhile."""
    seen = docker_api.image(name)
    return (
        seen is not None
        and seen.get("Id") in (image["config"]["digest"], image["manifest"]["digest"])
        and _has_layers(image, seen)
    )


def _has_layers(image: dict[str, Any], seen: dict[str, Any]) -> bool:
    layers = (seen.get("RootFS") or {}).get("Layers") or []
    return bool(layers == [layer["diff_id"] for layer in image["layers"]])


def _untag(reference: str) -> None:
    with contextlib.suppress(DockerError):
        ask("DELETE", f"/images/{named(reference)}?noprune=0")


def _served(image: dict[str, Any]) -> dict[str, Served]:
    blobs = [image["manifest"], image["config"], *(layer["blob"] for layer in image["layers"])]
    return {b["digest"]: Served(_place(image, b), b["media_type"]) for b in blobs}


def _place(image: dict[str, Any], blob: dict[str, Any]) -> str:
    folder: str = image["folder"]
    return os.path.join(folder, blob["digest"].partition(":")[2])


def _clear(image: dict[str, Any]) -> None:
    """The blobs, and what an earlier one left that was given up."""
    folder = image["folder"]
    for name in os.listdir(folder):
        with contextlib.suppress(OSError):
            os.unlink(os.path.join(folder, name))
    with contextlib.suppress(OSError):
        os.rmdir(folder)


def _sweep() -> None:
    """What a cut left: containers that were a proof, and our own names of images that have one."""
    with contextlib.suppress(DockerError):
        only = named(json.dumps({"label": [PROOF], "status": ["created"]}))
        for container in ask("GET", f"/containers/json?all=1&filters={only}") or ():
            ask("DELETE", f"/containers/{container['Id']}?force=1&v=1")
        for image in ask("GET", "/images/json") or ():
            names = {*(image.get("RepoTags") or ()), *(image.get("RepoDigests") or ())}
            ours = {name for name in names if _OURS.fullmatch(name)}
            if names - ours - {"<none>:<none>", "<none>@<none>"}:
                for name in ours:
                    _untag(name)


def _split(name: str) -> tuple[str, str]:
    repository, colon, tag = name.rpartition(":")
    return (repository, tag) if colon and "/" not in tag else (name, "latest")
