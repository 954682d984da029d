"""Small images, and archives of them in every form that a site may have."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import tarfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from xgen_deploy.state.oci_image import CONFIG, LAYER, MANIFEST


@dataclass(frozen=True)
class MadeImage:
    """`layers` are tars."""

    layers: tuple[bytes, ...]
    config: bytes
    tag: str = "site/engine:1"

    @property
    def diff_ids(self) -> list[str]:
        return [sha(layer) for layer in self.layers]


def sha(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def layer(name: str, content: bytes) -> bytes:
    return _tar({name: content})


def image(*layers: bytes, tag: str = "site/engine:1", **settings: Any) -> MadeImage:
    config = {
        "architecture": "amd64",
        "os": "linux",
        "created": "2026-01-01T00:00:00Z",
        "config": {"Entrypoint": ["/engine"], "User": "1000", **settings},
        "rootfs": {"type": "layers", "diff_ids": [sha(layer) for layer in layers]},
    }
    return MadeImage(layers, json.dumps(config).encode(), tag)


def two_layers(tag: str = "site/engine:1", note: bytes = b"new") -> MadeImage:
    return image(layer("base", b"base" * 5000), layer("engine", note * 100), tag=tag)


def legacy(made: MadeImage) -> bytes:
    """As `docker save` wrote before 25: a folder for each layer."""
    files = {f"{i}abc/layer.tar": content for i, content in enumerate(made.layers)}
    name = f"{sha(made.config)[7:]}.json"
    saved = [{"Config": name, "RepoTags": [made.tag], "Layers": list(files)}]
    return _tar({**files, name: made.config, "manifest.json": json.dumps(saved).encode()})


def oci(made: MadeImage, *, zipped: bool = False, tag: str | None = "") -> bytes:
    """An OCI layout, as newer Dockers, podman and skopeo write it."""
    stored = [gzip.compress(x, mtime=0) if zipped else x for x in made.layers]
    kind = f"{LAYER}+gzip" if zipped else LAYER
    manifest = json.dumps(
        {
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": _entry(made.config, CONFIG),
            "layers": [_entry(x, kind) for x in stored],
        }
    ).encode()
    name = {"io.containerd.image.name": f"docker.io/{tag or made.tag}"}
    entry = {**_entry(manifest, MANIFEST), "annotations": name if tag is not None else {}}
    index = {"schemaVersion": 2, "manifests": [entry]}
    blobs = {f"blobs/sha256/{sha(x)[7:]}": x for x in (*stored, made.config, manifest)}
    return _tar(
        {
            **blobs,
            "oci-layout": b'{"imageLayoutVersion":"1.0.0"}',
            "index.json": json.dumps(index).encode(),
        }
    )


def write(folder: Path, content: bytes, name: str = "image.tar") -> Path:
    path = folder / name
    path.write_bytes(content)
    return path


def _entry(content: bytes, kind: str) -> dict[str, Any]:
    return {"mediaType": kind, "digest": sha(content), "size": len(content)}


def _tar(files: dict[str, bytes]) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as tar:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return stream.getvalue()
