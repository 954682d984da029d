"""What a host is given of an image: the blobs that its Docker lacks, and where they lie until it
has taken them. Pure.
"""

from collections.abc import Callable

from xgen_deploy.state.artifact import Artifact, ArtifactFile
from xgen_deploy.state.facts import PushedImage
from xgen_deploy.state.fetch import Places
from xgen_deploy.state.oci_image import OciImage, Store
from xgen_deploy.state.transfer import ImageLoad, WantedFile


def looked_for(image: OciImage) -> PushedImage:
    ids = (image.config.digest, image.manifest.digest)
    return PushedImage(ids=ids, settings=image.settings, layers=image.diff_ids)


def image_id(image: OciImage, store: Store) -> str:
    """What it is known by once such a daemon has it."""
    return image.config.digest if store == "classic" else image.manifest.digest


def image_artifact(
    image: OciImage, name: str, origin: str, there: int, here: Callable[[str], str | None]
) -> Artifact:
    """Without the first `there` layers. `here` is where a blob lies on this machine, None
    where it is in a bundle."""
    blobs = [image.manifest, image.config, *(layer.blob for layer in image.layers[there:])]
    return Artifact(
        name=name,
        kind="image",
        origin=origin,
        files=tuple(
            ArtifactFile(path=b.sha256, size=b.size, sha256=b.sha256, here=here(b.digest))
            for b in {b.digest: b for b in blobs}.values()
        ),
        image=image,
        layers_there=there,
    )


def image_places(artifact: Artifact, folder: str) -> Places:
    """`folder` is the project's for images; each has one of its own in there."""
    own = image_folder(artifact, folder)
    return Places(
        path=artifact.name,
        root=folder,
        files=tuple(
            WantedFile(place=f"{own}/{f.path}", size=f.size, sha256=f.sha256)
            for f in artifact.files
        ),
    )


def image_folder(artifact: Artifact, folder: str) -> str:
    image = artifact.image
    return folder if image is None else f"{folder}/{image.manifest.sha256[:12]}"


def image_load(artifact: Artifact, folder: str, store: Store) -> ImageLoad | None:
    """None where it is no image."""
    image = artifact.image
    if image is None:
        return None
    return ImageLoad(
        name=artifact.name,
        store=store,
        folder=image_folder(artifact, folder),
        manifest=image.manifest,
        config=image.config,
        layers=image.layers,
    )
