"""Reads an image out of an archive into a layout: what `docker save` and `podman save` write (of
any version), and OCI archives; plain, or compressed with gzip, zstd or others.
"""

import json
import posixpath
import re
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Annotated

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from xgen_deploy.bounded_json import read_json
from xgen_deploy.images.compression import layer_type, opened
from xgen_deploy.images.oci_layout import DOCUMENT, ImageError, OciLayout, read_index
from xgen_deploy.state.image_name import full_name
from xgen_deploy.state.oci_image import CONFIG, MANIFEST, MOST_LAYERS, OciImage

_BLOB = re.compile(r"(?:\./)?blobs/sha256/([0-9a-f]{64})")
_PIECE = 1 << 20
_MOST_MEMBERS = 100_000


class _Saved(BaseModel):
    """One image of a `manifest.json`."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    config: str = Field(alias="Config")
    tags: tuple[str, ...] | None = Field(default=None, alias="RepoTags")
    layers: Annotated[tuple[str, ...], Field(max_length=MOST_LAYERS, alias="Layers")]


_MANIFEST_JSON = TypeAdapter(tuple[_Saved, ...])


@dataclass
class _Contents:
    """Of an archive: path -> digest of its stored content, and size of the same."""

    digests: dict[str, str] = field(default_factory=dict)
    sizes: dict[str, int] = field(default_factory=dict)
    documents: dict[str, bytes] = field(default_factory=dict)


def read_archive(archive: Path, layout: OciLayout, name: str) -> OciImage:
    """The image `name` of the archive, or the only one in it. Raises ImageError."""
    try:
        with archive.open("rb") as file:
            return read_stream(file, layout, name)
    except ImageError as error:
        raise ImageError(f"{archive}: {error}", error.hint) from None
    except OSError as error:
        raise ImageError(f"{archive} cannot be read: {error.strerror or error}") from None


def read_stream(stream: IO[bytes], layout: OciLayout, name: str) -> OciImage:
    """The same, read once from its beginning to its end. Raises ImageError and OSError."""
    contents = _Contents()
    try:
        with opened(stream) as plain, tarfile.open(fileobj=plain, mode="r|") as tar:
            for count, member in enumerate(tar):
                if count > _MOST_MEMBERS:
                    raise ImageError(f"it has more than {_MOST_MEMBERS} entries")
                _take(tar, member, layout, contents)
    except (tarfile.TarError, EOFError) as error:
        raise ImageError(f"it is no archive of an image, or not all of one: {error}") from None
    if "index.json" in contents.documents:
        return layout.image(_of_index(contents.documents["index.json"], name))
    if "manifest.json" in contents.documents:
        return _of_saved(contents, layout, name)
    raise ImageError("it is no archive of an image: it has neither index.json nor manifest.json")


def _take(
    tar: tarfile.TarFile, member: tarfile.TarInfo, layout: OciLayout, contents: _Contents
) -> None:
    path = posixpath.normpath(member.name)
    if member.issym() or member.islnk():  # older Dockers link to a layer that two images have
        base = posixpath.dirname(path) if member.issym() else ""
        target = posixpath.normpath(posixpath.join(base, member.linkname))
        if target in contents.digests:
            contents.digests[path] = contents.digests[target]
        return
    file = tar.extractfile(member) if member.isfile() else None
    if file is None:
        return
    if path in ("index.json", "manifest.json", "oci-layout", "repositories"):
        contents.documents[path] = file.read(DOCUMENT)
        return
    stated = _BLOB.fullmatch(path)
    digest = f"sha256:{stated[1]}" if stated else None
    if digest is None or not layout.blob(digest).exists():
        digest, _ = layout.add(_pieces(file), digest)
    contents.digests[path] = digest
    contents.sizes[digest] = member.size


def _pieces(file: IO[bytes]) -> Iterator[bytes]:
    while piece := file.read(_PIECE):
        yield piece


def _of_index(content: bytes, name: str) -> str:
    """The digest of what is called so, or of the only one."""
    entries = read_index(content)
    called = {full_name(e.name): e.digest for e in entries if e.name}
    if full_name(name) in called:
        return called[full_name(name)]
    digests = {e.digest for e in entries}
    if len(digests) != 1:
        raise _not_in(name, [e.name for e in entries if e.name])
    return digests.pop()


def _of_saved(contents: _Contents, layout: OciLayout, name: str) -> OciImage:
    """From a `manifest.json`, which names files; a manifest is made of it."""
    try:
        saved = _MANIFEST_JSON.validate_python(
            read_json(contents.documents["manifest.json"], DOCUMENT)
        )
    except (ValueError, ValidationError):
        raise ImageError("its manifest.json is malformed") from None
    named = [s for s in saved if full_name(name) in map(full_name, s.tags or ())]
    chosen = named or (list(saved) if len(saved) == 1 else [])
    if not chosen:
        raise _not_in(name, [tag for s in saved for tag in s.tags or ()])
    return layout.image(_new_manifest(chosen[0], contents, layout))


def _new_manifest(saved: _Saved, contents: _Contents, layout: OciLayout) -> str:
    def entry(path: str, media_type: str | None = None) -> dict[str, object]:
        digest = contents.digests.get(posixpath.normpath(path))
        if digest is None:
            raise ImageError(f"it lacks {path}: it is no whole image")
        kind = media_type or layer_type(layout.blob(digest))
        return {"mediaType": kind, "digest": digest, "size": contents.sizes[digest]}

    manifest = {
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": entry(saved.config, CONFIG),
        "layers": [entry(path) for path in saved.layers],
    }
    content = json.dumps(manifest, separators=(",", ":")).encode()
    return layout.add_document(content, MANIFEST).digest


def _not_in(name: str, names: list[str]) -> ImageError:
    listed = ", ".join(sorted(set(names))[:8]) or "images without a name"
    return ImageError(f"it has no image {name}, but {listed}", "Name one of these as `image`.")
