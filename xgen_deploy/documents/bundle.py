"""`bundle create`, `show` and `verify --json`."""

from typing import Literal

from xgen_deploy.documents.base import Document
from xgen_deploy.frozen import Frozen


class BundlePart(Frozen):
    """`version` is a wheel's, or the commit of a model's source. `size` is in bytes, of which
    `left_out` are not in the bundle, for the site has them. `sha256` is None of what is more than
    one file."""

    kind: Literal["model", "image", "wheel", "package", "bill", "requirements", "manifest"]
    name: str
    version: str | None
    origin: str | None
    license: str | None
    size: int
    left_out: int
    sha256: str | None


class BundleVolume(Frozen):
    """`size` in bytes of data, without its head."""

    file: str
    size: int


class DamagedPlace(Frozen):
    """Bytes of a volume, from `start` to before `end`."""

    file: str
    start: int
    end: int


class BundleDamage(Frozen):
    """`chunk` counts from 1."""

    part: str
    chunk: int
    chunks: int
    places: tuple[DamagedPlace, ...]


class BundleDocument(Document):
    """`signer` is whose signature is good, which `verify` alone looks at. `needed` are secrets that
    the site provides, `lacking` what else hosts need that is not in it. `resumed` are bytes that a
    `create` found there, `bootstrap` its folder of wheels beside the bundle, `encrypted`
    the files that are there in place of its volumes, `damages` what `verify` found."""

    file: str | None = None
    project: str | None = None
    serial: int | None = None
    created: str | None = None
    tool: str | None = None
    git: str | None = None
    index_sha256: str | None = None
    signed: bool | None = None
    signer: str | None = None
    size: int | None = None
    volumes: tuple[BundleVolume, ...] | None = None
    manifest: str | None = None
    parts: tuple[BundlePart, ...] | None = None
    needed: tuple[str, ...] | None = None
    lacking: tuple[str, ...] | None = None
    resumed: int | None = None
    bootstrap: str | None = None
    encrypted: tuple[str, ...] | None = None
    damages: tuple[BundleDamage, ...] | None = None
