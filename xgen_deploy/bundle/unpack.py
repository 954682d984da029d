"""Takes the files out of a bundle: wheels, packages, the manifest. Models stay in it."""

import os
from collections.abc import Iterator
from pathlib import Path

from xgen_deploy.bundle.index import CHUNK
from xgen_deploy.bundle.read import Bundle
from xgen_deploy.errors import UsageError, XgenError
from xgen_deploy.transfer.local_file import chunk_of, digested

_PIECE = 1 << 20


def unpack(bundle: Bundle, folder: Path) -> Iterator[str]:
    """Into a new or an empty folder, each file proved; their names. Raises XgenError, OSError."""
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UsageError(f"{folder} is not empty; name a new folder")
    members = [(part.file.path, part.file.sha256) for part in bundle.index.files]
    members += [(f"manifest/{m.path}", m.sha256) for m in bundle.index.manifest.files]
    for name, sha256 in members:
        if not bundle.has(sha256):
            continue
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        _write(bundle, sha256, path)
        yield name


def _write(bundle: Bundle, sha256: str, path: Path) -> None:
    stored, blob = bundle.stored(sha256)
    draft = path.with_name(path.name + ".part")
    with draft.open("xb") as file:
        for number in range(-(-blob.size // CHUNK)):
            for piece in chunk_of(stored, number, blob.size, piece=_PIECE):
                file.write(piece)
        file.flush()
        os.fsync(file.fileno())
    if digested(draft).sha256 != sha256:
        draft.unlink()
        raise XgenError(
            f"{path.name} is damaged in {bundle.path.name}; `xgen-deploy bundle verify` says where"
        )
    draft.replace(path)
