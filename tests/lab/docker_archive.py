"""A container image as `docker load` reads it, written without a Docker daemon.

The same layer gives the same image ID on every host, as a registry would.
"""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from pathlib import Path

_EPOCH = "1970-01-01T00:00:00Z"


def write(layer: Path, archive: Path, tag: str, entrypoint: list[str], note: str = "") -> str:
    """Write the archive and return the image ID; another `note` makes another image."""
    diff_id = "sha256:" + _digest(layer)
    config = {
        "architecture": "amd64",
        "os": "linux",
        "created": _EPOCH,
        "config": {"Entrypoint": entrypoint, "Env": ["PATH=/usr/sbin:/usr/bin:/sbin:/bin"]},
        "rootfs": {"type": "layers", "diff_ids": [diff_id]},
        "history": [{"created": _EPOCH, "comment": note}],
    }
    config_bytes = json.dumps(config, sort_keys=True).encode()
    image = hashlib.sha256(config_bytes).hexdigest()
    manifest = [{"Config": f"{image}.json", "RepoTags": [tag], "Layers": ["layer.tar"]}]
    with tarfile.open(archive, "w") as tar:
        _add(tar, "manifest.json", json.dumps(manifest).encode())
        _add(tar, f"{image}.json", config_bytes)
        tar.add(layer, arcname="layer.tar")
    return f"sha256:{image}"


def _digest(path: Path) -> str:
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def _add(tar: tarfile.TarFile, name: str, content: bytes) -> None:
    entry = tarfile.TarInfo(name)
    entry.size = len(content)
    tar.addfile(entry, io.BytesIO(content))
