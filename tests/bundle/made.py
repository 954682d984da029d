"""A small bundle, and keys to sign it with."""

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

import yaml

from tests.cli.call import Capsys, call
from xgen_deploy.bundle.collect import Blobs
from xgen_deploy.bundle.index import FilePart, Index, ManifestPart
from xgen_deploy.bundle.read import Bundle, open_bundle
from xgen_deploy.bundle.signature import sign
from xgen_deploy.bundle.write import Written, write_bundle
from xgen_deploy.hub.local_digests import LocalDigests

MANIFEST = b"project: p\nmodels: {}\nhosts: {}\n"


def new_key(folder: Path, name: str = "key") -> Path:
    path = folder / name
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(path)], check=True)
    return path


def allowed(folder: Path, *keys: Path) -> Path:
    path = folder / "allowed"
    lines = [
        f"{key.name}@example.org {key.with_name(key.name + '.pub').read_text()}" for key in keys
    ]
    path.write_text("".join(lines))
    return path


def content(folder: Path, size: int) -> Path:
    path = folder / f"content-{size}"
    path.write_bytes(os.urandom(size))
    return path


def index_of(folder: Path, files: list[Path], serial: int = 1) -> tuple[Index, Blobs]:
    blobs = Blobs()
    member = blobs.member("xgen.yaml", MANIFEST)
    digests = LocalDigests(folder / "cache")
    parts = []
    for path in files:
        digest = blobs.add_file(path, digests)
        named = member.model_copy(update={"path": path.name, "sha256": digest})
        parts.append(FilePart(kind="package", file=named))
    index = Index(
        project="p",
        serial=serial,
        created="2026-11-26T08:00:00Z",
        tool="0.2.0",
        manifest=ManifestPart(main="xgen.yaml", files=(member,)),
        files=tuple(parts),
        blobs=tuple(blobs.blobs.values()),
        volumes=(0,),
    )
    return index, blobs


def make(
    folder: Path, files: list[Path], key: Path | None = None, volume_size: int | None = None
) -> Written:
    index, blobs = index_of(folder, files)
    signing = None if key is None else lambda c: sign(c, str(key))
    output = folder / "site.xgen"
    return write_bundle(index, blobs.sources, output, sign=signing, volume_size=volume_size)


class Outside:
    """Where bundles are made, with caches of its own."""

    def __init__(self, capsys: Capsys, folder: Path) -> None:
        self._capsys = capsys
        self.manifest, self.output = folder / "site.yaml", folder / "site.xgen"

    def write(self, values: Mapping[str, object]) -> None:
        self.manifest.write_text(yaml.safe_dump(dict(values)))

    def change(self, **values: object) -> None:
        """None: without it."""
        stated = {**yaml.safe_load(self.manifest.read_text()), **values}
        self.write({key: value for key, value in stated.items() if value is not None})

    def create(self, *words: str) -> tuple[int, str]:
        return self.run("bundle", "create", str(self.manifest), "-o", str(self.output), *words)

    def made(self, *words: str) -> Bundle:
        code, said = self.create(*words)
        assert code == 0, said
        return open_bundle(str(self.output), None)

    def run(self, *words: str) -> tuple[int, str]:
        return call(self._capsys, *words)
