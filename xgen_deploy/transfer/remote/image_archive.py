"""An archive as `docker load` takes it, of any version and store, written while it is read: an OCI
layout with Docker's own `manifest.json`, without the layers that the host has.
"""

from __future__ import annotations

import io
import json
import os
import tarfile
from typing import Any, Iterator

PIECE = 1 << 20
CONTAINERD_NAME = "io.containerd.image.name"
OCI_NAME = "org.opencontainers.image.ref.name"


def archive(image: dict[str, Any], name: str, full_name: str) -> Iterator[bytes]:
    """`image` as in state/transfer.py, ImageLoad; `name` is what it is called once it is loaded."""
    manifest = {key: image["manifest"][key] for key in ("digest", "size")}
    manifest["mediaType"] = image["manifest"]["media_type"]
    manifest["annotations"] = {CONTAINERD_NAME: full_name, OCI_NAME: full_name.rpartition(":")[2]}
    layers = [_path(layer["blob"]["digest"]) for layer in image["layers"]]
    saved = {"Config": _path(image["config"]["digest"]), "RepoTags": [name], "Layers": layers}
    documents = {
        "oci-layout": {"imageLayoutVersion": "1.0.0"},
        "index.json": {"schemaVersion": 2, "manifests": [manifest]},
        "manifest.json": [saved],
    }
    for path, value in documents.items():
        content = json.dumps(value).encode()
        yield _head(path, len(content))
        yield _padded(content)
    blobs = [image["manifest"], image["config"], *(layer["blob"] for layer in image["layers"])]
    for digest in dict.fromkeys(blob["digest"] for blob in blobs):
        yield from _blob(digest, os.path.join(image["folder"], digest.partition(":")[2]))
    yield b"\0" * 1024


def _blob(digest: str, place: str) -> Iterator[bytes]:
    """Nothing where the file is not there: the daemon has that layer."""
    if not os.path.exists(place):
        return
    with open(place, "rb", buffering=0) as file:
        size = os.fstat(file.fileno()).st_size
        yield _head(_path(digest), size)
        left = size
        while left:
            piece = file.read(min(PIECE, left))
            if not piece:
                raise OSError(f"{place} got shorter while it was read")
            left -= len(piece)
            yield piece
        yield b"\0" * (-size % 512)


def _path(digest: str) -> str:
    return "blobs/" + digest.replace(":", "/")


def _head(path: str, size: int) -> bytes:
    member = tarfile.TarInfo(path)
    member.size, member.mode = size, 0o644
    return member.tobuf(tarfile.GNU_FORMAT)


def _padded(content: bytes) -> bytes:
    out = io.BytesIO()
    out.write(content)
    out.write(b"\0" * (-len(content) % 512))
    return out.getvalue()
