"""What the hosts of a site have already, small enough to be carried out: a bundle leaves it out."""

from collections.abc import Sequence
from functools import cached_property
from typing import Annotated, Literal

from pydantic import Field

from xgen_deploy.frozen import Frozen, Moment
from xgen_deploy.limits import HOSTS, STORED_FILES
from xgen_deploy.state.oci_image import MOST_LAYERS
from xgen_deploy.state.oci_image import Digest as LayerDigest

Digest = Annotated[str, Field(pattern="^([0-9a-f]{40}|[0-9a-f]{64})$")]


Layers = Annotated[tuple[LayerDigest, ...], Field(max_length=MOST_LAYERS)]
MOST_IMAGES = 500


class HostHave(Frozen):
    """`digests` of whole files of models: SHA-256, or git's name of a blob where the hub has no
    other. `images` are the layers of each image that Docker has there, from the first on."""

    digests: Annotated[tuple[Digest, ...], Field(max_length=STORED_FILES)]
    images: Annotated[tuple[Layers, ...], Field(max_length=MOST_IMAGES)] = ()

    @cached_property
    def files(self) -> frozenset[str]:
        return frozenset(self.digests)

    def layers_of(self, layers: Sequence[str]) -> int:
        """How many of these, from the first on, some image there has too: a layer lies on those
        before it."""
        return max((_common(own, layers) for own in self.images), default=0)


class Have(Frozen):
    """`xgen_have` is the format. Hosts that were not reached are not in it."""

    xgen_have: Literal[1] = 1
    project: str
    at: Moment
    hosts: Annotated[dict[str, HostHave], Field(max_length=HOSTS)]


def _common(own: Sequence[str], layers: Sequence[str]) -> int:
    pairs = zip(own, layers, strict=False)
    return next((n for n, (a, b) in enumerate(pairs) if a != b), min(len(own), len(layers)))
