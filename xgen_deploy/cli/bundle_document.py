"""A bundle as `--json` tells it."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from xgen_deploy.bundle.index import Index, Member
from xgen_deploy.bundle.read import Bundle, Damage
from xgen_deploy.bundle.volumes import volume_path
from xgen_deploy.bundle.write import Written
from xgen_deploy.documents.bundle import (
    BundleDamage,
    BundleDocument,
    BundlePart,
    BundleVolume,
    DamagedPlace,
)


def bundle_document(bundle: Bundle, **more: Any) -> BundleDocument:
    """`more` are keys of the command's own."""
    index = bundle.index
    return BundleDocument(
        file=str(bundle.path),
        project=index.project,
        serial=index.serial,
        created=index.created,
        tool=index.tool,
        git=index.git,
        index_sha256=bundle.digest,
        signed=bundle.signed,
        signer=bundle.signer,
        size=index.size,
        volumes=tuple(
            BundleVolume(file=str(volume_path(bundle.path, number)), size=size)
            for number, size in enumerate(index.volumes, 1)
        ),
        manifest=index.manifest.main,
        parts=tuple(_parts(index)),
        needed=index.needed,
        lacking=index.lacking,
        **more,
    )


def written_document(written: Written) -> BundleDocument:
    bundle = Bundle(
        written.volumes[0], written.index, written.digest, None, (), signed=written.signed
    )
    return bundle_document(
        bundle,
        resumed=written.resumed,
        bootstrap=str(written.bootstrap) if written.bootstrap is not None else None,
        encrypted=tuple(map(str, written.encrypted)),
    )


def damage_of(damage: Damage, names: Mapping[str, str]) -> BundleDamage:
    return BundleDamage(
        part=names.get(damage.blob.sha256, damage.blob.sha256),
        chunk=damage.chunk + 1,
        chunks=len(damage.blob.chunks),
        places=tuple(
            DamagedPlace(file=str(e.path), start=e.start, end=e.start + e.length)
            for e in damage.extents
        ),
    )


def _parts(index: Index) -> Iterator[BundlePart]:
    blobs = {blob.sha256: blob for blob in index.blobs}

    def size(digests: Iterable[str], *, left_out: bool = False) -> int:
        chosen = (blobs[digest] for digest in dict.fromkeys(digests))
        return sum(blob.size for blob in chosen if not (left_out and blob.held))

    def part(kind: Any, name: str, digests: Iterable[str], **more: Any) -> BundlePart:
        digests = tuple(digests)
        known = {"version": None, "origin": None, "license": None, **more}
        return BundlePart(
            kind=kind,
            name=name,
            size=size(digests),
            left_out=size(digests, left_out=True),
            sha256=digests[0] if len(digests) == 1 else None,
            **known,
        )

    def file(kind: Any, member: Member, **more: Any) -> BundlePart:
        return part(kind, member.path, (member.sha256,), **more)

    for model in index.models:
        of = model.artifact
        known = {"version": of.commit, "origin": of.origin, "license": of.license}
        yield part("model", of.name, model.blobs, **known)
    for image in index.images:
        digests = (blob.sha256 for blob in image.image.blobs)
        yield part("image", image.name, digests, origin=image.origin)
    for item in index.files:
        known = {"version": item.version or None, "license": item.license}
        yield file(item.kind, item.file, origin=item.origin or None, **known)
    for member in index.manifest.files:
        yield file("manifest", member)
