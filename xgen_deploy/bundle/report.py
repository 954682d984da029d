"""What is in a bundle, in lines for people. Pure."""

from collections.abc import Iterator

from xgen_deploy.bundle.index import ImagePart, Index, ModelPart
from xgen_deploy.bundle.read import Bundle
from xgen_deploy.sizes import size_text
from xgen_deploy.visible import on_one_line

_NAMED = 8


def summary_lines(bundle: Bundle) -> Iterator[str]:
    index = bundle.index
    count = len(index.volumes)
    volumes = f" in {count} volumes" if count > 1 else ""
    made = f"made {index.created} by xgen-deploy {index.tool}"
    yield f"{index.project}  serial {index.serial}, {made}"
    yield f"  {size_text(index.size)}{volumes}, index sha256 {bundle.digest}"
    yield f"  manifest  {index.manifest.main}" + (f" of {index.git}" if index.git else "")
    for model in index.models:
        yield f"  model     {on_one_line(_model(bundle, model))}"
    for image in index.images:
        yield f"  image     {on_one_line(_image(bundle, image))}"
    for kind in ("wheel", "package"):
        parts = [part for part in index.files if part.kind == kind]
        if parts:
            names = ", ".join(part.file.path.rpartition("/")[2] for part in parts[:_NAMED])
            more = f" and {len(parts) - _NAMED} more" if len(parts) > _NAMED else ""
            yield f"  {kind + 's':<9} {on_one_line(names)}{more}"
    for needed in index.needed:
        yield f"  the site provides  {on_one_line(needed)}"
    for lacking in index.lacking:
        yield f"  not in it          {on_one_line(lacking)}"


def report_lines(bundle: Bundle) -> Iterator[str]:
    """Every file, with what proves it."""
    yield ""
    for member in bundle.index.manifest.files:
        yield f"{member.sha256}  {member.path}"
    for part in bundle.index.files:
        licence = f"  {part.license}" if part.license else ""
        yield on_one_line(f"{part.file.sha256}  {part.file.path}{licence}")
    for model in bundle.index.models:
        artifact = model.artifact
        at = f" at {artifact.commit}" if artifact.commit else ""
        licence = artifact.license or "licence not stated"
        yield on_one_line(f"{artifact.name}, from {artifact.origin}{at}, {licence}")
        for file, digest in zip(artifact.files, model.blobs, strict=True):
            left = "" if bundle.has(digest) else "  left out"
            yield f"  {digest}  {size_text(file.size):>10}  {file.path}{left}"

    for image in bundle.index.images:
        yield on_one_line(f"{image.name}, from {image.origin}")
        for blob in image.image.blobs:
            left = "" if bundle.has(blob.sha256) else "  left out"
            yield f"  {blob.sha256}  {size_text(blob.size):>10}  {blob.media_type}{left}"


def names_of(index: Index) -> dict[str, str]:
    """What each blob is, by its digest."""
    names = {m.sha256: m.path for m in index.manifest.files}
    names |= {part.file.sha256: part.file.path for part in index.files}
    for model in index.models:
        for file, digest in zip(model.artifact.files, model.blobs, strict=True):
            names.setdefault(digest, f"{file.path} of {model.artifact.name}")
    for part in index.images:
        for number, layer in enumerate(part.image.layers, 1):
            names.setdefault(layer.blob.sha256, f"layer {number} of {part.name}")
        names.setdefault(part.image.manifest.sha256, f"the manifest of {part.name}")
        names.setdefault(part.image.config.sha256, f"the configuration of {part.name}")
    return {digest: on_one_line(name) for digest, name in names.items()}


def _model(bundle: Bundle, model: ModelPart) -> str:
    artifact = model.artifact
    left = sum(not bundle.has(digest) for digest in model.blobs)
    at = f" at {artifact.commit[:12]}" if artifact.commit else ""
    less = f", {left} of {len(model.blobs)} files left out, which the site has" if left else ""
    return f"{artifact.name}  {size_text(artifact.size)} from {artifact.origin}{at}{less}"


def _image(bundle: Bundle, part: ImagePart) -> str:
    layers = part.image.layers
    left = sum(not bundle.has(layer.blob.sha256) for layer in layers)
    less = f", {left} of {len(layers)} layers left out, which the site has" if left else ""
    return f"{part.name}  {size_text(part.image.size)} from {part.origin}{less}"
