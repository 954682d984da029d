"""What is in a bundle as CycloneDX, which other tools read. Pure."""

import json
import uuid
from typing import Any

from xgen_deploy.bundle.index import FilePart, ImagePart, Member, ModelPart

NAME = "bom.cdx.json"
_VERSION = "1.6"


def bill(
    project: str,
    models: tuple[ModelPart, ...],
    images: tuple[ImagePart, ...],
    files: tuple[FilePart, ...],
    manifest: tuple[Member, ...],
) -> str:
    """The same parts give the same text, whenever it is made."""
    components = [*map(_model, models), *map(_image, images)]
    components += [*map(_file, files), *map(_member, manifest)]
    name = f"{project} " + json.dumps(components, sort_keys=True)
    whole = {
        "bomFormat": "CycloneDX",
        "specVersion": _VERSION,
        "serialNumber": uuid.uuid5(uuid.NAMESPACE_URL, name).urn,
        "version": 1,
        "metadata": {"component": {"type": "application", "name": project}},
        "components": list({c["bom-ref"]: c for c in components}.values()),
    }
    return json.dumps(whole, indent=1)


def _model(part: ModelPart) -> dict[str, Any]:
    artifact = part.artifact
    component: dict[str, Any] = {
        "type": "machine-learning-model",
        "bom-ref": f"model:{artifact.digest}",
        "name": artifact.name,
        "version": artifact.commit or "",
        "description": f"from {artifact.origin}",
        "components": [
            _hashed(file.path, f"model:{artifact.digest}/{file.path}", digest)
            for file, digest in zip(artifact.files, part.blobs, strict=True)
        ],
    }
    return component | _licences(artifact.license)


def _image(part: ImagePart) -> dict[str, Any]:
    return {
        "type": "container",
        "bom-ref": f"image:{part.name}",
        "name": part.name,
        "description": f"from {part.origin}",
        "hashes": [{"alg": "SHA-256", "content": part.image.manifest.sha256}],
    }


def _file(part: FilePart) -> dict[str, Any]:
    if part.kind != "wheel":
        return _member(part.file)
    purl = f"pkg:pypi/{part.name.lower().replace('_', '-')}@{part.version}"
    component = _hashed(part.name, part.file.path, part.file.sha256)
    component |= {"type": "library", "version": part.version, "purl": purl}
    return component | _licences(part.license)


def _member(member: Member) -> dict[str, Any]:
    return _hashed(member.path, member.path, member.sha256)


def _hashed(name: str, reference: str, sha256: str) -> dict[str, Any]:
    return {
        "type": "file",
        "bom-ref": reference,
        "name": name,
        "hashes": [{"alg": "SHA-256", "content": sha256}],
    }


def _licences(licence: str | None) -> dict[str, Any]:
    """By name: a hub's short names are not SPDX's."""
    return {"licenses": [{"license": {"name": licence}}]} if licence else {}
