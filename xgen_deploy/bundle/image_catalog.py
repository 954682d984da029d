"""A bundle in place of archives and this machine's Docker: the images that it holds."""

from dataclasses import dataclass

from xgen_deploy.bundle.read import Bundle
from xgen_deploy.files.image_blobs import looked_for
from xgen_deploy.images.oci_layout import ImageError
from xgen_deploy.state.facts import PushedImage
from xgen_deploy.state.image_name import full_name
from xgen_deploy.state.oci_image import OciImage


@dataclass(frozen=True)
class BundleImages:
    """In place of `LocalImages`: where the manifest has its archives does not matter any more."""

    bundle: Bundle

    def looked_for(self, name: str, archive: str | None) -> PushedImage:
        return looked_for(self.image(name, archive))

    def image(self, name: str, archive: str | None) -> OciImage:  # noqa: ARG002
        for part in self.bundle.index.images:
            if full_name(part.name) == full_name(name):
                return part.image
        raise ImageError(
            f"{self.bundle.path.name} does not hold it",
            "Make a bundle of this manifest, or use the manifest that is in the bundle.",
        )

    def here(self, digest: str) -> None:
        """Raises ImageError where it was left out."""
        if not self.bundle.has(digest.removeprefix("sha256:")):
            raise ImageError(
                f"{self.bundle.path.name} was made without the layer {digest[7:19]}, for a site "
                "that has it",
                "Make the bundle without `--have`, or with a newer list of what the site has.",
            )

    def origin(self, archive: str | None) -> str:  # noqa: ARG002
        return self.bundle.path.name
